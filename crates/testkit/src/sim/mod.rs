//! A world in one thread that one seed decides: clock, randomness, disk, network and object store.
//!
//! Tasks run on a current-thread runtime whose clock is paused: when all of them wait, time jumps to the
//! next timer. Nothing is drawn from anywhere but the seed, so a run that failed fails again.

mod clock;
mod dir;
mod fuse;
mod net;
mod store;
mod trace;

use std::future::Future;
use std::sync::Arc;

use larch_runtime::{Compute, Env, Random};

pub use clock::SimClock;
pub use dir::SimDir;
pub use fuse::Fuse;
pub use net::SimNet;
pub use store::SimStore;
pub use trace::Trace;

use trace::Tracer;

/// What a simulated process is given in place of the machine.
#[derive(Clone)]
pub struct World {
    pub env: Env,
    /// The same clock as in `env`, to make it step.
    pub clock: Arc<SimClock>,
    pub wal_dir: SimDir,
    pub store: SimStore,
    pub net: SimNet,
    /// Of disk and store.
    pub fuse: Fuse,
}

impl World {
    /// Another machine: its time of day steps by itself.
    pub fn another_machine(&self) -> (Env, Arc<SimClock>) {
        let clock = Arc::new(SimClock::new());
        (Env { clock: Arc::clone(&clock) as Arc<_>, ..self.env.clone() }, clock)
    }
}

/// A world begins with one node; others see the same network from elsewhere.
const FIRST_NODE: &str = "node-0:9095";

/// Runs a simulation to its end. Gives what it gives and the trace of all that was said.
pub fn run<F, T>(seed: u64, simulation: impl FnOnce(World) -> F) -> (T, Trace)
where
    F: Future<Output = T>,
{
    let trace = Trace::default();
    (run_into(&trace, seed, simulation), trace)
}

/// As [`run`], into a trace that is there still if the simulation panics.
pub fn run_into<F, T>(trace: &Trace, seed: u64, simulation: impl FnOnce(World) -> F) -> T
where
    F: Future<Output = T>,
{
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime without IO");
    runtime.block_on(async {
        let clock = Arc::new(SimClock::new());
        let env = Env {
            clock: Arc::clone(&clock) as Arc<_>,
            random: Arc::new(Random::from_seed(seed)),
            compute: Compute::InPlace,
        };
        let fuse = Fuse::default();
        let world = World {
            wal_dir: SimDir::new(env.random.next_u64()).with_fuse(&fuse),
            store: SimStore::new(env.clone()).with_fuse(&fuse),
            fuse,
            net: SimNet::new(env.clone(), FIRST_NODE.parse().expect("an address")),
            clock: Arc::clone(&clock),
            env,
        };
        let _tracing = tracing::subscriber::set_default(Tracer::new(trace.clone(), clock));
        simulation(world).await
    })
}
