//! What a client may pick from: labels that tell streams apart, and fields that rows hold.

mod kinds;

use std::collections::{BTreeMap, BTreeSet};

use larch_api::{DetectedField, DetectedLabel, byte_text};
use larch_logql::stage::{Category, Hints, Json, Logfmt, LogfmtFlags, Row, json_fields};
use larch_proto::{EntryBatch, Pair, ResultLabels};
use larch_types::{Labels, TENANT_LABEL, Timestamp};

use kinds::{FieldKind, is_number, is_uuid, kind_of, parse_bytes};

/// Labels that people look for first, whatever their values are.
const ALWAYS_SHOWN: [&str; 4] = ["cluster", "namespace", "instance", "pod"];
/// What went wrong with a row is no field of it.
const ERROR_LABELS: [&str; 3] = ["__error__", "__error_details__", "__preserve_error__"];
/// Between a name that a stream has already and the field of that name.
const EXTRACTED: &str = "_extracted";

/// How many values each label has, the fewest first. Labels whose values are only numbers or ids are left
/// out, for they tell nothing.
pub(crate) fn cardinalities(streams: &[Labels], shows_tenant: bool) -> Vec<DetectedLabel> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for label in streams.iter().flatten() {
        values.entry(&label.name).or_default().insert(&label.value);
    }
    if shows_tenant {
        values.remove(TENANT_LABEL);
    }
    let mut detected = Vec::new();
    for (label, values) in values {
        if ALWAYS_SHOWN.contains(&label) || tells_something(&values) {
            detected.push(DetectedLabel { label: label.to_owned(), cardinality: values.len() as u64 });
        }
    }
    // The sort is stable: names stay in order.
    detected.sort_by_key(|label| label.cardinality);
    detected
}

fn tells_something(values: &BTreeSet<&str>) -> bool {
    let are_switches = values.len() <= 2 && values.iter().all(|value| matches!(*value, "0" | "1"));
    are_switches || !values.iter().all(|value| is_number(value) || is_uuid(value))
}

/// The fields of some rows.
pub(crate) struct Fields {
    found: BTreeMap<String, Found>,
    max_fields: usize,
    json: Json,
    logfmt: Logfmt,
}

struct Found {
    /// Of the value that was looked at last.
    kind: FieldKind,
    values: BTreeSet<String>,
    parsers: Vec<&'static str>,
    json_path: Vec<String>,
}

impl Fields {
    pub(crate) fn new(max_fields: u32) -> Self {
        Self {
            found: BTreeMap::new(),
            max_fields: usize::try_from(max_fields).unwrap_or(usize::MAX),
            json: Json::new(Hints::all()),
            logfmt: Logfmt::new(LogfmtFlags::default(), Hints::all()),
        }
    }

    pub(crate) fn add(&mut self, batch: &EntryBatch) {
        let streams: Vec<Labels> = batch.labels.iter().map(|labels| stream_of(&labels.stream)).collect();
        let mut row = Row::new(Timestamp::EPOCH);
        for entry in &batch.entries {
            let place = usize::try_from(entry.labels).unwrap_or(usize::MAX);
            let (Some(labels), Some(stream)) = (batch.labels.get(place), streams.get(place)) else {
                continue;
            };
            self.add_row(labels, stream, &entry.line, &mut row);
        }
    }

    /// Metadata, then what the query's own parsers found, then what is in the line.
    fn add_row<'r>(&mut self, labels: &ResultLabels, stream: &'r Labels, line: &'r [u8], row: &mut Row<'r>) {
        for Pair { name, value } in &labels.metadata {
            self.note(name.as_str(), value.as_str(), None);
        }
        row.load(stream, Timestamp::EPOCH, line);
        self.json.run(row);
        let mut parser = "json";
        if row.labels().error().is_some() {
            row.load(stream, Timestamp::EPOCH, line);
            self.logfmt.run(row);
            parser = "logfmt";
        }
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for label in row.labels().sorted().iter().filter(|label| label.category == Category::Parsed) {
            found.insert(label.name.to_owned(), String::from_utf8_lossy(label.value).into_owned());
        }
        let parser = (!found.is_empty()).then_some(parser);
        for Pair { name, value } in &labels.parsed {
            found.entry(name.as_str().to_owned()).or_insert_with(|| value.as_str().to_owned());
        }
        let mut lacks_path = false;
        for (name, value) in &found {
            self.note(name, value, parser);
            let known = self.found.get(name);
            lacks_path |= parser == Some("json") && known.is_some_and(|field| field.json_path.is_empty());
        }
        if lacks_path {
            self.note_paths(line);
        }
    }

    fn note(&mut self, name: &str, value: &str, parser: Option<&'static str>) {
        if ERROR_LABELS.contains(&name) {
            return;
        }
        if !self.found.contains_key(name) && self.found.len() >= self.max_fields {
            return;
        }
        let field = self.found.entry(name.to_owned()).or_insert_with(|| Found {
            kind: FieldKind::Text,
            values: BTreeSet::new(),
            parsers: Vec::new(),
            json_path: Vec::new(),
        });
        field.kind = kind_of(value);
        if !field.values.contains(value) {
            field.values.insert(value.to_owned());
        }
        if let Some(parser) = parser.filter(|parser| !field.parsers.contains(parser)) {
            field.parsers.push(parser);
        }
    }

    /// Where in the JSON of the line its fields are.
    fn note_paths(&mut self, line: &[u8]) {
        for (name, path) in json_fields(line) {
            for name in [format!("{name}{EXTRACTED}"), name] {
                let field = self.found.get_mut(&name);
                if let Some(field) =
                    field.filter(|field| field.json_path.is_empty() && !field.parsers.is_empty())
                {
                    field.json_path.clone_from(&path);
                }
            }
        }
    }

    /// By name.
    pub(crate) fn into_fields(self) -> Vec<DetectedField> {
        let mut fields = Vec::with_capacity(self.found.len());
        for (label, found) in self.found {
            let Found { kind, values, parsers, json_path } = found;
            fields.push(DetectedField {
                label,
                kind: kind.name(),
                cardinality: values.len() as u64,
                parsers,
                json_path,
            });
        }
        fields
    }

    /// The values of one field, sorted. Sizes are written so that a query can hold them.
    pub(crate) fn into_values(mut self, name: &str) -> Vec<String> {
        let Some(found) = self.found.remove(name) else { return Vec::new() };
        let shown = |value: String| match parse_bytes(&value).filter(|_| kind_of(&value) == FieldKind::Bytes)
        {
            Some(bytes) => byte_text(bytes),
            None => value,
        };
        let values: BTreeSet<String> = found.values.into_iter().map(shown).collect();
        values.into_iter().collect()
    }
}

/// Labels as stages left them; a name that stands twice, which none should, gives none.
fn stream_of(pairs: &[Pair]) -> Labels {
    Labels::from_pairs(pairs.iter().map(|pair| (pair.name.as_str(), pair.value.as_str()))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
