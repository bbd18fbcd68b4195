//! Range and instant queries.

use larch_api::{
    Bounds, EncodingFlags, InstantRequest, LogRows, Pieces, RangeRequest, legacy_logs, logs, metric,
};
use larch_logql::{
    Expr, LineFilter, LineOp, LineOperand, LogExpr, MetricAnswer, Stage, Steps, Text, check_stages, parse,
    parse_log,
};
use larch_proto::Direction;
use larch_types::Span;

use super::asked::Asked;
use super::read::{Found, LogWork, MetricWork, Read};
use crate::check::{check_query, kind_of};
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::join;
use crate::limits::LimitError;
use crate::tenants::{Selected, select};
use crate::watch::{Facts, RangeType, Record};

/// Instant queries for rows look back this far.
const INSTANT_REACH: Span = Span::from_hours(1);

/// The rows of a log query: which, and how many.
struct LogRequest {
    bounds: Bounds,
    limit: u32,
    direction: Direction,
    interval: Span,
}

/// When a metric query is evaluated.
#[derive(Clone, Copy)]
struct Times {
    bounds: Bounds,
    /// Zero for one instant.
    step: Span,
}

pub(super) async fn range(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = RangeRequest::read(&asked.form, asked.now)?;
    let expr = parse(&request.query)?;
    let facts = facts(&request.query, &expr, RangeType::Range, request.bounds, request.limit);
    record.asks(Facts { step: request.step, ..facts });
    let read = Read::begin(frontend, asked);
    match &expr {
        Expr::Log(_) => {
            let RangeRequest { bounds, limit, direction, interval, query, .. } = request;
            let rows = LogRequest { bounds, limit, direction, interval };
            log_answer(&read, record, &query, expr, rows).await
        }
        Expr::Metric(_) => {
            let times = Times { bounds: request.bounds, step: request.step };
            metric_answer(&read, record, &request.query, expr, times).await
        }
    }
}

pub(super) async fn instant(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = InstantRequest::read(&asked.form, asked.now)?;
    let expr = parse(&request.query)?;
    let at = Bounds { start: request.time, end: request.time };
    record.asks(facts(&request.query, &expr, RangeType::Instant, at, request.limit));
    let read = Read::begin(frontend, asked);
    match &expr {
        Expr::Log(_) => {
            let bounds = Bounds { start: request.time.minus(INSTANT_REACH), end: request.time };
            // The newest, whatever the direction says.
            let direction = Direction::Backward;
            let rows = LogRequest { bounds, limit: request.limit, direction, interval: Span::ZERO };
            log_answer(&read, record, &request.query, expr, rows).await
        }
        Expr::Metric(_) => {
            let times = Times { bounds: at, step: Span::ZERO };
            metric_answer(&read, record, &request.query, expr, times).await
        }
    }
}

pub(super) async fn legacy(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = RangeRequest::read(&asked.form, asked.now)?;
    let (log, query) = legacy_query(&request.query, asked.form.get("regexp"))?;
    let expr = Expr::Log(log);
    record.asks(facts(&query, &expr, RangeType::Range, request.bounds, request.limit));
    let read = Read::begin(frontend, asked);
    let RangeRequest { bounds, limit, direction, .. } = request;
    let rows = LogRequest { bounds, limit, direction, interval: Span::ZERO };
    let (rows, found) = log_rows(&read, &query, expr, rows, false).await?;
    record.cost(&found.statistics);
    Ok(legacy_logs(rows, &found.statistics))
}

/// The query with the filter that old clients send beside it.
fn legacy_query(query: &str, regexp: &str) -> Result<(LogExpr, String), ReadError> {
    if regexp.is_empty() {
        return match parse(query)? {
            Expr::Log(log) => Ok((log, query.to_owned())),
            Expr::Metric(_) => Err(ReadError::LegacyMetric),
        };
    }
    let mut log = parse_log(query)?;
    let operands = vec![LineOperand::Text(Text::from(regexp))];
    log.pipeline.push(Stage::LineFilter(LineFilter { op: LineOp::Regex, operands }));
    let expr = Expr::Log(log.clone());
    check_stages(&expr)?;
    Ok((log, expr.to_string()))
}

fn facts(query: &str, expr: &Expr, range: RangeType, bounds: Bounds, limit: u32) -> Facts {
    Facts { query: query.to_owned(), kind: kind_of(expr), range, bounds, step: Span::ZERO, limit }
}

