//! What tests of several crates share: the simulator and hostile twins of disk, network and store.
//!
//! Only ever a dev-dependency.
