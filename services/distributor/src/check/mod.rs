//! Holds a push against the limits of its tenant: streams and rows that must not be stored are left out
//! and named, the others become what ingesters take.
//!
//! It knows nothing of the form in which a push came, and takes no part in rates: those are of the push as
//! a whole.

mod entry;
mod metadata;
mod problems;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;

use larch_logql::InvalidName;
use larch_proto::AppendStream;
use larch_types::{TenantId, Timestamp};

use crate::head::Head;
use crate::labels::StreamLabels;
use crate::metrics::{Account, Metrics, Reason, Volume};
use crate::pushed::{PushedEntry, PushedTime};
use crate::rules::Rules;
use crate::usage::{Tracked, UsageBook};

pub(crate) use problems::{Blocked, Problems};

/// What rows are held against.
pub(crate) struct Against<'c> {
    pub(crate) tenant: &'c TenantId,
    pub(crate) rules: &'c Rules,
    pub(crate) head: &'c Head,
    pub(crate) now: Timestamp,
    pub(crate) metrics: &'c Metrics,
    pub(crate) usage: &'c UsageBook,
}

/// A stream whose labels cannot be read, where that refuses the stream only.
pub(crate) struct Unreadable {
    pub(crate) text: String,
    pub(crate) error: String,
    pub(crate) entries: Vec<PushedEntry>,
}

/// A push with everything left out that is not stored.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) levels: Levels,
    pub(crate) streams: Vec<AppendStream>,
    /// The same streams as they are counted.
    pub(crate) taken: Vec<TakenStream>,
    /// What is in `streams`, by policy and retention.
    pub(crate) accepted: Vec<Accepted>,
    pub(crate) problems: Problems,
    pub(crate) blocked: Option<Blocked>,
    /// What came, before anything was left out.
    pub(crate) received: Volume,
    /// Rows so far, those left out included.
    rows: u32,
    newest: Option<PushedTime>,
    sanitized: u64,
}

/// Accepted rows that are counted under the same name.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) retention_hours: Arc<str>,
    pub(crate) internal: bool,
    pub(crate) volume: Volume,
}

/// One stream that is not left out, for whoever counts it once it is stored.
#[derive(Debug)]
pub(crate) struct TakenStream {
    /// Place among the accepted.
    pub(crate) accepted: usize,
    pub(crate) volume: Volume,
    pub(crate) tracked: Vec<Tracked>,
}

/// Detected levels, each once.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    names: Vec<String>,
    places: HashMap<String, u32>,
    last: u32,
}

/// Fails if the push must be refused as a whole: a name of metadata can be given no normal form.
pub(crate) fn check(
    against: &Against<'_>,
    streams: Vec<(StreamLabels, Vec<PushedEntry>)>,
    unreadable: &[Unreadable],
) -> Result<Checked, InvalidName> {
    let mut checked = Checked::default();
    for stream in unreadable {
        checked.refuse_unreadable(against, stream);
    }
    for (labels, entries) in streams {
        checked.take_stream(against, &labels, entries)?;
    }
    let Against { tenant, head, now, metrics, .. } = against;
    if checked.sanitized > 0 {
        metrics.sanitized(tenant, checked.sanitized);
    }
    if let Some(newest) = checked.newest.and_then(PushedTime::timestamp) {
        let lag = u64::try_from(now.since(newest).nanos() / NANOS_PER_MILLI).unwrap_or(0);
        metrics.lag(tenant, &head.user_agent, head.protocol, lag);
    }
    Ok(checked)
}

const NANOS_PER_MILLI: i64 = 1_000_000;

impl Against<'_> {
    /// Counts rows that are left out.
    fn discard(&self, account: Account<'_>, reason: Reason, volume: Volume) {
        self.metrics.discarded(account, reason, volume);
        self.usage.discarded(self.tenant, reason, volume);
    }
}

impl Accepted {
    pub(crate) fn account<'s>(&'s self, tenant: &'s TenantId, head: &Head) -> Account<'s> {
        Account {
            tenant,
            protocol: head.protocol,
            retention_hours: &self.retention_hours,
            policy: self.policy.as_deref().unwrap_or_default(),
            internal: self.internal,
        }
    }
}

impl Levels {
    /// The place of a level in the list.
    fn place(&mut self, level: &str) -> u32 {
        // Neighbours are mostly alike.
        if self.names.get(self.last as usize).is_some_and(|last| last == level) {
            return self.last;
        }
        self.last = match self.places.get(level) {
            Some(place) => *place,
            None => {
                // There are no more levels than rows, and those are counted in 32 bits.
                let place = self.names.len() as u32;
                self.names.push(level.to_owned());
                self.places.insert(level.to_owned(), place);
                place
            }
        };
        self.last
    }

    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }
}
