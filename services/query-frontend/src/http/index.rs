//! Sizes, patterns, and the limits that an app asks for before it asks anything else.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use larch_api::{
    Aggregation, Bounds, PatternsRequest, Pieces, SelectorRequest, ShardsRequest, VolumeRequest,
    drilldown_limits as limits_answer, index_statistics, patterns as pattern_answer, shards as shard_answer,
    volumes,
};
use larch_launch::INTERFACE_VERSION;
use larch_logql::{parse_any_selector, parse_selector};
use larch_proto::{Estimate, Question};
use larch_types::{Matcher, Span};

use super::answer::{json, refusal};
use super::asked::Asked;
use super::labels::{chosen, metadata_facts};
use super::read::{Found, Read, Work};
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::join;
use crate::watch::{Facts, Kind, Record};

/// Patterns are counted in intervals of this length; shorter steps are taken for it.
const SHORTEST_PATTERN_STEP: Span = Span::from_secs(10);

pub(super) async fn stats(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = SelectorRequest::read(&asked.form, asked.now)?;
    record.asks(metadata_facts(Kind::Stats, &request.query, request.bounds));
    let found = statistics(frontend, asked, record, parse_selector(&request.query)?, request.bounds).await?;
    Ok(Pieces::whole(index_statistics(&found)))
}

/// One shard that holds everything: nothing is planned from outside.
pub(super) async fn shards(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = ShardsRequest::read(&asked.form, asked.now)?;
    record.asks(metadata_facts(Kind::Shards, &request.query, request.bounds));
    let found = statistics(frontend, asked, record, parse_selector(&request.query)?, request.bounds).await?;
    Ok(Pieces::whole(shard_answer(&found)))
}

async fn statistics(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    matchers: Vec<Matcher>,
    bounds: Bounds,
) -> Result<Estimate, ReadError> {
    let read = Read::begin(frontend, asked);
    let (tenants, any_of) = chosen(&read, vec![matchers])?;
    let Some(bounds) = read.clamp(bounds)? else { return Ok(Estimate::default()) };
    let question = Question::Stats { any_of };
    let range = (bounds.start, bounds.end);
    let found = read.run(Work { tenants, question, range, max_series: 0 }).await?;
    record.cost(&found.statistics);
    let mut total = Estimate::default();
    for piece in &found.gathered {
        total.streams = total.streams.saturating_add(piece.stats.streams);
        total.chunks = total.chunks.saturating_add(piece.stats.chunks);
        total.rows = total.rows.saturating_add(piece.stats.rows);
        total.bytes = total.bytes.saturating_add(piece.stats.bytes);
    }
    Ok(total)
}

/// Bytes by labels, as one sum or as one for each step.
pub(super) async fn volume(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    by_step: bool,
) -> Result<Pieces, ReadError> {
    let read = Read::begin(frontend, asked);
    if !read.limits.volume_enabled {
        return Err(ReadError::VolumeDisabled);
    }
    let request = if by_step {
        VolumeRequest::read_range(&asked.form, asked.now)?
    } else {
        VolumeRequest::read(&asked.form, asked.now)?
    };
    let matchers = parse_any_selector(&request.query)?;
    let facts = metadata_facts(Kind::Volume, &request.query, request.bounds);
    record.asks(Facts { step: request.step, limit: request.limit, ..facts });
    let (tenants, any_of) = chosen(&read, vec![matchers])?;
    let Some(bounds) = read.clamp(request.bounds)? else { return Ok(Pieces::whole(volumes(&[]))) };
    let question = Question::Volume {
        any_of,
        target_labels: request.target_labels,
        by_label_names: request.aggregation == Aggregation::LabelNames,
        step: request.step,
    };
    let range = (bounds.start, bounds.end);
    let max_series = read.limits.volume_series;
    let Found { mut gathered, statistics, .. } =
        read.run(Work { tenants, question, range, max_series }).await?;
    record.cost(&statistics);
    let series = join::volumes(&mut gathered, range, request.step, request.limit);
    Ok(Pieces::whole(volumes(&series)))
}

pub(super) async fn patterns(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    if !frontend.config.frontend.pattern_ingester_enabled {
        return Err(ReadError::PatternsDisabled);
    }
    let request = PatternsRequest::read(&asked.form, asked.now)?;
    let matchers = parse_selector(&request.query)?;
    let facts = metadata_facts(Kind::Patterns, &request.query, request.bounds);
    record.asks(Facts { step: request.step, ..facts });
    let read = Read::begin(frontend, asked);
    let (tenants, any_of) = chosen(&read, vec![matchers])?;
    let Some(bounds) = read.clamp(request.bounds)? else { return Ok(Pieces::whole(pattern_answer(&[]))) };
    let step = request.step.max(SHORTEST_PATTERN_STEP);
    // Rows are counted where their interval begins, which may be before the range does.
    let into_step = Span::from_nanos(bounds.start.nanos().rem_euclid(step.nanos()));
    let work = Work {
        tenants,
        question: Question::Patterns { any_of, step },
        range: (bounds.start.minus(into_step), bounds.end),
        max_series: 0,
    };
    let Found { mut gathered, statistics, .. } = read.run(work).await?;
    record.cost(&statistics);
    Ok(Pieces::whole(pattern_answer(&join::patterns(&mut gathered))))
}

/// What a tenant may know of its limits.
pub(super) async fn drilldown_limits(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    match frontend.tenancy.tenant(request.headers()) {
        Ok(tenant) => {
            let limits = frontend.limits.limits(&tenant).published(&frontend.published);
            let patterns = frontend.config.frontend.pattern_ingester_enabled;
            json(Pieces::whole(limits_answer(limits, patterns, INTERFACE_VERSION)))
        }
        Err(error) => refusal(&error.into()),
    }
}
