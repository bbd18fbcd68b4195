//! Trying a request until it succeeds, cannot succeed, or its budget is spent.

use std::future::Future;
use std::time::Duration;

use larch_types::Monotonic;
use tokio::sync::Semaphore;
use tracing::debug;

use super::{Inner, Patience};
use crate::error::{Failure, Operation, StoreError};
use crate::http::SLOWEST_BYTES_PER_SECOND;

/// For one try of a request that moves few bytes. Stores answer within a second; this long is a broken
/// connection that nobody has noticed.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);

/// One request, to be tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) operation: Operation,
    pub(super) key: &'a str,
    /// What it moves, at most.
    pub(super) bytes: u64,
    /// No try begins later.
    pub(super) not_after: Option<Monotonic>,
}

impl<'a> Request<'a> {
    pub(super) fn new(operation: Operation, key: &'a str, bytes: u64) -> Self {
        Self { operation, key, bytes, not_after: None }
    }

    pub(super) fn fails(&self, failure: Failure) -> StoreError {
        StoreError::new(self.operation, self.key, failure)
    }

    fn is_write(&self) -> bool {
        matches!(self.operation, Operation::Put | Operation::Delete)
    }
}

impl Inner {
    /// Runs a request until it succeeds or fails for good.
    pub(super) async fn attempt<T, F>(
        &self,
        request: Request<'_>,
        mut run: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let patience = &self.options.patience;
        let start = self.env.clock.monotonic();
        let mut tries = 0;
        loop {
            let permit = self.turn(request).await?;
            let now = self.env.clock.monotonic();
            // Compared before every try: what is written late could meet what is swept.
            if request.not_after.is_some_and(|last| now > last) {
                return Err(request.fails(Failure::Expired).after(tries.max(1)));
            }
            tries += 1;
            let result = self.try_once(request, &mut run).await;
            drop(permit);
            let error = match result {
                Ok(value) => return Ok(value),
                Err(error) => error.after(tries),
            };
            let wait = self.wait_after(tries);
            let spent = self.env.clock.monotonic().since(start);
            let goes_on = tries < patience.tries && spent + wait <= patience.budget;
            if !error.failure().is_transient() || !goes_on {
                return Err(error);
            }
            debug!(operation = request.operation.as_str(), key = request.key, %error, "try the store again");
            self.metrics.retried(request.operation);
            self.env.sleep(wait).await;
        }
    }

    /// Waits behind all others that read, or write.
    async fn turn(&self, request: Request<'_>) -> Result<tokio::sync::SemaphorePermit<'_>, StoreError> {
        let semaphore: &Semaphore = if request.is_write() { &self.writes } else { &self.reads };
        semaphore.acquire().await.map_err(|_| request.fails(Failure::Local))
    }

    async fn try_once<T, F>(&self, request: Request<'_>, run: &mut impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let limit = try_limit(&self.options.patience, request.bytes);
        let start = self.env.clock.monotonic();
        let result = match tokio::time::timeout(limit, run()).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(StoreError::of(request.operation, request.key, error)),
            Err(_) => Err(StoreError::late(request.operation, request.key, limit)),
        };
        let took = self.env.clock.monotonic().since(start);
        self.metrics.tried(request.operation, result.as_ref().err().map(StoreError::failure), took);
        result
    }

    /// Between a half and the whole of a wait that doubles, so that those who failed together do not come
    /// back together.
    fn wait_after(&self, tries: u32) -> Duration {
        let Patience { first_wait, longest_wait, .. } = self.options.patience;
        let doubled = first_wait.saturating_mul(1 << tries.saturating_sub(1).min(20));
        self.env.random.jitter(doubled.min(longest_wait) / 2, 1.0)
    }
}

fn try_limit(patience: &Patience, bytes: u64) -> Duration {
    patience.try_timeout.unwrap_or(TRY_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND))
}
