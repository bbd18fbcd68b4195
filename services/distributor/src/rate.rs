//! How much a tenant may push a second.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larch_limits::{LimitsSettings, RateStrategy, TokenBucket};
use larch_membership::{Members, Part};
use larch_types::{Monotonic, TenantId};

/// One bucket a tenant, and one for each of its policies that has a rate of its own.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// The distributors among them share a rate that holds for all.
    members: Members,
    buckets: Mutex<HashMap<BucketKey, Bucket>>,
}

type BucketKey = (TenantId, Option<Box<str>>);

#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: u64,
    tokens: TokenBucket,
}

/// What a push takes from one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The policy that has a rate of its own.
    pub(crate) policy: Option<Box<str>>,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// The push does not fit the rate now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct RateExceeded {
    tenant: TenantId,
    /// Never empty.
    exceeded: Vec<(Demand, u64)>,
    /// When there will be room for it; `None` if there never will.
    pub(crate) wait: Option<Duration>,
}

/// Whoever has no bucket starts with a full one, so full ones are forgotten when there are so many.
const MAX_BUCKETS: usize = 100_000;

const BYTES_PER_MB: f64 = 1_048_576.0;

impl RateLimiter {
    pub(crate) fn new(members: Members) -> Self {
        Self { members, buckets: Mutex::default() }
    }

    /// A distributor that does not know of itself yet counts all the same.
    fn distributors(&self) -> usize {
        self.members.view().of(Part::Distributor).count().max(1)
    }

    /// Takes all demands or none.
    pub(crate) fn admit(
        &self,
        now: Monotonic,
        tenant: &TenantId,
        limits: &LimitsSettings,
        demands: &[Demand],
    ) -> Result<(), RateExceeded> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut exceeded = Vec::new();
        let mut longest = Some(Duration::ZERO);
        for demand in demands {
            let (rate, burst) = self.rate_of(limits, demand.policy.as_deref());
            let bucket = bucket(&mut buckets, (tenant.clone(), demand.policy.clone()), rate, burst, now);
            if !bucket.tokens.allow(now, demand.bytes) {
                let wait = bucket.tokens.wait(now, demand.bytes);
                longest = longest.zip(wait).map(|(one, other)| one.max(other));
                exceeded.push((demand.clone(), rate as u64));
            }
        }
        if exceeded.is_empty() {
            return Ok(());
        }
        for demand in demands {
            let key = (tenant.clone(), demand.policy.clone());
            let granted = !exceeded.iter().any(|(refused, _)| refused == demand);
            if let Some(bucket) = buckets.get_mut(&key).filter(|_| granted) {
                bucket.tokens.give_back(now, demand.bytes);
            }
        }
        Err(RateExceeded { tenant: tenant.clone(), exceeded, wait: longest })
    }

    /// Bytes a second and at once; without a rate nothing passes. The burst is every distributor's own, because it must hold the largest
    /// push.
    fn rate_of(&self, limits: &LimitsSettings, policy: Option<&str>) -> (f64, u64) {
        let share = match limits.ingestion_rate_strategy {
            RateStrategy::Global => 1.0 / self.distributors() as f64,
            RateStrategy::Local => 1.0,
        };
        let own = policy.and_then(|policy| limits.policy_override_limits.get(policy));
        let or = |own: Option<f64>, tenants: f64| own.filter(|own| *own > 0.0).unwrap_or(tenants);
        let rate = or(own.map(|own| own.ingestion_rate_mb), limits.ingestion_rate_mb);
        let burst = or(own.map(|own| own.ingestion_burst_size_mb), limits.ingestion_burst_size_mb);
        if rate > 0.0 { (rate * BYTES_PER_MB * share, (burst * BYTES_PER_MB) as u64) } else { (0.0, 0) }
    }
}

/// The bucket as the limits are now.
fn bucket(
    buckets: &mut HashMap<BucketKey, Bucket>,
    key: BucketKey,
    rate: f64,
    burst: u64,
    now: Monotonic,
) -> &mut Bucket {
    if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key) {
        make_room(buckets, now);
    }
    let new = || Bucket { rate, burst, tokens: TokenBucket::new(rate, burst, now) };
    let bucket = buckets.entry(key).or_insert_with(new);
    if (bucket.rate, bucket.burst) != (rate, burst) {
        bucket.tokens.set(now, rate, burst);
        (bucket.rate, bucket.burst) = (rate, burst);
    }
    bucket
}

/// If all are in use, as many tenants at once as there are buckets, each of them starts anew.
fn make_room(buckets: &mut HashMap<BucketKey, Bucket>, now: Monotonic) {
    buckets.retain(|_, bucket| {
        let burst = bucket.burst;
        bucket.tokens.wait(now, burst).is_none_or(|wait| !wait.is_zero())
    });
    if buckets.len() >= MAX_BUCKETS {
        buckets.clear();
    }
}

impl fmt::Display for RateExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenant = &self.tenant;
        if let [(demand, rate)] = self.exceeded.as_slice() {
            write!(f, "ingestion rate limit exceeded for user {tenant}")?;
            if let Some(policy) = &demand.policy {
                write!(f, ", policy {policy}")?;
            }
            let Demand { lines, bytes, .. } = demand;
            return write!(
                f,
                " (limit: {rate} bytes/sec) while attempting to ingest '{lines}' lines totaling '{bytes}' \
                 bytes, reduce log volume or contact your Loki administrator to see if the limit can be \
                 increased"
            );
        }
        write!(f, "ingestion rate limit exceeded for user {tenant} across multiple buckets: ")?;
        for (index, (Demand { policy, lines, bytes }, rate)) in self.exceeded.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let of =
                policy.as_deref().map_or_else(|| "no policy".to_owned(), |name| format!("policy {name}"));
            write!(f, "{comma}{of} (limit: {rate} bytes/sec, '{lines}' lines totaling '{bytes}' bytes)")?;
        }
        f.write_str(
            "; reduce log volume or contact your Loki administrator to see if the limits can be increased",
        )
    }
}

