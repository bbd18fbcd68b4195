//! Goes through all tenants, one partition a pass.

use std::collections::VecDeque;

use larch_proto::Partition;
use larch_runtime::{Env, Job, Next};
use larch_store::{active_pins, partitions_of, unpin};
use larch_types::{TenantId, Timestamp};
use tracing::{info, warn};

use super::{StoreClock, SweepError, Swept, Tools, read_store_clock, sweep_partition};
use crate::metrics::Metrics;

pub(crate) struct SweepJob {
    tools: Tools,
    env: Env,
    metrics: Metrics,
    round: Option<Round>,
}

/// A way through all tenants.
struct Round {
    clock: StoreClock,
    tenants: VecDeque<TenantId>,
    partitions: VecDeque<(TenantId, Partition)>,
    swept: Swept,
    failures: u64,
}

impl SweepJob {
    pub(crate) fn new(tools: Tools, env: Env, metrics: Metrics) -> Self {
        Self { tools, env, metrics, round: None }
    }

    async fn begin(&self) -> Result<Option<Round>, SweepError> {
        let tenants: VecDeque<TenantId> = self.tools.catalog.tenants().await?.into();
        let Some(first) = tenants.front() else { return Ok(None) };
        let clock = read_store_clock(&self.tools.store, &self.env, first).await?;
        Ok(Some(Round { clock, tenants, partitions: VecDeque::new(), swept: Swept::default(), failures: 0 }))
    }

    /// The partitions of a tenant that no pin keeps. Pins that have ended go.
    async fn partitions(&self, tenant: &TenantId, clock: StoreClock) -> Result<Vec<Partition>, SweepError> {
        let store = &self.tools.store;
        let (active, ended) = active_pins(store, tenant, clock.now(&*self.env.clock)).await?;
        for name in ended {
            unpin(store, tenant, &name).await?;
            self.metrics.swept.with(["pin"]).inc();
        }
        if active.is_empty() {
            Ok(partitions_of(store, tenant).await?.into_iter().collect())
        } else {
            Ok(Vec::new())
        }
    }

    async fn step(&self, round: &mut Round) -> Result<bool, SweepError> {
        if let Some((tenant, partition)) = round.partitions.pop_front() {
            let now = round.clock.now(&*self.env.clock);
            let swept = sweep_partition(&self.tools, &tenant, partition, now).await?;
            for (kind, objects) in [("orphan", swept.orphans), ("input", swept.inputs), ("fact", swept.facts)]
            {
                self.metrics.swept.with([kind]).add(objects);
            }
            round.swept.orphans += swept.orphans;
            round.swept.inputs += swept.inputs;
            round.swept.facts += swept.facts;
            return Ok(true);
        }
        let Some(tenant) = round.tenants.pop_front() else { return Ok(false) };
        let partitions = self.partitions(&tenant, round.clock).await?;
        round.partitions = partitions.into_iter().map(|partition| (tenant.clone(), partition)).collect();
        Ok(true)
    }

    fn failed(&self, error: &SweepError) {
        self.metrics.failures.with([error.kind().name()]).inc();
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
                if round.failures == 0 {
                    self.metrics.last_success.set(self.env.clock.now().nanos() / 1_000_000_000);
                }
                return Next::Wait;
            }
            Err(error) => {
                // One partition that cannot be swept does not keep others from it.
                round.failures += 1;
                self.failed(&error);
            }
        }
        self.round = Some(round);
        Next::Again
    }
}
