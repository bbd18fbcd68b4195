//! What tests of several crates share: the simulator and hostile twins of disk, network and store,
//! built binaries and a client to talk to them, the comparison with recorded answers, and the checks that
//! every section of the configuration must pass.
//!
//! Only ever a dev-dependency.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

pub mod http;
pub mod process;
pub mod recorded;
pub mod settings;
pub mod sim;
