//! The distributor: takes pushes, validates and limits them, replicates them to ingesters, answers after a quorum.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::{
    DistributorRingSettings, DistributorSettings, OtlpSettings, RateStoreSettings, WriteFailureSettings,
};
