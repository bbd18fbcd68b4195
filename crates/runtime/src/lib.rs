//! The frame around every Larch process: the outside world as arguments (clock, randomness,
//! spawning), ordered start and shutdown, background jobs, HTTP and gRPC servers, admin pages.
//!
//! It knows no log semantics and no Loki endpoint but the operational ones.

mod settings;

pub use settings::{
    ClientAuthType, LogFormat, LogLevel, ServerSettings, ServerTlsSettings, TlsVersion, client_tls_files,
};
