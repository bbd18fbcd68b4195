//! Goes through all tenants, one a pass.

use std::collections::VecDeque;

use larch_proto::Partition;
use larch_runtime::{Env, Job, Next};
use larch_store::{
    CareError, Survey, TenantSurvey, list_pins, partitions_of, sort_pins, survey, survey_tenant, unpin,
};
use larch_types::{TenantId, Timestamp};
use tracing::{info, warn};

use super::clock::clear_probes;
use super::unnamed::lacks_catalog;
use super::{Seen, StoreClock, SweepError, Swept, Tools, read_store_clock, sweep_partition};
use crate::metrics::Metrics;

pub(crate) struct SweepJob {
    tools: Tools,
    env: Env,
    metrics: Metrics,
    seen: Seen,
    round: Option<Round>,
}

/// A way through all tenants.
struct Round {
    clock: StoreClock,
    tenants: VecDeque<TenantId>,
    swept: Swept,
    failures: u64,
    /// Days whose facts may be lost.
    unannounced: u64,
}

impl SweepJob {
    pub(crate) fn new(tools: Tools, env: Env, metrics: Metrics) -> Self {
        Self { tools, env, metrics, seen: Seen::default(), round: None }
    }

    async fn begin(&mut self) -> Result<Option<Round>, SweepError> {
        let tenants: VecDeque<TenantId> = self.tools.catalog.tenants().await?.into();
        self.seen.forget_gone(self.env.clock.monotonic());
        let Some(first) = tenants.front() else { return Ok(None) };
        let clock = read_store_clock(&self.tools.store, &self.env, first).await?;
        Ok(Some(Round { clock, tenants, swept: Swept::default(), failures: 0, unannounced: 0 }))
    }

    /// The partitions of a tenant, unless a pin keeps them, each with its objects if they fit together. Pins that have
    /// ended go.
    async fn partitions(
        &self,
        tenant: &TenantId,
        clock: StoreClock,
    ) -> Result<Vec<(Partition, Option<Survey>)>, SweepError> {
        let store = &self.tools.store;
        let (pins, partitions) = match survey_tenant(store, tenant).await {
            Ok(TenantSurvey { partitions, pins, probes }) => {
                let now = clock.now(&*self.env.clock);
                self.metrics.swept.with(["probe"]).add(clear_probes(store, tenant, &probes, now).await?);
                (pins, partitions.into_iter().map(|(partition, survey)| (partition, Some(survey))).collect())
            }
            Err(CareError::TooMany { .. }) => {
                let partitions = partitions_of(store, tenant).await?;
                let each = partitions.into_iter().map(|partition| (partition, None)).collect();
                (list_pins(store, tenant).await?, each)
            }
            Err(error) => return Err(error.into()),
        };
        let (active, ended) = sort_pins(&pins, clock.now(&*self.env.clock));
        for name in ended {
            unpin(store, tenant, &name).await?;
            self.metrics.swept.with(["pin"]).inc();
        }
        Ok(if active.is_empty() { partitions } else { Vec::new() })
    }

    async fn step(&mut self, round: &mut Round) -> Result<bool, SweepError> {
        let Some(tenant) = round.tenants.pop_front() else { return Ok(false) };
        self.metrics.tenants.inc();
        let partitions = self.partitions(&tenant, round.clock).await?;
        let now = round.clock.now(&*self.env.clock);
        // Whoever lost the catalog of one day may have lost parts of others.
        let lacks = |found: &Option<Survey>| found.as_ref().is_some_and(|found| lacks_catalog(found, now));
        let mut keeps_orphans = partitions.iter().any(|(_, found)| lacks(found));
        for (partition, found) in partitions {
            let at = self.env.clock.monotonic();
            let survey = match found {
                Some(survey) => survey,
                None => survey(&self.tools.store, &tenant, partition).await?,
            };
            keeps_orphans |= lacks_catalog(&survey, now);
            if !self.seen.is_due(&tenant, partition, &survey, at) {
                continue;
            }
            self.metrics.partitions.inc();
            let how = (round.clock.now(&*self.env.clock), keeps_orphans);
            let pass = match sweep_partition(&self.tools, &tenant, partition, &survey, how).await {
                Ok(pass) => pass,
                Err(error) => {
                    // One partition that cannot be swept does not keep others from it.
                    round.failures += 1;
                    round.unannounced += u64::from(matches!(error, SweepError::Unannounced { .. }));
                    self.failed(&error);
                    continue;
                }
            };
            self.seen.note(&tenant, partition, &survey, pass.is_pending, at);
            self.count(round, pass.swept);
        }
        Ok(true)
    }

    fn count(&self, round: &mut Round, swept: Swept) {
        for (kind, objects) in [("orphan", swept.orphans), ("input", swept.inputs), ("fact", swept.facts)] {
            self.metrics.swept.with([kind]).add(objects);
        }
        round.swept.orphans += swept.orphans;
        round.swept.inputs += swept.inputs;
        round.swept.facts += swept.facts;
    }

    fn failed(&self, error: &SweepError) {
        self.metrics.failures.with([error.reason()]).inc();
        warn!(%error, "not swept");
    }
}

impl Job for SweepJob {
    const NAME: &'static str = "sweep";

    async fn run_once(&mut self, _: Timestamp) -> Next {
        let mut round = match self.round.take() {
            Some(round) => round,
            None => match self.begin().await {
                Ok(Some(round)) => round,
                Ok(None) => return Next::Wait,
                Err(error) => {
                    self.failed(&error);
                    return Next::Wait;
                }
            },
        };
        match self.step(&mut round).await {
            Ok(true) => {}
            Ok(false) => {
                let Swept { orphans, inputs, facts } = round.swept;
                if orphans + inputs + facts + round.failures > 0 {
                    info!(orphans, inputs, facts, failures = round.failures, "swept");
                }
                self.metrics.unannounced.set(i64::try_from(round.unannounced).unwrap_or(i64::MAX));
                if round.failures == 0 {
                    self.metrics.last_success.set(self.env.clock.now().nanos() / 1_000_000_000);
                }
                return Next::Wait;
            }
            Err(error) => {
                // Nor does a tenant that cannot be listed.
                round.failures += 1;
                self.failed(&error);
            }
        }
        self.round = Some(round);
        Next::Again
    }
}
