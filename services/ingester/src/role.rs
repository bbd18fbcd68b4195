//! The role as binaries see it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larch_launch::{Blocks, Frame, Role, Service, without_effect};
use larch_runtime::StartError;
use larch_store::MAX_VIEW_AGE;
use larch_wal::LogMetrics;
use tracing::warn;

use crate::http::{Desk, Marker, routes};
use crate::metrics::Metrics;
use crate::module::IngesterModule;
use crate::patterns::Patterns;
use crate::service::Door;
use crate::settings::{IDLE, IngesterSettings, PatternIngesterSettings};
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

/// A planner of another process may look at a catalog as old as a view may be, and the store may list what is new
/// so much later. What is named for less time is in no answer in between.
const LEAST_HAND_OVER: Duration = MAX_VIEW_AGE.saturating_add(Duration::from_mins(20));

fn check_hand_over(keep: Duration, is_alone: bool) -> Result<(), StartError> {
    // A process that plans its own queries only has its uploads in its view at once.
    if is_alone || keep >= LEAST_HAND_OVER {
        return Ok(());
    }
    Err(StartError::new(format!(
        "ingester.keep_handed_over must be at least {} minutes, or queries of other processes would miss rows that \
         were just uploaded",
        LEAST_HAND_OVER.as_secs() / 60
    )))
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
        for line in without_effect("ingester", &self.config.ingester, &IDLE) {
            warn!("{line}");
        }
        let shared = &frame.settings;
        let is_alone = shared.runs_all && shared.memberlist.join_members.is_empty();
        check_hand_over(self.config.ingester.keep_handed_over.to_std(), is_alone)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_uploaded_is_named_until_every_view_has_it() {
        let minutes = Duration::from_mins;
        assert!(check_hand_over(minutes(25), false).is_ok());
        assert!(check_hand_over(minutes(1), true).is_ok());
        let refused = check_hand_over(minutes(24), false).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "ingester.keep_handed_over must be at least 25 minutes, or queries of other processes would miss rows \
             that were just uploaded"
        );
    }
}
