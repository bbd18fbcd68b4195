//! Who is alive, and with which role, zone and tokens: the gossip that `larch-ring` is computed from.
//!
//! It decides nothing about placement.

mod settings;

pub use settings::MemberlistSettings;
