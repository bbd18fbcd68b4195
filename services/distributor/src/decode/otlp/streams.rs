//! From records to streams, by the rules of a tenant.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use larch_logql::{normalized_name, service_name};
use larch_types::{Labels, TenantId, Timestamp};

use super::value::text_of;
use super::{Attribute, Record, ResourceLogs, Scope, ScopeLogs, Value};
use crate::attributes::{Action, AttributeRules, OtlpRules};
use crate::decode::{Allowance, DecodeError, MAX_ELEMENTS, MAX_MADE_BYTES};
use crate::labels::SERVICE_NAME;
use crate::push_log::log_discovery;
use crate::pushed::{PushedEntry, PushedLabels, PushedPair, PushedStream, PushedTime};

/// What streams are made by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'m> {
    pub(crate) rules: &'m OtlpRules,
    /// The labels that give a `service_name`.
    pub(crate) discover: &'m [String],
    /// The time of records that have none.
    pub(crate) now: Timestamp,
    /// The tenant, if it is logged how services are found.
    pub(crate) watched: Option<&'m TenantId>,
}

/// One stream for each set of labels. Resources and records whose labels are not UTF-8 are left out, and
/// without a record there is no stream.
pub(crate) fn streams_of(
    logs: Vec<ResourceLogs>,
    mapping: Mapping<'_>,
) -> Result<Vec<PushedStream>, DecodeError> {
    make(logs, mapping, Bounds { elements: Allowance::of(MAX_ELEMENTS), bytes: MAX_MADE_BYTES })
}

fn make(
    logs: Vec<ResourceLogs>,
    mapping: Mapping<'_>,
    bounds: Bounds,
) -> Result<Vec<PushedStream>, DecodeError> {
    if logs.iter().flat_map(|logs| &logs.scopes).all(|scope| scope.records.is_empty()) {
        return Ok(Vec::new());
    }
    let Mapping { rules, .. } = mapping;
    let mut maker = Maker {
        mapping,
        bounds,
        resource: Classes::new(&rules.resource),
        scope: Classes::new(&rules.scope),
        record: Classes::new(&rules.record),
        streams: Vec::new(),
        places: HashMap::new(),
    };
    for logs in logs {
        maker.take_resource(logs)?;
    }
    Ok(maker.streams)
}

type LabelMap = BTreeMap<String, String>;

struct Maker<'m> {
    mapping: Mapping<'m>,
    bounds: Bounds,
    resource: Classes<'m>,
    scope: Classes<'m>,
    record: Classes<'m>,
    streams: Vec<PushedStream>,
    /// Where the stream of these labels is.
    places: HashMap<LabelMap, usize>,
}

/// What may still be made. The body bounds what is read, but a resource is repeated for each record, and a
/// name for each name in it.
struct Bounds {
    elements: Allowance,
    bytes: usize,
}

impl Bounds {
    fn take_bytes(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(DecodeError::TooLong)?;
        Ok(())
    }
}

/// The streams of one resource, and what its records share.
struct Origin {
    labels: LabelMap,
    /// The stream of records without labels of their own.
    place: usize,
    /// The streams of records that have these.
    places: HashMap<LabelMap, usize>,
    metadata: Vec<PushedPair>,
}

