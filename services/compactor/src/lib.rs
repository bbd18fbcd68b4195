//! The compactor: merges segments, applies retention and deletes, sweeps.
