//! Background jobs: a struct with one step. The loop, the jitter and the stop are here.

use std::future::Future;
use std::time::Duration;

use larch_types::Timestamp;
use tracing::{Instrument, debug_span, trace};

use crate::{Env, Scope};

/// Work that is done again and again. Tests call the step themselves.
pub trait Job: Send + 'static {
    const NAME: &'static str;

    /// One pass. It ends by itself in bounded time; the scope is asked to stop between passes only.
    fn run_once(&mut self, now: Timestamp) -> impl Future<Output = Next> + Send;
}

/// What follows a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The usual wait.
    Wait,
    /// There is more to do now.
    Again,
    /// Nothing will ever be left to do.
    Stop,
}

/// How often a job runs.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    pub every: Duration,
    /// Up to this share of the interval is added at random, so that processes started together drift
    /// apart.
    pub jitter: f64,
}

impl Rhythm {
    pub const fn every(every: Duration) -> Self {
        Self { every, jitter: 0.1 }
    }
}

/// Runs a job in the scope until it stops itself or the scope stops. The first pass follows the first
/// wait.
pub fn spawn_job<J: Job>(scope: &Scope, env: &Env, rhythm: Rhythm, mut job: J) {
    let (inner, env) = (scope.clone(), env.clone());
    scope.spawn(J::NAME, async move {
        loop {
            let wait = env.random.jitter(rhythm.every, rhythm.jitter);
            if inner.until_cancelled(env.sleep(wait)).await.is_none() {
                return;
            }
            loop {
                let next = job.run_once(env.clock.now()).instrument(debug_span!("job", job = J::NAME)).await;
                trace!(job = J::NAME, ?next, "pass done");
                match next {
                    Next::Wait => break,
                    Next::Stop => return,
                    Next::Again if inner.is_cancelled() => return,
                    // Lets other tasks run between two passes that follow at once.
                    Next::Again => tokio::task::yield_now().await,
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counter {
        passes: Arc<AtomicU32>,
        plan: Vec<Next>,
    }

    impl Job for Counter {
        const NAME: &'static str = "counter";

        async fn run_once(&mut self, _: Timestamp) -> Next {
            self.passes.fetch_add(1, Ordering::Relaxed);
            self.plan.pop().unwrap_or(Next::Wait)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_waits_repeats_and_stops() {
        let (scope, env) = (Scope::default(), Env::system());
        let passes = Arc::new(AtomicU32::new(0));
        let job = Counter { passes: Arc::clone(&passes), plan: vec![Next::Stop, Next::Wait, Next::Again] };
        spawn_job(&scope, &env, Rhythm { every: Duration::from_secs(10), jitter: 0.0 }, job);
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(passes.load(Ordering::Relaxed), 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(passes.load(Ordering::Relaxed), 2, "one pass and one again");
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(passes.load(Ordering::Relaxed), 3, "stopped itself");
        assert!(scope.running().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_stops_with_its_scope() {
        let (scope, env) = (Scope::default(), Env::system());
        let passes = Arc::new(AtomicU32::new(0));
        let job = Counter { passes: Arc::clone(&passes), plan: Vec::new() };
        spawn_job(&scope, &env, Rhythm::every(Duration::from_secs(3600)), job);
        scope.close(Duration::from_secs(1)).await.unwrap();
        assert_eq!(passes.load(Ordering::Relaxed), 0);
    }
}
