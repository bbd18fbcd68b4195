//! What tests of several crates share: the simulator and hostile twins of disk, network and store, and
//! the checks that every section of the configuration must pass.
//!
//! Only ever a dev-dependency.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

pub mod process;
pub mod settings;
pub mod sim;
