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
    /// How many of them are counted together, by [`StreamLimits::group`].
    counts: HashMap<Box<str>, usize>,
    label_bytes: u64,
    created: u64,
    removed: u64,
    /// When idle streams were last looked for.
    looked: Option<Monotonic>,
}

#[derive(Debug)]
struct Active {
    last_push: Monotonic,
    group: Box<str>,
    label_bytes: u32,
    /// Line bytes.
    bucket: TokenBucket,
}

/// A stream's part of a push, as it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) id: StreamId,
    pub(crate) label_bytes: usize,
    /// So many times the rate of a stream may it have.
    pub(crate) shares: u32,
    pub(crate) bytes: u64,
}

/// What a tenant's streams may do on this node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StreamLimits<'l> {
    /// The policy whose streams are counted by themselves; empty for all others.
    pub(crate) group: &'l str,
    /// 0 means no limit.
    pub(crate) most_streams: usize,
    /// Bytes a second; 0 means no limit.
    pub(crate) rate: u64,
    pub(crate) burst: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooManyStreams,
    TooFast,
}

/// Numbers for those who watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StreamCounts {
    pub(crate) active: usize,
    pub(crate) label_bytes: u64,
    /// Since the node started.
    pub(crate) created: u64,
    pub(crate) removed: u64,
}

impl<'l> StreamLimits<'l> {
    /// A node's share of the global limit is what it would own if streams were spread evenly. A policy has
    /// its own number in place of the tenant's where one is set; with a number of streams of its own its
    /// streams are not among the tenant's.
    pub(crate) fn of(
        limits: &LimitsSettings,
        policy: &'l str,
        replication: usize,
        ingesters: usize,
    ) -> StreamLimits<'l> {
        let own = limits.policy_override_limits.get(policy);
        let or = |own: Option<u64>, tenants: u64| own.filter(|own| *own > 0).unwrap_or(tenants);
        let own_count =
            own.is_some_and(|own| own.max_streams_per_user > 0 || own.max_global_streams_per_user > 0);
        let (local, global) = match own {
            Some(own) if own_count => (own.max_streams_per_user, own.max_global_streams_per_user),
            _ => (limits.max_streams_per_user, limits.max_global_streams_per_user),
        };
        let (local, global) = (local as usize, global as usize);
        let share = (global * replication).div_ceil(ingesters.max(1)).min(global);
        let most_streams = match (local, share) {
            (0, share) => share,
            (local, 0) => local,
            (local, share) => local.min(share),
        };
        let own_rate = own.map(|own| own.per_stream_rate_limit.as_u64());
        let own_burst = own.map(|own| own.per_stream_rate_limit_burst.as_u64());
        StreamLimits {
            group: if own_count { policy } else { "" },
            most_streams,
            rate: or(own_rate, limits.per_stream_rate_limit.as_u64()),
            burst: or(own_burst, limits.per_stream_rate_limit_burst.as_u64()),
        }
    }
}

impl Streams {
    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a stream may take so many bytes now. They are spent if it may.
    pub(crate) fn admit(&self, part: Part, limits: StreamLimits<'_>, now: Monotonic) -> Result<(), Refusal> {
        let mut known = self.lock();
        if known.is_full(limits) && !known.streams.contains_key(&part.id) {
            if known.looked.is_none_or(|looked| now.since(looked) >= LOOK_EVERY) {
                known.forget_idle(now);
            }
            if known.is_full(limits) {
                return Err(Refusal::TooManyStreams);
            }
        }
        let shares = part.shares.max(1);
        let (rate, burst) =
            (limits.rate as f64 * f64::from(shares), limits.burst.saturating_mul(u64::from(shares)));
        let new = || TokenBucket::new(rate, burst, now);
        let stream = known.find_or_make(part.id, part.label_bytes, limits.group, now, new);
        stream.last_push = now;
        stream.bucket.set(now, rate, burst);
        let is_free = limits.rate == 0;
        if is_free || stream.bucket.allow(now, part.bytes) { Ok(()) } else { Err(Refusal::TooFast) }
    }

    /// Gives back bytes that were spent for rows that were refused elsewhere.
    pub(crate) fn give_back(&self, id: StreamId, bytes: u64, now: Monotonic) {
        if let Some(stream) = self.lock().streams.get_mut(&id) {
            stream.bucket.give_back(now, bytes);
        }
    }

    /// Whether the stream is active.
    pub(crate) fn knows(&self, id: StreamId) -> bool {
        self.lock().streams.contains_key(&id)
    }

