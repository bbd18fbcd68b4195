//! The streams of a segment that is being made or of an arena, and the order in which a segment lays them.

use larch_types::{Labels, StreamId, write_canonical};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::RowError;
use crate::index::Selector;
use crate::numbers::NumberTable;
use crate::row::{check_labels, label_bytes};
use crate::set::OrdinalSet;

/// Labels that say what kind of lines a stream has, the best first. Streams with equal ones lie side
/// by side, as their lines compress best together and are asked for together.
const SERVICE_LABELS: [&str; 4] = ["service_name", "service", "app", "job"];

/// Where a stream lies among the streams of a segment: by service, then by id. The same in every
/// segment, so that segments merge in one pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamRank {
    service: Box<str>,
    id: StreamId,
}

impl StreamRank {
    pub fn of(labels: &Labels, id: StreamId) -> Self {
        let service = SERVICE_LABELS.iter().find_map(|name| labels.get(name)).unwrap_or_default();
        Self { service: service.into(), id }
    }
}

/// Streams by id and by place. Each text of their labels is there once, so that an idle stream costs
/// little, and a selector looks at each text once and then compares numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamTable {
    ids: Vec<StreamId>,
    places: NumberTable,
    symbols: Symbols,
    /// Name and value of each label of one stream after the other.
    labels: Vec<(u32, u32)>,
    /// Where in `labels` those of each stream end.
    ends: Vec<usize>,
    label_bytes: usize,
}

/// Symbols of one table, each once.
#[derive(Debug, Default)]
pub(crate) struct SymbolSet {
    symbols: Vec<u32>,
    has: Vec<bool>,
}

impl SymbolSet {
    pub(crate) fn as_slice(&self) -> &[u32] {
        &self.symbols
    }

    fn add(&mut self, symbol: u32) {
        let place = symbol as usize;
        if self.has.len() <= place {
            self.has.resize(place + 1, false);
        }
        if !self.has[place] {
            self.has[place] = true;
            self.symbols.push(symbol);
        }
    }
}

/// Every text once; a text's number is its symbol.
#[derive(Debug, Clone, Default)]
struct Symbols {
    texts: String,
    ends: Vec<usize>,
    numbers: NumberTable,
}

/// What the table keeps for a stream, and for a label of it with texts that no other stream has, beside
/// those texts: columns and tables that have just grown, and are half empty.
const STREAM_OVERHEAD: usize = 112;
const LABEL_OVERHEAD: usize = 112;

/// What a stream that is not in a table yet adds to it at most.
pub(crate) fn most_bytes(labels: &Labels) -> usize {
    2 * label_bytes(labels) + STREAM_OVERHEAD + labels.len() * LABEL_OVERHEAD
}