impl Maker<'_> {
    fn take_resource(&mut self, logs: ResourceLogs) -> Result<(), DecodeError> {
        let (mut labels, mut metadata) = (Vec::new(), Vec::new());
        for attribute in logs.attributes {
            self.resource.sort(attribute, &mut self.bounds, &mut labels, &mut metadata)?;
        }
        let Some(mut labels) = label_map(labels) else { return Ok(()) };
        labels.retain(|_, value| !value.is_empty());
        if let Some(service) = self.service(&labels) {
            labels.insert(SERVICE_NAME.to_owned(), service);
        }
        let place = self.place(&labels)?;
        let mut origin = Origin { labels, place, places: HashMap::new(), metadata };
        for ScopeLogs { scope, records } in logs.scopes {
            let of_scope = self.scope_metadata(scope)?;
            for record in records {
                self.take_record(record, &mut origin, &of_scope)?;
            }
        }
        Ok(())
    }

    fn service(&self, labels: &LabelMap) -> Option<String> {
        // Names are not empty and come once, which is all that could be refused.
        let labels = Labels::from_pairs(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let (labels, Mapping { discover, watched, .. }) = (labels.ok()?, self.mapping);
        let service = service_name(&labels, discover)?;
        if let Some(tenant) = watched {
            log_discovery(tenant, &labels, discover, service);
        }
        Some(service.to_owned())
    }

    fn place(&mut self, labels: &LabelMap) -> Result<usize, DecodeError> {
        if let Some(place) = self.places.get(labels) {
            return Ok(*place);
        }
        self.bounds.elements.take_one()?;
        self.bounds.take_bytes(labels.iter().map(|(name, value)| name.len() + value.len()).sum())?;
        let place = self.streams.len();
        let pairs = labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.streams.push(PushedStream { labels: PushedLabels::Pairs(pairs), entries: Vec::new() });
        self.places.insert(labels.clone(), place);
        Ok(place)
    }

    fn scope_metadata(&mut self, scope: Scope) -> Result<Vec<PushedPair>, DecodeError> {
        let (mut labels, mut metadata) = (Vec::new(), Vec::new());
        for attribute in scope.attributes {
            self.scope.sort(attribute, &mut self.bounds, &mut labels, &mut metadata)?;
        }
        // No rule makes labels of these.
        metadata.append(&mut labels);
        add_text(&mut metadata, "scope_name", scope.name);
        add_text(&mut metadata, "scope_version", scope.version);
        add_number(&mut metadata, "scope_dropped_attributes_count", scope.dropped_attributes.into());
        Ok(metadata)
    }

    fn take_record(
        &mut self,
        mut record: Record,
        origin: &mut Origin,
        of_scope: &[PushedPair],
    ) -> Result<(), DecodeError> {
        let (mut labels, mut metadata) = (Vec::new(), Vec::new());
        for attribute in std::mem::take(&mut record.attributes) {
            self.record.sort(attribute, &mut self.bounds, &mut labels, &mut metadata)?;
        }
        if self.mapping.rules.severity_text_as_label && !record.severity_text.is_empty() {
            let name = Bytes::from_static(SEVERITY_TEXT.as_bytes());
            labels.push(PushedPair { name, value: record.severity_text.clone() });
        }
        let Some(place) = self.place_of_record(labels, origin)? else { return Ok(()) };
        let time = time_of(&record, self.mapping.now);
        let line = text_of(std::mem::take(&mut record.body));
        add_fields(&mut metadata, record);
        metadata.extend_from_slice(&origin.metadata);
        metadata.extend_from_slice(of_scope);
        // Decoders count elements in 32 bits, and no record has all of them twice.
        self.bounds.elements.take(1 + metadata.len() as u32)?;
        self.streams[place].entries.push(PushedEntry { time, line, metadata });
        Ok(())
    }

    /// `None` if the labels are not UTF-8.
    fn place_of_record(
        &mut self,
        labels: Vec<PushedPair>,
        origin: &mut Origin,
    ) -> Result<Option<usize>, DecodeError> {
        if labels.is_empty() {
            return Ok(Some(origin.place));
        }
        let Some(own) = label_map(labels) else { return Ok(None) };
        if let Some(place) = origin.places.get(&own) {
            return Ok(Some(*place));
        }
        let mut all = origin.labels.clone();
        all.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        // An empty value takes a label of the resource away.
        all.retain(|_, value| !value.is_empty());
        self.bounds.take_bytes(all.iter().map(|(name, value)| name.len() + value.len()).sum())?;
        let place = self.place(&all)?;
        origin.places.insert(own, place);
        Ok(Some(place))
    }
}

/// Of a name that comes twice the last value counts. `None` if a value is not UTF-8; names are ASCII.
fn label_map(labels: Vec<PushedPair>) -> Option<LabelMap> {
    let mut map = LabelMap::new();
    for PushedPair { name, value } in labels {
        map.insert(String::from_utf8(name.into()).ok()?, String::from_utf8(value.into()).ok()?);
    }
    Some(map)
}

fn time_of(record: &Record, now: Timestamp) -> PushedTime {
    match (record.time, record.observed) {
        (0, 0) => now.into(),
        (0, observed) => PushedTime::from_unsigned_nanos(observed),
        (time, _) => PushedTime::from_unsigned_nanos(time),
    }
}

