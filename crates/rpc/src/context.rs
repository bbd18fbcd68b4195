//! What travels beside every request.

use std::time::Duration;

use larch_types::{RequestId, TenantId, TraceContext};
use tokio::time::Instant;

/// Nothing waits longer: tails and pulls, which last longest, are begun anew.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Of a call that is no tenant's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallContext {
    /// Of the user's request, or of the job, that caused the call.
    pub request: RequestId,
    /// The span that waits for the answer.
    pub trace: TraceContext,
    pub deadline: Deadline,
}

/// Of a call for one tenant. The messages do not repeat the tenant: this is the only place that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantContext {
    pub tenant: TenantId,
    pub call: CallContext,
}

/// When the caller stops waiting. It bounds the whole call, streams included, on both sides.
///
/// Read from tokio's clock, which a paused runtime controls, because timers run on it too. It means
/// nothing in another process, so calls over a network carry the time that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// Waits of more than a day are cut to a day.
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait.min(MAX_WAIT))
    }

    pub fn time_left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub fn has_passed(self) -> bool {
        self.time_left().is_zero()
    }

    pub(crate) fn instant(self) -> Instant {
        self.0
    }
}
