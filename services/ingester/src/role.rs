//! The role as binaries see it.

use std::sync::{Arc, OnceLock};

use larch_launch::{Blocks, Frame, Role, Service, without_effect};
use larch_runtime::StartError;
use larch_wal::LogMetrics;
use tracing::warn;

use crate::http::{Desk, Marker, routes};
use crate::metrics::Metrics;
use crate::module::IngesterModule;
use crate::patterns::Patterns;
use crate::service::Door;
use crate::settings::{IDLE, IDLE_OF_PATTERNS, IngesterSettings, PatternIngesterSettings};
use crate::shown::show_node;

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub ingester: IngesterSettings,
    pub pattern_ingester: PatternIngesterSettings,
}

/// The name by which `-target` and `/services` know it.
pub(crate) const NAME: &str = "ingester";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(Ingester::default())
}

#[derive(Debug, Default)]
struct Ingester {
    config: Config,
}

impl Role for Ingester {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config {
            ingester: blocks.section("ingester"),
            pattern_ingester: blocks.section("pattern_ingester"),
        };
    }

    fn build(&self, frame: &Frame) -> Result<Service, StartError> {
        let mut idle = without_effect("ingester", &self.config.ingester, &IDLE);
        idle.extend(without_effect("pattern_ingester", &self.config.pattern_ingester, &IDLE_OF_PATTERNS));
        for line in idle {
            warn!("{line}");
        }
        let patterns = Patterns::configured(&self.config.pattern_ingester, frame);
        let door = Arc::new(Door::new(patterns.clone()));
        let metrics = Metrics::new(&frame.metrics);
        show_node(&frame.metrics, &door);
        let marker = Marker {
            open_dir: Arc::clone(&frame.open_dir),
            dir: self.config.ingester.shutdown_marker_path.clone(),
            standing: metrics.standing.clone(),
        };
        let module = IngesterModule {
            frame: frame.clone(),
            settings: self.config.ingester.clone(),
            metrics,
            log_metrics: LogMetrics::new(&frame.metrics, &frame.env),
            door: Arc::clone(&door),
            marker: marker.clone(),
            patterns,
            open_since: OnceLock::new(),
        };
        let desk =
            Desk { door: Arc::clone(&door), frame: frame.clone(), tenancy: frame.tenancy.clone(), marker };
        let grpc = frame.grpc_services().ingester(Arc::clone(&door) as Arc<_>).tail(door);
        Ok(Service {
            modules: vec![Arc::new(module)],
            http: routes(Arc::new(desk)),
            grpc: grpc.into_routes().into_axum_router(),
            ..Service::default()
        })
    }
}