impl StreamTable {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.ids.capacity() * size_of::<StreamId>()
            + self.places.memory_bytes()
            + self.symbols.memory_bytes()
            + self.labels.capacity() * size_of::<(u32, u32)>()
            + self.ends.capacity() * size_of::<usize>()
    }

    /// Bytes of the labels of all streams, as an index counts them.
    pub(crate) const fn label_bytes(&self) -> usize {
        self.label_bytes
    }

    pub(crate) fn find(&self, id: StreamId) -> Option<u32> {
        self.places.find(hash_of(id), |place| self.ids[place as usize] == id)
    }

    /// The stream's place; a new one if it is not there yet.
    pub(crate) fn insert(&mut self, id: StreamId, labels: &Labels) -> Result<u32, RowError> {
        if let Some(place) = self.find(id) {
            return Ok(place);
        }
        check_labels(labels)?;
        Ok(self.add(id, labels))
    }

    /// A stream that is not there yet, and whose labels were checked.
    pub(crate) fn add(&mut self, id: StreamId, labels: &Labels) -> u32 {
        let place = self.ids.len() as u32;
        for label in labels {
            self.labels.push((self.symbols.add(&label.name), self.symbols.add(&label.value)));
        }
        self.label_bytes += label_bytes(labels);
        self.ends.push(self.labels.len());
        self.ids.push(id);
        self.places.insert(hash_of(id), place);
        place
    }

    /// Panics if there is no such stream.
    pub(crate) fn id(&self, place: u32) -> StreamId {
        self.ids[place as usize]
    }

    /// Panics if there is no such stream.
    fn symbols_of(&self, place: u32) -> &[(u32, u32)] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.labels[start..self.ends[place as usize]]
    }

    /// Panics if there is no such stream.
    #[expect(clippy::expect_used, reason = "the texts were taken from valid labels by this table")]
    pub(crate) fn labels(&self, place: u32) -> Labels {
        let text = |(name, value): &(u32, u32)| (self.symbols.text(*name), self.symbols.text(*value));
        Labels::from_pairs(self.symbols_of(place).iter().map(text)).expect("labels of the table itself")
    }

    /// The canonical text of a stream's labels. Panics if there is no such stream.
    pub(crate) fn canonical(&self, place: u32) -> String {
        let mut out = String::new();
        let text = |(name, value): &(u32, u32)| (self.symbols.text(*name), self.symbols.text(*value));
        write_canonical(&mut out, self.symbols_of(place).iter().map(text));
        out
    }

    /// Adds the symbols of names that labels of these streams have. Panics if there is no such stream.
    pub(crate) fn add_names(&self, places: impl Iterator<Item = u32>, found: &mut SymbolSet) {
        for place in places {
            self.symbols_of(place).iter().for_each(|(name, _)| found.add(*name));
        }
    }

    /// Adds the symbols of values that these streams have of a label. Panics if there is no such stream.
    pub(crate) fn add_values(&self, name: &str, places: impl Iterator<Item = u32>, found: &mut SymbolSet) {
        let Some(name) = self.symbols.find(name) else { return };
        for place in places {
            let label = self.symbols_of(place).iter().find(|label| label.0 == name);
            label.into_iter().for_each(|(_, value)| found.add(*value));
        }
    }

    pub(crate) fn texts(&self, symbols: &[u32], texts: &mut Vec<String>) {
        texts.extend(symbols.iter().map(|symbol| self.symbols.text(*symbol).to_owned()));
    }

    /// Streams that pass all conditions.
    pub(crate) fn select(&self, selectors: &[Selector<'_>]) -> OrdinalSet {
        let mut set = OrdinalSet::all(self.len() as u32);
        for selector in selectors {
            self.keep(selector, &mut set);
        }
        set
    }

    fn keep(&self, selector: &Selector<'_>, set: &mut OrdinalSet) {
        let name = self.symbols.find(selector.name);
        let passes_without = selector.passes("");
        // What is known of each value: a predicate is asked once for each.
        let mut verdicts: Vec<Option<bool>> = vec![None; self.symbols.len()];
        for place in 0..self.len() as u32 {
            if !set.contains(place) {
                continue;
            }
            let label = name.and_then(|name| self.symbols_of(place).iter().find(|label| label.0 == name));
            let passes = label.map_or(passes_without, |(_, value)| {
                let verdict = &mut verdicts[*value as usize];
                *verdict.get_or_insert_with(|| selector.passes(self.symbols.text(*value)))
            });
            if !passes {
                set.remove(place);
            }
        }
    }

    /// Those of the places that are wanted, in the order of a segment.
    pub(crate) fn ranked(&self, is_wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let names = SERVICE_LABELS.map(|name| self.symbols.find(name));
        let mut ranks: Vec<(&str, StreamId, u32)> = Vec::new();
        for place in (0..self.len() as u32).filter(|place| is_wanted(*place)) {
            let labels = self.symbols_of(place);
            let value = |name: &u32| labels.iter().find(|label| label.0 == *name).map(|label| label.1);
            let service = names.iter().flatten().find_map(value);
            let service = service.map_or("", |value| self.symbols.text(value));
            ranks.push((service, self.ids[place as usize], place));
        }
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, _, place)| place).collect()
    }
}

