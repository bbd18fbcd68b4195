//! Connections to peers, kept for the next call, and bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use larch_types::Address;
use tonic::transport::Channel;

use super::channel::open;
use super::settings::GrpcSettings;

/// Each service of a peer has connections of its own: pulls and tails last for hours, and HTTP/2 servers
/// bound the streams of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    Ingester,
    Planner,
    WorkQueue,
    Tail,
}

pub(super) struct Pool {
    pub(super) settings: GrpcSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lanes: HashMap<(Address, Lane), Connections>,
    /// Counts uses, so that the least recent one is known.
    uses: u64,
}

#[derive(Default)]
struct Connections {
    channels: Vec<Channel>,
    next: usize,
    last_use: u64,
}

impl Pool {
    pub(super) fn new(settings: GrpcSettings) -> Self {
        Self { settings, state: Mutex::default() }
    }

    /// The next of the lane's connections in turn. A lane that is let go keeps running the calls that
    /// it has, and closes after them.
    pub(super) fn channel(&self, address: &Address, lane: Lane) -> Channel {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let now = state.uses;
        let key = (address.clone(), lane);
        if !state.lanes.contains_key(&key) && state.lanes.len() >= self.settings.max_services.get() {
            state.let_one_go();
        }
        let connections = state.lanes.entry(key).or_default();
        connections.last_use = now;
        let place = connections.next % self.settings.connections_per_service;
        connections.next = place + 1;
        if place == connections.channels.len() {
            connections.channels.push(open(address, &self.settings));
        }
        connections.channels[place].clone()
    }
}

impl State {
    fn let_one_go(&mut self) {
        let oldest = self.lanes.iter().min_by_key(|(_, connections)| connections.last_use);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.lanes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;
    use crate::MessageLimits;

    fn pool(connections_per_service: usize, max_services: usize) -> Pool {
        Pool::new(GrpcSettings {
            limits: MessageLimits { max_send_bytes: 1 << 20, max_receive_bytes: 1 << 20 },
            connect_timeout: Duration::from_secs(1),
            keepalive_time: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            connections_per_service: NonZeroUsize::new(connections_per_service).unwrap(),
            max_services: NonZeroUsize::new(max_services).unwrap(),
            tls: None,
        })
    }

    fn lanes(pool: &Pool) -> usize {
        pool.state.lock().unwrap().lanes.len()
    }

    fn connections(pool: &Pool) -> usize {
        pool.state.lock().unwrap().lanes.values().map(|lane| lane.channels.len()).sum()
    }

    #[tokio::test]
    async fn connections_are_shared_in_turn() {
        let pool = pool(2, 10);
        let address: Address = "127.0.0.1:1".parse().unwrap();
        for _ in 0..5 {
            pool.channel(&address, Lane::Ingester);
        }
        assert_eq!((lanes(&pool), connections(&pool)), (1, 2));
        pool.channel(&address, Lane::Tail);
        assert_eq!((lanes(&pool), connections(&pool)), (2, 3));
    }

    #[tokio::test]
    async fn the_longest_unused_is_let_go() {
        let pool = pool(1, 2);
        let address = |port: u16| format!("127.0.0.1:{port}").parse::<Address>().unwrap();
        pool.channel(&address(1), Lane::Ingester);
        pool.channel(&address(2), Lane::Ingester);
        pool.channel(&address(1), Lane::Ingester);
        pool.channel(&address(3), Lane::Ingester);
        assert_eq!(lanes(&pool), 2);
        let kept = |port| pool.state.lock().unwrap().lanes.contains_key(&(address(port), Lane::Ingester));
        assert!(kept(1) && !kept(2) && kept(3));
    }
}
