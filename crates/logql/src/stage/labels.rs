//! The labels of one row: those of its stream, its metadata, and what stages made.

use larch_types::Labels;
use xxhash_rust::xxh3::xxh3_64;

use crate::stage::{ErrorName, Hints};

/// The class of the last error of a row, as a label.
pub(crate) const ERROR_LABEL: &str = "__error__";
/// What went wrong, as a label.
pub(crate) const DETAILS_LABEL: &str = "__error_details__";
/// Set beside the error where the query itself asks for it.
pub(crate) const PRESERVE_LABEL: &str = "__preserve_error__";

const EXTRACTED_SUFFIX: &str = "_extracted";

/// From here on names are found by a table.
const SCAN_MAX: usize = 32;

/// Where a label comes from. Results show the three apart if a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    Stream,
    Metadata,
    /// Made by a stage.
    Parsed,
}

/// One label of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelRef<'r> {
    pub name: &'r str,
    /// What parsers copy out of a line need not be UTF-8.
    pub value: &'r [u8],
    pub category: Category,
}

/// What became of a pair that a parser found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extracted {
    Stored,
    /// Another pair had the name before it, or nobody needs it.
    Skipped,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    name: Span,
    value: Span,
    category: Category,
    /// Deleted entries stay, because a parser does not extract the same name again.
    live: bool,
    extracted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Names and values are kept in two buffers that the rows of a scan share one after the other.
#[derive(Debug, Default)]
pub struct RowLabels<'a> {
    stream: Option<&'a Labels>,
    /// Stream labels, by their place, that were deleted.
    hidden: Vec<bool>,
    names: String,
    values: Vec<u8>,
    entries: Vec<Entry>,
    /// Places in `entries` plus one, by hash; used above `SCAN_MAX` entries.
    table: Vec<u32>,
    error: Vec<u8>,
    details: Vec<u8>,
    preserves_error: bool,
    /// Something was set or deleted.
    touched: bool,
    has_metadata: bool,
    /// How many of the names that the query asks for have been extracted.
    hinted: usize,
}

impl<'a> RowLabels<'a> {
    pub(crate) fn begin(&mut self, stream: &'a Labels) {
        self.stream = Some(stream);
        self.hidden.clear();
        self.names.clear();
        self.values.clear();
        self.entries.clear();
        self.table.clear();
        self.error.clear();
        self.details.clear();
        self.preserves_error = false;
        self.touched = false;
        self.has_metadata = false;
        self.hinted = 0;
    }

    /// A name that the stream has gets a suffix; the names of errors set the error.
    pub(crate) fn add_metadata(&mut self, name: &str, value: &[u8]) {
        match name {
            ERROR_LABEL => replace(&mut self.error, value),
            DETAILS_LABEL => replace(&mut self.details, value),
            _ => {
                let suffix = if self.stream_index(name).is_some() { EXTRACTED_SUFFIX } else { "" };
                self.has_metadata = true;
                let at = self.entry_for(name, suffix);
                self.store(at, value, Category::Metadata);
            }
        }
    }