const SEVERITY_TEXT: &str = "severity_text";
const EVENT_NAME: &str = "event_name";

/// What a record has besides its attributes.
fn add_fields(metadata: &mut Vec<PushedPair>, record: Record) {
    if record.time != 0 {
        add_number(metadata, "observed_timestamp", record.observed);
    }
    if record.severity_number != 0 {
        add(metadata, "severity_number", record.severity_number.to_string());
    }
    add_text(metadata, SEVERITY_TEXT, record.severity_text);
    add_number(metadata, "dropped_attributes_count", record.dropped_attributes.into());
    add_number(metadata, "flags", record.flags.into());
    if record.trace_id != 0 {
        add(metadata, "trace_id", format!("{:032x}", record.trace_id));
    }
    if record.span_id != 0 {
        add(metadata, "span_id", format!("{:016x}", record.span_id));
    }
    if !record.event_name.is_empty() {
        metadata.retain(|pair| pair.name != EVENT_NAME);
        add_text(metadata, EVENT_NAME, record.event_name);
    }
}

fn add(metadata: &mut Vec<PushedPair>, name: &'static str, value: impl Into<Bytes>) {
    metadata.push(PushedPair { name: Bytes::from_static(name.as_bytes()), value: value.into() });
}

/// Unless it is empty.
fn add_text(metadata: &mut Vec<PushedPair>, name: &'static str, value: Bytes) {
    if !value.is_empty() {
        add(metadata, name, value);
    }
}

/// Unless it is 0.
fn add_number(metadata: &mut Vec<PushedPair>, name: &'static str, number: u64) {
    if number != 0 {
        add(metadata, name, number.to_string());
    }
}

/// What becomes of attributes of one kind. Records mostly have the same ones.
struct Classes<'m> {
    rules: &'m AttributeRules,
    /// By key. What is dropped has no name.
    known: HashMap<Bytes, (Action, Bytes)>,
}

impl<'m> Classes<'m> {
    fn new(rules: &'m AttributeRules) -> Self {
        Self { rules, known: HashMap::new() }
    }

    /// Puts an attribute where it belongs, with what is nested in it.
    fn sort(
        &mut self,
        attribute: Attribute,
        bounds: &mut Bounds,
        labels: &mut Vec<PushedPair>,
        metadata: &mut Vec<PushedPair>,
    ) -> Result<(), DecodeError> {
        let Attribute { key, value } = attribute;
        let (action, name) = match self.known.get(&key) {
            Some(known) => known.clone(),
            None => {
                let action = self.rules.action(&key);
                let name = if action == Action::Drop { Bytes::new() } else { normal(key.clone())? };
                self.known.insert(key, (action, name.clone()));
                (action, name)
            }
        };
        match action {
            Action::Label => flatten(name, value, bounds, labels),
            Action::Metadata => flatten(name, value, bounds, metadata),
            Action::Drop => Ok(()),
        }
    }
}

/// A map is as many pairs as it holds. Values are nested no deeper than decoders allow.
fn flatten(
    name: Bytes,
    value: Value,
    bounds: &mut Bounds,
    out: &mut Vec<PushedPair>,
) -> Result<(), DecodeError> {
    let Value::Map(pairs) = value else {
        out.push(PushedPair { name, value: text_of(value) });
        return Ok(());
    };
    for Attribute { key, value } in pairs {
        let nested = [&name[..], b"_", &key[..]].concat();
        bounds.take_bytes(nested.len())?;
        flatten(normal(nested.into())?, value, bounds, out)?;
    }
    Ok(())
}

/// Bytes that are not UTF-8 are such as no name keeps.
fn normal(name: Bytes) -> Result<Bytes, DecodeError> {
    let text = String::from_utf8_lossy(&name);
    let normal = normalized_name(&text);
    match normal.map_err(|error| DecodeError::invalid(format!("symbolizer lookup: {error}")))? {
        // Nothing changed, and a normal name is ASCII.
        Cow::Borrowed(_) => Ok(name),
        Cow::Owned(normal) => Ok(normal.into()),
    }
}

#[cfg(test)]
mod tests;
