//! The traits by which Larch's services call each other, in-process and over gRPC.
//!
//! A service behind a trait cannot be told from one in another process. No service logic here.

mod settings;

pub use settings::{
    BackoffSettings, GrpcClientSettings, GrpcCompression, IngesterClientSettings, PoolSettings,
    TlsClientSettings,
};