    /// Counts a stream whose rows came back from the log.
    pub(crate) fn recall(&self, id: StreamId, label_bytes: usize, limits: StreamLimits<'_>, now: Monotonic) {
        let bucket = || TokenBucket::new(limits.rate as f64, limits.burst, now);
        self.lock().find_or_make(id, label_bytes, limits.group, now, bucket);
    }

    pub(crate) fn forget_idle(&self, now: Monotonic) {
        self.lock().forget_idle(now);
    }

    pub(crate) fn counts(&self) -> StreamCounts {
        let known = self.lock();
        let Known { streams, label_bytes, created, removed, .. } = &*known;
        StreamCounts {
            active: streams.len(),
            label_bytes: *label_bytes,
            created: *created,
            removed: *removed,
        }
    }
}

impl Known {
    fn is_full(&self, limits: StreamLimits<'_>) -> bool {
        let counted = self.counts.get(limits.group).copied().unwrap_or(0);
        limits.most_streams > 0 && counted >= limits.most_streams
    }

    fn find_or_make(
        &mut self,
        id: StreamId,
        label_bytes: usize,
        group: &str,
        now: Monotonic,
        bucket: impl FnOnce() -> TokenBucket,
    ) -> &mut Active {
        let Self { streams, counts, label_bytes: all_bytes, created, .. } = self;
        let stream = streams.entry(id).or_insert_with(|| {
            *created += 1;
            *all_bytes += label_bytes as u64;
            *counts.entry(group.into()).or_default() += 1;
            // Label text is far below 2^32 bytes.
            let label_bytes = label_bytes as u32;
            Active { last_push: now, group: group.into(), label_bytes, bucket: bucket() }
        });
        if *stream.group != *group {
            // The limits have changed.
            leave_group(counts, &stream.group);
            *counts.entry(group.into()).or_default() += 1;
            stream.group = group.into();
        }
        stream
    }

    fn forget_idle(&mut self, now: Monotonic) {
        let Self { streams, counts, label_bytes, removed, .. } = self;
        streams.retain(|_, stream| {
            let active = now.since(stream.last_push) < ACTIVE_FOR;
            if !active {
                *removed += 1;
                *label_bytes -= u64::from(stream.label_bytes);
                leave_group(counts, &stream.group);
            }
            active
        });
        self.looked = Some(now);
    }
}

