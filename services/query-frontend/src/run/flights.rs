//! Pieces that are being answered: whoever asks the same gets the same answer, and it is worked on as long as
//! anybody waits for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use larch_proto::Piece;

use super::gather::Gathered;
use crate::error::ReadError;

pub(super) type Answer = Result<Arc<Gathered>, ReadError>;
type Flight = BoxFuture<'static, Answer>;

/// What is in the air, by what was asked.
#[derive(Default)]
pub(super) struct Flights {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<Arc<str>, (u64, WeakShared<Flight>)>,
    next: u64,
}

/// More pieces are not in the queue at a time, with the default bounds of a hundred tenants. What is beyond
/// them is answered too, for itself.
const MAX_OPEN: usize = 100_000;

/// All of a piece that makes its answer another one: tenants and what may be seen of them, the question, the
/// time, the streams, and the limits, which may turn the answer into a failure. Texts in it are quoted, so that
/// two pieces never look alike.
pub(super) fn key_of(piece: &Piece) -> Arc<str> {
    let Piece { tenants, question, start, end, shard, max_bytes, max_series, no_cache, .. } = piece;
    let range = (start.nanos(), end.nanos());
    format!("{tenants:?} {question:?} {range:?} {shard:?} {max_bytes} {max_series} {no_cache}").into()
}

impl Flights {
    /// The answer to come, and whether this call is the one that began it.
    pub(super) fn enter<F>(
        self: &Arc<Self>,
        key: &Arc<str>,
        begin: impl FnOnce() -> F,
    ) -> (Shared<Flight>, bool)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut state = self.lock();
        if let Some(known) = state.open.get(key).and_then(|(_, flight)| flight.upgrade()) {
            return (known, false);
        }
        state.next += 1;
        let landing = Landing { flights: Arc::clone(self), key: Arc::clone(key), number: state.next };
        let answering = begin();
        let flight: Flight = async move {
            let answer = answering.await;
            drop(landing);
            answer
        }
        .boxed();
        let shared = flight.shared();
        if state.open.len() < MAX_OPEN
            && let Some(weak) = shared.downgrade()
        {
            let number = state.next;
            state.open.insert(Arc::clone(key), (number, weak));
        }
        (shared, true)
    }

    /// Nothing is awaited while it is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list when it is over, or when nobody waits for it any more.
struct Landing {
    flights: Arc<Flights>,
    key: Arc<str>,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut state = self.flights.lock();
        // Another one may have begun since.
        if state.open.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use tokio::sync::oneshot;

    use super::*;

    async fn flight(answer: oneshot::Receiver<u64>) -> Answer {
        let bytes = answer.await.map_err(|_| ReadError::Cancelled)?;
        Ok(Arc::new(Gathered { bytes, ..Gathered::default() }))
    }

    #[tokio::test]
    async fn one_run_for_all_who_ask_the_same() {
        let flights = Arc::new(Flights::default());
        let key: Arc<str> = "a".into();
        let (sender, receiver) = oneshot::channel();
        let (first, is_own) = flights.enter(&key, || flight(receiver));
        let (second, joined) = flights.enter(&key, || async { Err(ReadError::Cancelled) });
        let (other, is_other) = flights.enter(&"b".into(), || async { Err(ReadError::TimedOut) });
        assert!(is_own && !joined && is_other);
        // Who began it goes away; the other gets it.
        drop(first);
        sender.send(7).expect("somebody waits");
        let (second, other) = join(second, other).await;
        assert_eq!(second.expect("an answer").bytes, 7);
        assert_eq!(other.expect_err("a failure"), ReadError::TimedOut);
        assert!(flights.lock().open.is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_any_more() {
        let flights = Arc::new(Flights::default());
        let key: Arc<str> = "a".into();
        let (sender, receiver) = oneshot::channel();
        let (first, _) = flights.enter(&key, || flight(receiver));
        drop(first);
        assert!(sender.is_closed() && flights.lock().open.is_empty());
        let (again, is_own) = flights.enter(&key, || async { Err(ReadError::TimedOut) });
        assert!(is_own && again.await.is_err());
    }
}
