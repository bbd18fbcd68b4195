//! Sweeping: deletes what nobody can ask for any more, and nothing else.
//!
//! | object | goes |
//! |---|---|
//! | a segment that no fact names | once it is 48 hours old, unless facts may be lost (`unnamed`) |
//! | an input of a merge | 24 hours after it was removed, if all outputs of the merge are there |
//! | an add that carries segments | as they do, if nothing else of it is live or a snapshot has the rest |
//! | a fact that a snapshot folds | once that snapshot is 7 days old, and was just read |
//! | a pin that has ended | at once |
//! | what a reading of the store's clock left | an hour later |
//!
//! Ages are those of the store's own clock. An add arrives at most an hour, and the day that a store may
//! delay it, after its segments; so what is unnamed for two days stays unnamed. Any number of sweepers may
//! work at the same time: each decides by itself, and to delete twice is to delete once.
//!
//! A round lists each tenant once, some thousand objects a request, and looks into the catalogs of those days alone whose
//! objects have changed or where something waits for its age: what it costs follows from what was written.

mod clock;
mod decide;
mod error;
mod facts;
mod job;
mod partition;
mod seen;
mod unnamed;

pub(crate) use clock::{StoreClock, read_store_clock};
pub(crate) use error::SweepError;
pub(crate) use job::SweepJob;
pub(crate) use partition::{Swept, sweep_partition};
pub(crate) use seen::Seen;

use larch_store::{Catalog, Store};

/// What sweeping is done with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    /// Objects that are deleted at a time.
    pub(crate) parallel: usize,
}

#[cfg(test)]
mod tests;