    /// The value that a filter, a template or a grouping sees.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.named(name).map(|label| label.value)
    }

    /// The label of this name, where it is not one of an error.
    pub(crate) fn named(&self, name: &str) -> Option<LabelRef<'_>> {
        if !self.entries.is_empty()
            && let Some(at) = self.find(hash(name, ""), name, "")
            && self.entries[at].live
        {
            return Some(self.label_of(&self.entries[at]));
        }
        let index = self.stream_index(name)?;
        let (name, value) = (self.stream_name(index)?, self.stream_value(index)?);
        Some(LabelRef { name, value, category: Category::Stream })
    }

    /// As `get`, and the state of errors under its names.
    pub fn get_with_errors(&self, name: &str) -> Option<&[u8]> {
        match name {
            ERROR_LABEL => (!self.error.is_empty()).then_some(&self.error),
            DETAILS_LABEL => (!self.details.is_empty()).then_some(&self.details),
            _ => self.get(name),
        }
    }

    pub fn error(&self) -> Option<&[u8]> {
        self.get_with_errors(ERROR_LABEL)
    }

    pub fn error_details(&self) -> Option<&[u8]> {
        self.get_with_errors(DETAILS_LABEL)
    }

    /// Details of an earlier error stay if the new one has none.
    pub(crate) fn set_error(&mut self, name: ErrorName, details: Option<&str>) {
        replace(&mut self.error, name.as_str().as_bytes());
        if let Some(details) = details {
            replace(&mut self.details, details.as_bytes());
        }
    }

    /// The error of a parser, which a query that names the error label wants to keep.
    pub(crate) fn set_parser_error(&mut self, name: ErrorName, details: Option<&str>, hints: &Hints) {
        self.set_error(name, details);
        self.preserves_error |= hints.preserves_errors();
    }

    pub(crate) fn clear_error(&mut self) {
        self.error.clear();
    }

    pub(crate) fn clear_details(&mut self) {
        self.details.clear();
    }

    /// A label made by a stage that names it: no suffix, whatever has the name is replaced.
    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        let at = self.entry_for(name, "");
        self.store(at, value, Category::Parsed);
    }

    /// A pair found by a parser. The name gets a suffix if the stream or the metadata has it, and the first
    /// pair of a name counts. `write` appends the value, and is only asked if it is needed.
    pub(crate) fn extract(
        &mut self,
        name: &str,
        hints: &Hints,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Extracted {
        self.extract_as(name, self.suffix_for(name), hints, write)
    }

    /// As `extract`, with the suffix already chosen.
    pub(crate) fn extract_as(
        &mut self,
        name: &str,
        suffix: &'static str,
        hints: &Hints,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Extracted {
        let hash = hash(name, suffix);
        let known = self.find(hash, name, suffix);
        if known.is_some_and(|at| self.entries[at].extracted) || !hints.wants(name, suffix) {
            return Extracted::Skipped;
        }
        let at = known.unwrap_or_else(|| self.push_entry(hash, name, suffix));
        let start = self.values.len();
        write(&mut self.values);
        self.place(at, start, Category::Parsed);
        self.entries[at].extracted = true;
        self.hinted += 1;
        Extracted::Stored
    }

    pub(crate) fn suffix_for(&self, name: &str) -> &'static str {
        if self.is_taken(name) { EXTRACTED_SUFFIX } else { "" }
    }

    /// A value under a name that the query chose: with the suffix where needed, and the last one counts.
    pub(crate) fn assign(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let suffix = self.suffix_for(name);
        let at = self.entry_for(name, suffix);
        let start = self.values.len();
        write(&mut self.values);
        self.place(at, start, Category::Parsed);
    }

    /// The stream or the metadata has the name. A stream label counts even after it was deleted.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        if self.stream_index(name).is_some() {
            return true;
        }
        let found = if self.has_metadata { self.find(hash(name, ""), name, "") } else { None };
        found.is_some_and(|at| self.entries[at].live && self.entries[at].category == Category::Metadata)
    }

    /// Everything that the query needs has been extracted.
    pub(crate) fn has_all(&self, hints: &Hints) -> bool {
        hints.needed().is_some_and(|needed| self.hinted >= needed)
    }

    /// In all categories.
    pub(crate) fn delete(&mut self, name: &str) {
        self.touched = true;
        if let Some(at) = self.find(hash(name, ""), name, "") {
            self.entries[at].live = false;
        }
        if let Some(index) = self.stream_index(name) {
            self.hide(index);
        }
    }

    /// Deletes the labels for which the test is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str, &[u8]) -> bool) {
        for index in 0..self.stream.map_or(0, Labels::len) {
            if let Some(name) = self.stream_name(index)
                && let Some(value) = self.get(name)
                && !keep(name, value)
            {
                self.hide(index);
                self.touched = true;
            }
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.live) {
            if !keep(&self.names[entry.name.range()], &self.values[entry.value.range()]) {
                entry.live = false;
                self.touched = true;
            }
        }
    }

    /// All labels in the order of their names, with those of the error. Reuses the buffer.
    pub fn sorted_into<'r>(&'r self, out: &mut Vec<LabelRef<'r>>) {
        out.clear();
        for index in 0..self.stream.map_or(0, Labels::len) {
            if let (Some(name), Some(value)) = (self.stream_name(index), self.stream_value(index))
                && !self.is_overridden(name)
            {
                out.push(LabelRef { name, value, category: Category::Stream });
            }
        }
        for entry in self.entries.iter().filter(|entry| entry.live) {
            out.push(self.label_of(entry));
        }
        if !self.error.is_empty() {
            out.push(LabelRef { name: ERROR_LABEL, value: &self.error, category: Category::Parsed });
            if self.preserves_error {
                out.push(LabelRef { name: PRESERVE_LABEL, value: b"true", category: Category::Parsed });
            }
        }
        // Details that an error left behind stay invisible on a row of which nothing else changed.
        if !self.details.is_empty() && (self.touched || !self.error.is_empty()) {
            out.push(LabelRef { name: DETAILS_LABEL, value: &self.details, category: Category::Parsed });
        }
        out.sort_unstable_by_key(|label| label.name);
    }

    /// All labels in the order of their names.
    pub fn sorted(&self) -> Vec<LabelRef<'_>> {
        let mut out = Vec::new();
        self.sorted_into(&mut out);
        out
    }

    fn label_of(&self, entry: &Entry) -> LabelRef<'_> {
        let (name, value) = (&self.names[entry.name.range()], &self.values[entry.value.range()]);
        LabelRef { name, value, category: entry.category }
    }

    fn stream_index(&self, name: &str) -> Option<usize> {
        let labels = self.stream?.iter().as_slice();
        labels.binary_search_by(|label| (*label.name).cmp(name)).ok()
    }

    fn stream_name(&self, index: usize) -> Option<&'a str> {
        self.stream?.iter().as_slice().get(index).map(|label| &*label.name)
    }

    /// Unless it was deleted.
    fn stream_value(&self, index: usize) -> Option<&'a [u8]> {
        if self.hidden.get(index).copied().unwrap_or(false) {
            return None;
        }
        self.stream?.iter().as_slice().get(index).map(|label| label.value.as_bytes())
    }

    fn hide(&mut self, index: usize) {
        if self.hidden.len() <= index {
            self.hidden.resize(index + 1, false);
        }
        self.hidden[index] = true;
    }

    fn is_overridden(&self, name: &str) -> bool {
        !self.entries.is_empty()
            && self.find(hash(name, ""), name, "").is_some_and(|at| self.entries[at].live)
    }

    fn find(&self, hash: u32, name: &str, suffix: &str) -> Option<usize> {
        let is_it = |entry: &Entry| {
            entry.hash == hash && self.names[entry.name.range()].strip_suffix(suffix) == Some(name)
        };
        if self.table.is_empty() {
            return self.entries.iter().position(is_it);
        }
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let at = (self.table[slot] as usize).checked_sub(1)?;
            if is_it(&self.entries[at]) {
                return Some(at);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The entry of the name, made if there is none.
    fn entry_for(&mut self, name: &str, suffix: &str) -> usize {
        let hash = hash(name, suffix);
        self.find(hash, name, suffix).unwrap_or_else(|| self.push_entry(hash, name, suffix))
    }

    fn push_entry(&mut self, hash: u32, name: &str, suffix: &str) -> usize {
        let start = self.names.len();
        self.names.push_str(name);
        self.names.push_str(suffix);
        let name = span(start, self.names.len());
        let at = self.entries.len();
        self.entries.push(Entry {
            hash,
            name,
            value: span(0, 0),
            category: Category::Parsed,
            live: false,
            extracted: false,
        });
        if at >= SCAN_MAX {
            self.index(at);
        }
        at
    }

    /// Enters the last entry into the table, which is at most half full.
    fn index(&mut self, last: usize) {
        if 2 * (last + 1) <= self.table.len() {
            insert(&mut self.table, self.entries[last].hash, last);
            return;
        }
        let slots = (4 * (last + 1)).next_power_of_two();
        self.table.clear();
        self.table.resize(slots, 0);
        for (at, entry) in self.entries.iter().enumerate() {
            insert(&mut self.table, entry.hash, at);
        }
    }

    fn store(&mut self, at: usize, value: &[u8], category: Category) {
        let start = self.values.len();
        self.values.extend_from_slice(value);
        self.place(at, start, category);
    }

    /// The value is what was appended since `start`.
    fn place(&mut self, at: usize, start: usize, category: Category) {
        self.touched = true;
        let entry = &mut self.entries[at];
        entry.value = span(start, self.values.len());
        entry.category = category;
        entry.live = true;
    }
}

fn insert(table: &mut [u32], hash: u32, at: usize) {
    let mask = table.len() - 1;
    let mut slot = hash as usize & mask;
    while table[slot] != 0 {
        slot = (slot + 1) & mask;
    }
    table[slot] = at as u32 + 1;
}

/// Lines are far below 4 GiB, and a row holds little more than its line a few times over.
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

/// Of the name with its suffix.
fn hash(name: &str, suffix: &str) -> u32 {
    let hash = xxh3_64(name.as_bytes());
    if suffix.is_empty() {
        return hash as u32;
    }
    // Only equal names must have equal hashes, however the suffix came to be part of them.
    let whole = [name, suffix].concat();
    xxh3_64(whole.as_bytes()) as u32
}

fn replace(buffer: &mut Vec<u8>, value: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(value);
}
