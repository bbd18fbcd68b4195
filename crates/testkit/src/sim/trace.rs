//! Everything that was said during a run, with the simulated time of each line.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use larch_runtime::Clock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::clock::SimClock;

/// The lines of a run. Two runs with one seed have the same.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// Writes events of any level into a trace.
pub(super) struct Tracer {
    trace: Trace,
    clock: Arc<SimClock>,
}

impl Tracer {
    pub(super) fn new(trace: Trace, clock: Arc<SimClock>) -> Self {
        Self { trace, clock }
    }
}

impl Subscriber for Tracer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", self.clock.now(), event.metadata().level()));
        event.record(&mut line);
        self.trace.push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("writing to a String cannot fail");
    }
}
