//! Names and values of labels, and series.

use larch_api::{
    Bounds, Pieces, SelectorRequest, SeriesRequest, legacy_list, name_list, series as series_list,
};
use larch_logql::parse_selector;
use larch_proto::{LabelsQuery, PieceTenant, Question, Selector};
use larch_types::{Matcher, Span, TENANT_LABEL};

use super::asked::Asked;
use super::read::{Found, Read, Work};
use crate::check::check_internal;
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::join;
use crate::tenants::select_all;
use crate::watch::{Facts, Kind, RangeType, Record};

pub(super) async fn names(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    legacy: bool,
) -> Result<Pieces, ReadError> {
    let request = SelectorRequest::read(&asked.form, asked.now)?;
    let names = texts(frontend, asked, record, &request, LabelsQuery::Names).await?;
    Ok(if legacy { legacy_list(names) } else { name_list(names) })
}

pub(super) async fn values(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    name: &str,
    legacy: bool,
) -> Result<Pieces, ReadError> {
    let request = SelectorRequest::read(&asked.form, asked.now)?;
    let values = if name == TENANT_LABEL {
        asked.tenants.as_slice().iter().map(ToString::to_string).collect()
    } else {
        texts(frontend, asked, record, &request, LabelsQuery::Values(name.to_owned())).await?
    };
    Ok(if legacy { legacy_list(values) } else { name_list(values) })
}

async fn texts(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    request: &SelectorRequest,
    question: LabelsQuery,
) -> Result<Vec<String>, ReadError> {
    let mut selectors = Vec::new();
    if !request.query.is_empty() {
        selectors.push(parse_selector(&request.query)?);
    }
    let mut found =
        ask(frontend, asked, record, (Kind::Labels, &request.query), request.bounds, selectors, question)
            .await?;
    Ok(join::texts(&mut found.gathered))
}

pub(super) async fn series(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    let request = SeriesRequest::read(&asked.form, asked.now)?;
    let mut selectors = Vec::new();
    for text in &request.matches {
        selectors.push(parse_selector(text)?);
    }
    let query = request.matches.join(",");
    let mut found =
        ask(frontend, asked, record, (Kind::Series, &query), request.bounds, selectors, LabelsQuery::Series)
            .await?;
    let sets = join::label_sets(&join::texts(&mut found.gathered))?;
    Ok(series_list(sets))
}

async fn ask(
    frontend: &Frontend,
    asked: &Asked,
    record: &mut Record,
    (kind, query): (Kind, &str),
    bounds: Bounds,
    selectors: Vec<Vec<Matcher>>,
    question: LabelsQuery,
) -> Result<Found, ReadError> {
    record.asks(metadata_facts(kind, query, bounds));
    let read = Read::begin(frontend, asked);
    let (tenants, any_of) = chosen(&read, selectors)?;
    let Some(bounds) = read.clamp(bounds)? else { return Ok(Found::default()) };
    let work = Work {
        tenants,
        question: Question::Labels { query: question, any_of },
        range: (bounds.start, bounds.end),
        max_series: 0,
    };
    let mut found = read.run(work).await?;
    let texts: usize = found.gathered.iter().map(|piece| piece.texts.len()).sum();
    found.statistics.entries = texts as u64;
    record.cost(&found.statistics);
    Ok(found)
}

pub(super) fn metadata_facts(kind: Kind, query: &str, bounds: Bounds) -> Facts {
    let (range, step) = (RangeType::Range, Span::ZERO);
    Facts { query: query.to_owned(), kind, range, bounds, step, limit: 0 }
}

/// The tenants that selectors choose, and the selectors for their storage.
pub(super) fn chosen(
    read: &Read<'_>,
    mut selectors: Vec<Vec<Matcher>>,
) -> Result<(Vec<PieceTenant>, Vec<Selector>), ReadError> {
    for matchers in &selectors {
        check_internal(matchers, &read.asked.tags)?;
    }
    let tenants = select_all(&read.asked.tenants, &mut selectors)?;
    let any_of = selectors.into_iter().map(|matchers| Selector { matchers }).collect();
    Ok((tenants, any_of))
}
