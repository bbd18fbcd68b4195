//! Placement: who owns a key, given a snapshot of the members.
//!
//! A pure function of its arguments. It neither talks to members nor reads a clock; `larch-membership`
//! brings the snapshots.

mod ring;
mod settings;

pub use ring::{Owned, Ring};
pub use settings::{KvStore, KvStoreSettings, RingSettings, check_heartbeats, check_tokens};
