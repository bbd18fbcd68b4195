//! Rows as they arrive: each one through the selector and the pipeline, without order or limit.

use larch_types::{ByteSize, Timestamp};

use crate::ast::LogExpr;
use crate::build;
use crate::check::run_order;
use crate::eval::budget::Memory;
use crate::eval::streams::Streams;
use crate::eval::{EntryLabels, EvalError, InputRow, LogRow};
use crate::stage::{Hints, Pipeline, Row};
use crate::weight::check_log_weight;

/// So many streams are matched once; then matching begins anew, because streams come and go for as long as
/// rows arrive.
const KNOWN_STREAMS: ByteSize = ByteSize::mib(4);

/// A log query over rows that never end.
#[derive(Debug)]
pub struct LivePipeline {
    expr: LogExpr,
    streams: Streams,
    memory: Memory,
    pipeline: Pipeline,
}

impl LivePipeline {
    /// Refuses what cannot be run.
    pub fn new(expr: &LogExpr) -> Result<Self, EvalError> {
        check_log_weight(expr)?;
        Ok(Self {
            expr: expr.clone(),
            streams: Streams::new(&expr.matchers)?,
            memory: Memory::new(KNOWN_STREAMS),
            pipeline: build::pipeline(run_order(&expr.pipeline), &Hints::all())?,
        })
    }

    /// What is shown of the rows, each with its place among them. `now` is for templates that ask for the
    /// time.
    pub fn run<'r>(
        &mut self,
        rows: impl IntoIterator<Item = InputRow<'r>>,
        now: Timestamp,
    ) -> Result<Vec<(usize, LogRow)>, EvalError> {
        let mut work = Row::new(now);
        let mut shown = Vec::new();
        for (place, row) in rows.into_iter().enumerate() {
            if !self.selects(&row)? {
                continue;
            }
            row.load_into(&mut work);
            if self.pipeline.run(&mut work) {
                let labels = EntryLabels::of(&work);
                shown.push((place, LogRow { timestamp: row.timestamp(), line: work.line().into(), labels }));
            }
        }
        Ok(shown)
    }

    fn selects(&mut self, row: &InputRow<'_>) -> Result<bool, EvalError> {
        if let Ok(place) = self.streams.place(row, &mut self.memory) {
            return Ok(place.is_some());
        }
        self.streams = Streams::new(&self.expr.matchers)?;
        self.memory = Memory::new(KNOWN_STREAMS);
        Ok(self.streams.place(row, &mut self.memory)?.is_some())
    }
}