async fn log_answer(
    read: &Read<'_>,
    record: &mut Record,
    query: &str,
    expr: Expr,
    request: LogRequest,
) -> Result<Pieces, ReadError> {
    let flags: EncodingFlags = read.asked.flags.clone();
    let (rows, found) = log_rows(read, query, expr, request, flags.categorizes()).await?;
    record.cost(&found.statistics);
    Ok(logs(rows, &flags, &found.statistics, &found.warnings))
}

async fn log_rows(
    read: &Read<'_>,
    query: &str,
    expr: Expr,
    request: LogRequest,
    categorized: bool,
) -> Result<(LogRows, Found), ReadError> {
    let limits = &read.limits;
    if limits.entries > 0 && request.limit > limits.entries {
        return Err(LimitError::Entries { asked: request.limit, limit: limits.entries }.into());
    }
    check_query(&expr, query, limits, &read.asked.tags)?;
    let Some(bounds) = read.clamp(request.bounds)? else { return Ok(Default::default()) };
    let Selected { tenants, expr, query } = select(&read.asked.tenants, expr, query)?;
    let LogRequest { limit, direction, interval, .. } = request;
    let range = (bounds.start, bounds.end);
    let work = LogWork { tenants, expr: &expr, query, range, direction, limit, interval };
    let mut found = read.logs(work).await?;
    let rows = join::rows(&mut found.gathered, categorized, request.limit);
    found.statistics.entries = rows.rows();
    Ok((rows, found))
}

async fn metric_answer(
    read: &Read<'_>,
    record: &mut Record,
    query: &str,
    expr: Expr,
    times: Times,
) -> Result<Pieces, ReadError> {
    check_query(&expr, query, &read.limits, &read.asked.tags)?;
    let time = times.bounds.end;
    let (answer, found) = match read.clamp(times.bounds)? {
        None => (empty(times.step), Found::default()),
        Some(bounds) => metric_found(read, query, expr, Times { bounds, ..times }).await?,
    };
    let Found { mut statistics, mut warnings, .. } = found;
    let answer = within_series(read, answer, &mut warnings)?;
    let (_, points) = join::sizes(&answer);
    statistics.entries = points;
    record.cost(&statistics);
    Ok(metric(answer, time, &statistics, &warnings))
}

fn empty(step: Span) -> MetricAnswer {
    if step.is_zero() { MetricAnswer::Vector(Vec::new()) } else { MetricAnswer::Matrix(Vec::new()) }
}

async fn metric_found(
    read: &Read<'_>,
    query: &str,
    expr: Expr,
    times: Times,
) -> Result<(MetricAnswer, Found), ReadError> {
    let Selected { tenants, expr, query } = select(&read.asked.tenants, expr, query)?;
    // The parser gave a metric query, and no tenant makes another of it.
    let Expr::Metric(expr) = expr else { return Ok((empty(times.step), Found::default())) };
    // One more series than allowed is told by workers, unless an answer in part is wanted.
    let max_series = if read.asked.tags.is_drilldown() { 0 } else { read.limits.series };
    let steps = steps(read, times);
    read.metric(MetricWork { tenants, expr, query, steps, step: times.step, max_series }).await
}

/// Range queries are aligned to their steps wherever queries are cut by time: a piece must not know where
/// the query began.
fn steps(read: &Read<'_>, times: Times) -> Steps {
    let Times { bounds, step } = times;
    let aligns =
        read.limits.split_interval > Span::ZERO || read.frontend.config.query_range.align_queries_with_step;
    match Steps::range(bounds.start, bounds.end, step) {
        Some(steps) if aligns => steps.aligned(),
        Some(steps) => steps,
        // A step of zero is that of an instant query; the parameters allow no other that leads nowhere.
        None => Steps::at(bounds.end),
    }
}

/// Too many series fail a query, but for the app that shows what it gets.
fn within_series(
    read: &Read<'_>,
    mut answer: MetricAnswer,
    warnings: &mut Vec<String>,
) -> Result<MetricAnswer, ReadError> {
    let limit = read.limits.series;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 || join::sizes(&answer).0 <= most {
        return Ok(answer);
    }
    if !read.asked.tags.is_drilldown() {
        return Err(LimitError::Series(limit).into());
    }
    join::cut_series(&mut answer, most);
    warnings.push(format!(
        "maximum number of series ({limit}) reached for a single query; returning partial results"
    ));
    Ok(answer)
}