/// A stream's id is a hash itself.
const fn hash_of(id: StreamId) -> u64 {
    id.as_u128() as u64
}

impl Symbols {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn memory_bytes(&self) -> usize {
        self.texts.capacity() + self.ends.capacity() * size_of::<usize>() + self.numbers.memory_bytes()
    }

    fn text(&self, symbol: u32) -> &str {
        let start = symbol.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.texts[start..self.ends[symbol as usize]]
    }

    fn find(&self, text: &str) -> Option<u32> {
        self.find_hashed(xxh3_64(text.as_bytes()), text)
    }

    fn find_hashed(&self, hash: u64, text: &str) -> Option<u32> {
        self.numbers.find(hash, |symbol| self.text(symbol) == text)
    }

    fn add(&mut self, text: &str) -> u32 {
        let hash = xxh3_64(text.as_bytes());
        if let Some(symbol) = self.find_hashed(hash, text) {
            return symbol;
        }
        let symbol = self.ends.len() as u32;
        self.texts.push_str(text);
        self.ends.push(self.texts.len());
        self.numbers.insert(hash, symbol);
        symbol
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Test;
    use crate::row::MAX_LABELS_BYTES;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn streams_lie_by_service() {
        let mut table = StreamTable::default();
        let all =
            [("job", "b", "1"), ("app", "a", "1"), ("app", "b", "2"), ("service", "a", "2"), ("x", "b", "1")];
        for (name, service, pod) in all {
            let labels = labels(&[(name, service), ("pod", pod)]);
            let id = StreamId::of(&labels);
            let place = table.insert(id, &labels).unwrap();
            assert_eq!(table.insert(id, &labels), Ok(place), "it is there");
            assert_eq!(table.canonical(place), labels.canonical());
            assert_eq!((table.id(place), table.labels(place)), (id, labels));
        }
        let ranked = table.ranked(|place| place != 2);
        let ranks: Vec<StreamRank> =
            ranked.iter().map(|place| StreamRank::of(&table.labels(*place), table.id(*place))).collect();
        assert!(ranks.is_sorted());
        assert_eq!(ranked.len(), 4);
        assert_eq!(ranked[0], 4, "the stream without a service");
    }

    #[test]
    fn labels_have_a_bound() {
        let long = labels(&[("a", &"x".repeat(MAX_LABELS_BYTES))]);
        let error = StreamTable::default().insert(StreamId::of(&long), &long).unwrap_err();
        assert_eq!(error, RowError::LabelsTooLarge(MAX_LABELS_BYTES + 1));
    }

    #[test]
    fn a_predicate_is_asked_once_for_each_value() {
        let mut table = StreamTable::default();
        for number in 0..100 {
            let labels = labels(&[("app", &(number % 3).to_string()), ("pod", &number.to_string())]);
            table.insert(StreamId::of(&labels), &labels).unwrap();
        }
        let asked = std::cell::RefCell::new(Vec::new());
        let predicate = |value: &str| {
            asked.borrow_mut().push(value.to_owned());
            value == "1"
        };
        let set = table.select(&[Selector { name: "app", test: Test::Passes(&predicate) }]);
        assert_eq!(set.len(), 33);
        asked.borrow_mut().sort();
        assert_eq!(*asked.borrow(), ["", "0", "1", "2"]);
    }

    #[test]
    fn a_stream_costs_what_is_reckoned() {
        let mut table = StreamTable::default();
        let mut reckoned = 0;
        for number in 0..5000 {
            let labels = labels(&[("a", &format!("{number}")), (&format!("name{number}"), "b")]);
            table.insert(StreamId::of(&labels), &labels).unwrap();
            reckoned += most_bytes(&labels);
            assert!(table.memory_bytes() <= reckoned + 4096, "{} of {reckoned}", table.memory_bytes());
        }
    }
}