#[cfg(test)]
mod tests {
    use larch_limits::PolicyLimits;
    use larch_membership::Member;
    use larch_types::NodeId;

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    fn demand(policy: Option<&str>, bytes: u64) -> Demand {
        Demand { policy: policy.map(Into::into), lines: 2, bytes }
    }

    const MB: u64 = 1 << 20;

    /// One of so many.
    fn limiter(distributors: u128) -> RateLimiter {
        let members = Members::default();
        for number in 0..distributors {
            let (node, address) = (NodeId::from_u128(number), format!("d{number}:1").parse().unwrap());
            members.enter(Member { part: Part::Distributor, node, address });
        }
        RateLimiter::new(members)
    }

    #[test]
    fn a_burst_then_the_rate_and_the_text() {
        let (limiter, limits) = (limiter(1), LimitsSettings::default());
        let tenant: TenantId = "acme".parse().unwrap();
        let admit = |millis, bytes| limiter.admit(at(millis), &tenant, &limits, &[demand(None, bytes)]);
        assert_eq!(admit(0, 6 * MB), Ok(()));
        assert_eq!(
            admit(0, 10).unwrap_err().to_string(),
            "ingestion rate limit exceeded for user acme (limit: 4194304 bytes/sec) while attempting to \
             ingest '2' lines totaling '10' bytes, reduce log volume or contact your Loki administrator \
             to see if the limit can be increased"
        );
        assert_eq!(admit(0, MB).unwrap_err().wait, Some(Duration::from_millis(250)));
        assert_eq!(admit(0, 7 * MB).unwrap_err().wait, None);
        assert_eq!(admit(1000, 4 * MB), Ok(()));
        assert!(admit(1000, 1).is_err());
        assert!(admit(60_000, 6 * MB + 1).is_err(), "more than a burst never passes");
        let other: TenantId = "other".parse().unwrap();
        assert_eq!(limiter.admit(at(0), &other, &limits, &[demand(None, MB)]), Ok(()));
    }

    #[test]
    fn a_global_rate_is_shared_and_a_local_one_is_not() {
        for (strategy, shown) in [(RateStrategy::Global, "1048576"), (RateStrategy::Local, "4194304")] {
            let limits = LimitsSettings { ingestion_rate_strategy: strategy, ..LimitsSettings::default() };
            let tenant: TenantId = "t".parse().unwrap();
            let error = limiter(4).admit(at(0), &tenant, &limits, &[demand(None, 7 * MB)]);
            let text = error.unwrap_err().to_string();
            assert!(text.contains(&format!("(limit: {shown} bytes/sec)")), "{text}");
        }
    }

    #[test]
    fn without_a_rate_nothing_passes() {
        let limits = LimitsSettings { ingestion_rate_mb: 0.0, ..LimitsSettings::default() };
        let tenant: TenantId = "t".parse().unwrap();
        assert!(limiter(1).admit(at(0), &tenant, &limits, &[demand(None, 1)]).is_err());
    }

    #[test]
    fn all_buckets_or_none() {
        let own = PolicyLimits { ingestion_rate_mb: 1.0, ..PolicyLimits::default() };
        let limits = LimitsSettings {
            policy_override_limits: [("p".to_owned(), own)].into(),
            ..LimitsSettings::default()
        };
        let limiter = limiter(1);
        let tenant: TenantId = "t".parse().unwrap();
        let admit = |demands: &[Demand]| limiter.admit(at(0), &tenant, &limits, demands);
        assert_eq!(admit(&[demand(Some("p"), 6 * MB)]), Ok(()));
        let text = admit(&[demand(None, 5 * MB), demand(Some("p"), MB)]).unwrap_err().to_string();
        let start = "ingestion rate limit exceeded for user t, policy p (limit: 1048576 bytes/sec) while";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(admit(&[demand(None, 6 * MB)]), Ok(()), "given back");
        assert_eq!(
            admit(&[demand(None, 5 * MB), demand(Some("p"), MB)]).unwrap_err().to_string(),
            "ingestion rate limit exceeded for user t across multiple buckets: no policy (limit: 4194304 \
             bytes/sec, '2' lines totaling '5242880' bytes), policy p (limit: 1048576 bytes/sec, '2' lines \
             totaling '1048576' bytes); reduce log volume or contact your Loki administrator to see if the \
             limits can be increased"
        );
    }

    #[test]
    fn a_change_of_limits_holds_at_once() {
        let limiter = limiter(1);
        let tenant: TenantId = "t".parse().unwrap();
        let admit = |millis, burst, bytes| {
            let limits = LimitsSettings { ingestion_burst_size_mb: burst, ..LimitsSettings::default() };
            limiter.admit(at(millis), &tenant, &limits, &[demand(None, bytes)])
        };
        assert!(admit(0, 1.0, 2 * MB).is_err());
        assert!(admit(0, 8.0, 2 * MB).is_err(), "a larger bucket is not fuller");
        assert_eq!(admit(2000, 8.0, 8 * MB), Ok(()));
    }
}
