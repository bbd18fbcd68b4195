//! A world in one thread that one seed decides: clock, randomness, disk, network and object store.

mod dir;

pub use dir::SimDir;
