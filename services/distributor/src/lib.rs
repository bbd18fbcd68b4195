//! The distributor: takes pushes, validates and limits them, replicates them to ingesters, answers after a quorum.

mod settings;

pub use settings::{
    DistributorRingSettings, DistributorSettings, OtlpSettings, RateStoreSettings, WriteFailureSettings,
};
