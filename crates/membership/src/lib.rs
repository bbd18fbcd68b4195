//! Who is alive, and with which role, zone and tokens: the gossip that `larch-ring` is computed from.
//!
//! It decides nothing about placement.

mod members;
mod settings;

pub use members::{Member, Members, Part, View};
pub use settings::MemberlistSettings;
