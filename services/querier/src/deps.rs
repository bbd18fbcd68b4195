//! What all parts of the role are given of the process.

use std::sync::Arc;

use larch_launch::{Frame, TenantLimits};
use larch_membership::Members;
use larch_rpc::Transport;
use larch_runtime::Env;
use larch_store::Segments;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::role::Config;
use crate::scan::threads_to_share;

pub(crate) struct Deps {
    pub(crate) env: Env,
    pub(crate) members: Members,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) limits: TenantLimits,
    pub(crate) segments: Segments,
    /// Chunks of one read that are fetched ahead of when they are needed.
    pub(crate) chunks_ahead: usize,
    pub(crate) more_threads: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    pub(crate) config: Config,
}

impl Deps {
    pub(crate) fn new(frame: &Frame, config: Config) -> Self {
        Self {
            env: frame.env.clone(),
            members: frame.members.clone(),
            transport: Arc::clone(&frame.transport),
            limits: frame.limits.clone(),
            segments: frame.segments.clone(),
            chunks_ahead: frame.settings.storage.max_chunk_batch_size as usize,
            more_threads: threads_to_share(),
            metrics: Metrics::new(&frame.metrics),
            config,
        }
    }
}
