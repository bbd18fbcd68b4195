//! Rows made by hand, and queries run over them.

use larch_logql::{
    EvalError, EvalLimits, Expr, InputRow, LogEvaluation, LogParams, LogRow, MetricAnswer, MetricEvaluation,
    Steps,
};
use larch_types::{ByteSize, Labels, PushStamp, RowOrder, StreamId, Timestamp};

pub(crate) const LIMITS: EvalLimits =
    EvalLimits { max_series: 500, max_range: None, max_memory: ByteSize::mib(64) };

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Rows(Vec<LogRow>),
    Numbers(MetricAnswer),
}

#[derive(Debug, Clone)]
pub(crate) struct OwnedRow {
    pub(crate) stream: StreamId,
    pub(crate) labels: Labels,
    pub(crate) time: Timestamp,
    pub(crate) stamp: u128,
    pub(crate) line: Vec<u8>,
    pub(crate) metadata: Vec<(String, String)>,
}

impl OwnedRow {
    pub(crate) fn new(labels: Labels, time: Timestamp, stamp: u128, line: &[u8]) -> Self {
        let stream = StreamId::of(&labels);
        Self { stream, labels, time, stamp, line: line.to_vec(), metadata: Vec::new() }
    }
}

/// Runs `call` with the rows as sources give them.
pub(crate) fn with_rows<T>(rows: &[OwnedRow], call: impl FnOnce(&[InputRow<'_>]) -> T) -> T {
    let mut metadata = Vec::with_capacity(rows.len());
    for row in rows {
        let pairs: Vec<(&str, &str)> =
            row.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        metadata.push(pairs);
    }
    let mut out = Vec::with_capacity(rows.len());
    for (row, metadata) in rows.iter().zip(&metadata) {
        out.push(InputRow {
            stream: row.stream,
            labels: &row.labels,
            order: RowOrder { timestamp: row.time, stamp: PushStamp(row.stamp), index: 0 },
            line: &row.line,
            metadata,
            level: None,
        });
    }
    call(&out)
}

pub(crate) fn evaluate(
    expr: &Expr,
    logs: LogParams,
    steps: Steps,
    limits: &EvalLimits,
    rows: &[OwnedRow],
) -> Result<Answer, EvalError> {
    with_rows(rows, |rows| match expr {
        Expr::Log(log) => {
            let mut evaluation = LogEvaluation::new(log, logs, limits)?;
            evaluation.add(rows.iter().copied())?;
            Ok(Answer::Rows(evaluation.finish()))
        }
        Expr::Metric(metric) => {
            let mut evaluation = MetricEvaluation::new(metric, steps, logs.now, limits)?;
            evaluation.add(rows.iter().copied())?;
            evaluation.finish().map(Answer::Numbers)
        }
    })
}
