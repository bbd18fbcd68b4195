//! Which streams of a tenant are active here, and how fast each may grow.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larch_limits::{LimitsSettings, TokenBucket};
use larch_types::{Monotonic, StreamId};

/// A stream counts for so long after its last push. Loki's streams count until they have been idle for
/// 30 minutes, too.
const ACTIVE_FOR: Duration = Duration::from_mins(30);

/// A tenant at its limit is looked through for idle streams no more often than this: a push may hold
/// a hundred thousand streams too many, and each refusal would walk over all that there are.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Shared by all pushes of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    streams: HashMap<StreamId, Active>,
    /// When idle streams were last looked for.
    looked: Option<Monotonic>,
}

#[derive(Debug)]
struct Active {
    last_push: Monotonic,
    /// Line bytes.
    bucket: TokenBucket,
}

/// What a tenant's streams may do on this node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StreamLimits {
    /// 0 means no limit.
    pub(crate) most_streams: usize,
    /// Bytes a second.
    pub(crate) rate: u64,
    pub(crate) burst: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooManyStreams,
    TooFast,
}

impl StreamLimits {
    /// A node's share of the global limit is what it would own if streams were spread evenly.
    pub(crate) fn of(limits: &LimitsSettings, replication: usize, ingesters: usize) -> Self {
        let local = limits.max_streams_per_user as usize;
        let global = limits.max_global_streams_per_user as usize;
        let share = (global * replication).div_ceil(ingesters.max(1)).min(global);
        let most_streams = match (local, share) {
            (0, share) => share,
            (local, 0) => local,
            (local, share) => local.min(share),
        };
        Self {
            most_streams,
            rate: limits.per_stream_rate_limit.as_u64(),
            burst: limits.per_stream_rate_limit_burst.as_u64(),
        }
    }
}

impl Streams {
    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a stream may take so many bytes now. They are spent if it may.
    pub(crate) fn admit(
        &self,
        id: StreamId,
        bytes: u64,
        limits: StreamLimits,
        now: Monotonic,
    ) -> Result<(), Refusal> {
        let mut known = self.lock();
        let is_full = |known: &Known| limits.most_streams > 0 && known.streams.len() >= limits.most_streams;
        if is_full(&known) && !known.streams.contains_key(&id) {
            if known.looked.is_none_or(|looked| now.since(looked) >= LOOK_EVERY) {
                known.forget_idle(now);
            }
            if is_full(&known) {
                return Err(Refusal::TooManyStreams);
            }
        }
        let (rate, burst) = (limits.rate as f64, limits.burst);
        let new = || Active { last_push: now, bucket: TokenBucket::new(rate, burst, now) };
        let stream = known.streams.entry(id).or_insert_with(new);
        stream.last_push = now;
        stream.bucket.set(now, rate, burst);
        if stream.bucket.allow(now, bytes) { Ok(()) } else { Err(Refusal::TooFast) }
    }

    /// Counts a stream whose rows came back from the log.
    pub(crate) fn recall(&self, id: StreamId, limits: StreamLimits, now: Monotonic) {
        let bucket = || TokenBucket::new(limits.rate as f64, limits.burst, now);
        self.lock().streams.entry(id).or_insert_with(|| Active { last_push: now, bucket: bucket() });
    }

    pub(crate) fn forget_idle(&self, now: Monotonic) {
        self.lock().forget_idle(now);
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().streams.len()
    }
}

impl Known {
    fn forget_idle(&mut self, now: Monotonic) {
        self.streams.retain(|_, stream| now.since(stream.last_push) < ACTIVE_FOR);
        self.looked = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: StreamLimits = StreamLimits { most_streams: 2, rate: 10, burst: 100 };

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn id(number: u128) -> StreamId {
        StreamId::from_u128(number)
    }

    #[test]
    fn streams_are_counted_while_they_are_active() {
        let streams = Streams::default();
        assert_eq!(streams.admit(id(1), 1, LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(id(2), 1, LIMITS, at(1000)), Ok(()));
        assert_eq!(streams.admit(id(3), 1, LIMITS, at(1000)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(id(1), 1, LIMITS, at(1001)), Ok(()), "a known one may go on");
        assert_eq!(streams.admit(id(3), 1, LIMITS, at(2800)), Ok(()), "the second is forgotten");
        assert_eq!(streams.len(), 2);
        let unlimited = StreamLimits { most_streams: 0, ..LIMITS };
        assert_eq!(streams.admit(id(4), 1, unlimited, at(2800)), Ok(()));
    }

    #[test]
    fn a_full_tenant_is_looked_through_once_a_second() {
        let at = |millis| Monotonic::from_start(Duration::from_millis(millis));
        let streams = Streams::default();
        assert_eq!(streams.admit(id(1), 1, LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(id(2), 1, LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(id(3), 1, LIMITS, at(1_799_500)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(id(3), 1, LIMITS, at(1_800_499)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(id(3), 1, LIMITS, at(1_800_500)), Ok(()));
        assert_eq!(streams.len(), 1);
    }

    #[test]
    fn each_stream_has_its_own_rate() {
        let streams = Streams::default();
        assert_eq!(streams.admit(id(1), 100, LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(id(1), 1, LIMITS, at(0)), Err(Refusal::TooFast));
        assert_eq!(streams.admit(id(2), 100, LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(id(1), 20, LIMITS, at(2)), Ok(()));
        assert_eq!(streams.admit(id(2), 101, LIMITS, at(100)), Err(Refusal::TooFast), "never fits");
    }

    #[test]
    fn a_node_has_its_share_of_the_global_limit() {
        let mut limits = LimitsSettings { max_streams_per_user: 0, ..LimitsSettings::default() };
        limits.max_global_streams_per_user = 100;
        assert_eq!(StreamLimits::of(&limits, 1, 1).most_streams, 100);
        assert_eq!(StreamLimits::of(&limits, 3, 3).most_streams, 100);
        assert_eq!(StreamLimits::of(&limits, 3, 7).most_streams, 43);
        assert_eq!(StreamLimits::of(&limits, 3, 1).most_streams, 100);
        limits.max_streams_per_user = 30;
        assert_eq!(StreamLimits::of(&limits, 3, 7).most_streams, 30);
        limits.max_global_streams_per_user = 0;
        assert_eq!(StreamLimits::of(&limits, 3, 7).most_streams, 30);
    }
}
