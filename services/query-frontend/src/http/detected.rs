//! Labels and fields that rows turn out to have.

use larch_api::{
    DetectedFieldsRequest, Pieces, SelectorRequest, detected_fields, detected_labels, detected_values,
};
use larch_logql::{Expr, LogExpr, parse_log, parse_selector};
use larch_proto::{Direction, LabelsQuery, Question};
use larch_types::Span;

use super::asked::Asked;
use super::labels::{chosen, metadata_facts};
use super::read::{Found, LogWork, Read, Work};
use crate::check::check_query;
use crate::detect::{Fields, cardinalities};
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::join;
use crate::limits::LimitError;
use crate::tenants::{Selected, select};
use crate::watch::{Facts, Kind, Record};

pub(super) async fn labels(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = SelectorRequest::read(&asked.form, asked.now)?;
    record.asks(metadata_facts(Kind::DetectedLabels, &request.query, request.bounds));
    let mut selectors = Vec::new();
    if !request.query.is_empty() {
        selectors.push(parse_selector(&request.query)?);
    }
    let read = Read::begin(frontend, asked);
    let (tenants, any_of) = chosen(&read, selectors)?;
    let Some(bounds) = read.clamp(request.bounds)? else { return Ok(Pieces::whole(detected_labels(&[]))) };
    let question = Question::Labels { query: LabelsQuery::Series, any_of };
    let range = (bounds.start, bounds.end);
    let Found { mut gathered, statistics, .. } =
        read.run(Work { tenants, question, range, max_series: 0 }).await?;
    record.cost(&statistics);
    let sets = join::label_sets(&join::texts(&mut gathered))?;
    let shows_tenant = asked.tenants.single().is_err();
    Ok(Pieces::whole(detected_labels(&cardinalities(&sets, shows_tenant))))
}

pub(super) async fn fields(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = DetectedFieldsRequest::read(&asked.form, asked.now)?;
    let found = find(frontend, asked, record, &request).await?;
    Ok(Pieces::whole(detected_fields(&found.into_fields(), request.limit)))
}

pub(super) async fn values(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    name: &str,
) -> Result<Pieces, ReadError> {
    let request = DetectedFieldsRequest::read(&asked.form, asked.now)?;
    // How many fields there are besides the one that is asked for does not matter here.
    let all = DetectedFieldsRequest { limit: u32::MAX, ..request.clone() };
    let found = find(frontend, asked, record, &all).await?;
    let mut values = found.into_values(name);
    values.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
    Ok(Pieces::whole(detected_values(&values, request.limit)))
}

/// Looks at the newest rows.
async fn find(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    request: &DetectedFieldsRequest,
) -> Result<Fields, ReadError> {
    let log: LogExpr = parse_log(&request.query)?;
    let expr = Expr::Log(log);
    let facts = metadata_facts(Kind::DetectedFields, &request.query, request.bounds);
    record.asks(Facts { limit: request.line_limit, ..facts });
    let read = Read::begin(frontend, asked);
    let limit = read.limits.entries;
    if limit > 0 && request.line_limit > limit {
        return Err(LimitError::Entries { asked: request.line_limit, limit }.into());
    }
    check_query(&expr, &request.query, &read.limits, &asked.tags)?;
    let mut fields = Fields::new(request.limit);
    let Some(bounds) = read.clamp(request.bounds)? else { return Ok(fields) };
    let Selected { tenants, expr, query } = select(&asked.tenants, expr, &request.query)?;
    let (range, limit) = ((bounds.start, bounds.end), request.line_limit);
    let (direction, interval) = (Direction::Backward, Span::ZERO);
    let work = LogWork { tenants, expr: &expr, query, range, direction, limit, interval };
    let Found { gathered, statistics, .. } = read.logs(work).await?;
    record.cost(&statistics);
    for batch in gathered.into_iter().flat_map(|piece| piece.entries) {
        // A thousand rows take some milliseconds; others have their turn in between.
        fields.add(&batch);
        tokio::task::yield_now().await;
    }
    Ok(fields)
}
