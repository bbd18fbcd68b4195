//! The compactor's life: its jobs run from when it starts, and end between two of their steps.

use futures_util::future::BoxFuture;
use larch_runtime::{Env, Module, Rhythm, Scope, StartError, spawn_job};

use crate::metrics::Metrics;
use crate::sweep::{SweepJob, Tools};

pub(crate) struct CompactorModule {
    pub(crate) env: Env,
    pub(crate) tools: Tools,
    pub(crate) metrics: Metrics,
    pub(crate) sweep_every: std::time::Duration,
}

impl Module for CompactorModule {
    fn name(&self) -> &'static str {
        crate::role::NAME
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async {
            let job = SweepJob::new(self.tools.clone(), self.env.clone(), self.metrics.clone());
            spawn_job(scope, &self.env, Rhythm::every(self.sweep_every), job);
            Ok(())
        })
    }
}
