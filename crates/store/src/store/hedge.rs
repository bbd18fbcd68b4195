//! Second requests for slow reads: of a few requests at the same time one is seldom slow.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use larch_limits::TokenBucket;
use larch_runtime::Env;
use larch_telemetry::{Counter, Registry, Spec};

use crate::error::StoreError;
use crate::settings::HedgingSettings;

#[derive(Debug)]
pub(super) struct Hedging {
    wait: Duration,
    most: u32,
    /// Nothing is awaited while it is held.
    tokens: Mutex<TokenBucket>,
    sent: Counter,
    held_back: Counter,
    won_by_first: Counter,
    won_by_further: Counter,
}

const SENT: Spec<0> = Spec {
    name: "hedged_requests_total",
    help: "Further requests sent because a read of the store was slow.",
    labels: [],
};
const HELD_BACK: Spec<0> = Spec {
    name: "hedged_requests_rate_limited_total",
    help: "Further requests that were not sent because hedging.max_per_second had been reached.",
    labels: [],
};
const WON: Spec<1> = Spec {
    name: "hedged_requests_won_total",
    help: "Reads with further requests, by which answered first: the first (original) or a further one (hedged).",
    labels: ["type"],
};

impl Hedging {
    /// `None` if the settings want none.
    pub(super) fn new(settings: &HedgingSettings, env: &Env, registry: &Registry) -> Option<Self> {
        let wait = Duration::from_nanos(settings.at.nanos().try_into().unwrap_or(0));
        let (sent, held_back) = (registry.counter(SENT).with([]), registry.counter(HELD_BACK).with([]));
        let won = registry.counter(WON);
        let (won_by_first, won_by_further) = (won.with(["original"]), won.with(["hedged"]));
        let per_second = settings.max_per_second;
        let tokens = TokenBucket::new(f64::from(per_second), u64::from(per_second), env.clock.monotonic());
        (!wait.is_zero()).then(|| Self {
            wait,
            most: settings.up_to.max(1),
            tokens: Mutex::new(tokens),
            sent,
            held_back,
            won_by_first,
            won_by_further,
        })
    }

    /// Starts a request, and another each time that none has answered for a while. The first success is
    /// the answer; of failures only the last.
    pub(super) async fn run<T, F>(&self, env: &Env, start: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let numbered = |number: u32| {
            let request = start();
            async move { (number, request.await) }
        };
        let mut running = FuturesUnordered::from_iter([numbered(1)]);
        let mut started = 1;
        let mut one_failed = false;
        loop {
            let next = if started < self.most && !one_failed {
                match select(running.next(), std::pin::pin!(env.sleep(self.wait))).await {
                    Either::Left((next, _)) => next,
                    Either::Right(_) if self.may_send(env) => {
                        started += 1;
                        self.sent.inc();
                        running.push(numbered(started));
                        continue;
                    }
                    Either::Right(_) => {
                        self.held_back.inc();
                        running.next().await
                    }
                }
            } else {
                running.next().await
            };
            match next {
                Some((number, Ok(value))) => {
                    match (started, number) {
                        (1, _) => {}
                        (_, 1) => self.won_by_first.inc(),
                        _ => self.won_by_further.inc(),
                    }
                    return Ok(value);
                }
                Some((_, Err(error))) if running.is_empty() => return Err(error),
                Some((_, Err(_))) => one_failed = true,
                // Never: one is under way until the end.
                None => return start().await,
            }
        }
    }

    fn may_send(&self, env: &Env) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.allow(env.clock.monotonic(), 1)
    }
}
