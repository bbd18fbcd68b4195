//! What tests of several crates share: the simulator and hostile twins of disk, network and store, and
//! the checks that every section of the configuration must pass.
//!
//! Only ever a dev-dependency.

pub mod settings;