fn leave_group(counts: &mut HashMap<Box<str>, usize>, group: &str) {
    if let Some(count) = counts.get_mut(group) {
        *count -= 1;
        if *count == 0 {
            counts.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use larch_limits::PolicyLimits;
    use larch_types::ByteSize;

    use super::*;

    const LIMITS: StreamLimits<'static> = StreamLimits { group: "", most_streams: 2, rate: 10, burst: 100 };

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn part(number: u128, bytes: u64) -> Part {
        Part { id: StreamId::from_u128(number), label_bytes: 10, shares: 0, bytes }
    }

    #[test]
    fn streams_are_counted_while_they_are_active() {
        let streams = Streams::default();
        assert_eq!(streams.admit(part(1, 1), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(2, 1), LIMITS, at(1000)), Ok(()));
        assert_eq!(streams.admit(part(3, 1), LIMITS, at(1000)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(part(1, 1), LIMITS, at(1001)), Ok(()), "a known one may go on");
        assert_eq!(streams.admit(part(3, 1), LIMITS, at(2800)), Ok(()), "the second is forgotten");
        assert_eq!(streams.counts().active, 2);
        let unlimited = StreamLimits { most_streams: 0, ..LIMITS };
        assert_eq!(streams.admit(part(4, 1), unlimited, at(2800)), Ok(()));
        assert_eq!(
            streams.counts(),
            StreamCounts { active: 3, label_bytes: 30, created: 4, removed: 1 },
            "what was forgotten is counted"
        );
    }

    #[test]
    fn a_full_tenant_is_looked_through_once_a_second() {
        let at = |millis| Monotonic::from_start(Duration::from_millis(millis));
        let streams = Streams::default();
        assert_eq!(streams.admit(part(1, 1), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(2, 1), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(3, 1), LIMITS, at(1_799_500)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(part(3, 1), LIMITS, at(1_800_499)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(part(3, 1), LIMITS, at(1_800_500)), Ok(()));
        assert_eq!(streams.counts().active, 1);
    }

    #[test]
    fn each_stream_has_its_own_rate() {
        let streams = Streams::default();
        assert_eq!(streams.admit(part(1, 100), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(1, 1), LIMITS, at(0)), Err(Refusal::TooFast));
        assert_eq!(streams.admit(part(2, 100), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(1, 20), LIMITS, at(2)), Ok(()));
        assert_eq!(streams.admit(part(2, 101), LIMITS, at(100)), Err(Refusal::TooFast), "never fits");
        let unlimited = StreamLimits { rate: 0, ..LIMITS };
        assert_eq!(streams.admit(part(2, 101), unlimited, at(100)), Ok(()));
    }

    #[test]
    fn what_is_given_back_may_be_spent_again() {
        let streams = Streams::default();
        let id = StreamId::from_u128(1);
        streams.give_back(id, 100, at(0));
        assert_eq!(streams.admit(part(1, 100), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(1, 60), LIMITS, at(0)), Err(Refusal::TooFast));
        streams.give_back(id, 60, at(0));
        assert_eq!(streams.admit(part(1, 60), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(1, 1), LIMITS, at(0)), Err(Refusal::TooFast));
    }

    #[test]
    fn a_spread_stream_may_grow_as_fast_as_all_of_its_shards() {
        let streams = Streams::default();
        let shares = |shares, bytes| Part { shares, ..part(1, bytes) };
        assert_eq!(streams.admit(shares(3, 300), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(shares(3, 31), LIMITS, at(1)), Err(Refusal::TooFast));
        assert_eq!(streams.admit(shares(3, 30), LIMITS, at(1)), Ok(()));
        assert_eq!(streams.admit(shares(1, 11), LIMITS, at(2)), Ok(()), "earned while it was spread");
        assert_eq!(streams.counts().active, 1, "shards are no streams");
    }

    #[test]
    fn streams_of_a_policy_may_be_counted_by_themselves() {
        let streams = Streams::default();
        let gold = StreamLimits { group: "gold", most_streams: 1, ..LIMITS };
        assert_eq!(streams.admit(part(1, 1), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(2, 1), gold, at(0)), Ok(()));
        assert_eq!(streams.admit(part(3, 1), gold, at(0)), Err(Refusal::TooManyStreams));
        assert_eq!(streams.admit(part(3, 1), LIMITS, at(0)), Ok(()));
        assert_eq!(streams.admit(part(4, 1), LIMITS, at(0)), Err(Refusal::TooManyStreams));
        // The policy has no number of its own any more.
        assert_eq!(streams.admit(part(2, 1), LIMITS, at(1)), Ok(()));
        assert_eq!(streams.admit(part(4, 1), gold, at(1)), Ok(()));
        streams.forget_idle(at(5000));
        assert_eq!(streams.admit(part(5, 1), gold, at(5000)), Ok(()));
        assert_eq!(streams.counts().active, 1);
    }

    #[test]
    fn a_node_has_its_share_of_the_global_limit() {
        let mut limits = LimitsSettings { max_streams_per_user: 0, ..LimitsSettings::default() };
        limits.max_global_streams_per_user = 100;
        let most = |limits: &LimitsSettings, replication, ingesters| {
            StreamLimits::of(limits, "", replication, ingesters).most_streams
        };
        assert_eq!(most(&limits, 1, 1), 100);
        assert_eq!(most(&limits, 3, 3), 100);
        assert_eq!(most(&limits, 3, 7), 43);
        assert_eq!(most(&limits, 3, 1), 100);
        limits.max_streams_per_user = 30;
        assert_eq!(most(&limits, 3, 7), 30);
        limits.max_global_streams_per_user = 0;
        assert_eq!(most(&limits, 3, 7), 30);
    }

    #[test]
    fn a_policy_has_what_is_set_for_it_and_the_rest_of_the_tenant() {
        let own = |rate: u64, streams: u32| PolicyLimits {
            per_stream_rate_limit: ByteSize::bytes(rate),
            max_global_streams_per_user: streams,
            ..PolicyLimits::default()
        };
        let limits = LimitsSettings {
            policy_override_limits: [("fast".to_owned(), own(7, 0)), ("wide".to_owned(), own(0, 9))].into(),
            ..LimitsSettings::default()
        };
        let of = |policy| StreamLimits::of(&limits, policy, 1, 1);
        let tenants = of("");
        assert_eq!((tenants.group, tenants.most_streams, tenants.rate), ("", 5000, 3 << 20));
        assert_eq!(of("unknown"), tenants);
        assert_eq!(of("fast"), StreamLimits { rate: 7, ..tenants });
        assert_eq!(of("wide"), StreamLimits { group: "wide", most_streams: 9, ..tenants });
    }
}
