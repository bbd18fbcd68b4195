//! From lines to a page of templates.

use std::collections::HashMap;

use memchr::memchr2;
use xxhash_rust::xxh3::xxh3_64;

use crate::compress::{Encoder, MAX_PAGE_BYTES};
use crate::page::codec;
use crate::page::lines::{Plain, SEPARATOR};
use crate::page::templates::column::Values;
use crate::page::templates::split::split;
use crate::page::templates::{
    ColumnPlan, DIGITS_MARK, HEX_MARK, MAX_COLUMNS, MAX_TEMPLATE_BYTES, MAX_VALUES, Split, Template,
};
use crate::wire::put_bytes;

/// Whether lines are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// If that will very likely pay: if there are few templates.
    Likely,
    /// Whenever it can be done; whoever asks takes the shorter page.
    Always,
}

impl Choice {
    /// Templates that so many lines may have. A template costs what it takes in the page, and pays by the
    /// rows that share it.
    fn max_templates(self, rows: usize) -> usize {
        match self {
            Self::Likely => (rows / 16).min(256),
            Self::Always => (rows / 4).min(4096),
        }
    }
}

/// Lines after which it is asked for the first time whether there are too many templates.
const SAMPLE: usize = 512;

/// None if the lines are not of few forms; then some of them may have been told already.
pub(crate) fn encode(
    lines: Plain<'_>,
    choice: Choice,
    encoder: &mut Encoder,
    tell: &mut dyn FnMut(Split<'_>),
) -> Option<Vec<u8>> {
    if !can_split(lines.buffer()) {
        return None;
    }
    let mut splitter = Splitter::default();
    for (row, line) in lines.iter().enumerate() {
        splitter.add(line, tell)?;
        if splitter.joined.len() > MAX_TEMPLATE_BYTES || splitter.columns.len() > MAX_COLUMNS {
            return None;
        }
        if row == SAMPLE && splitter.templates.len() > choice.max_templates(SAMPLE).max(SAMPLE / 4) {
            return None;
        }
    }
    let is_allowed = splitter.longest() <= MAX_PAGE_BYTES && splitter.values() <= MAX_VALUES;
    if is_allowed && splitter.templates.len() <= choice.max_templates(lines.len()) {
        Some(splitter.page(encoder))
    } else {
        None
    }
}

/// Whether no line has a byte that is a mark.
fn can_split(buffer: &[u8]) -> bool {
    memchr2(DIGITS_MARK, HEX_MARK, buffer).is_none()
}

#[derive(Default)]
struct Splitter {
    plan: ColumnPlan,
    /// By the hash of the template's text.
    places: HashMap<u64, u16>,
    templates: Vec<Template>,
    /// Templates as the page has them, and where each begins.
    joined: Vec<u8>,
    starts: Vec<usize>,
    rows: Vec<u16>,
    columns: Vec<Values>,
    text: Vec<u8>,
    slots: Vec<(usize, usize)>,
}

impl Splitter {
    /// None if two templates have one hash, which nobody ever sees unless he made them for it.
    fn add(&mut self, line: &[u8], tell: &mut dyn FnMut(Split<'_>)) -> Option<()> {
        self.text.clear();
        split(line, &mut self.text, &mut self.slots);
        let hash = xxh3_64(&self.text);
        let place = match self.places.get(&hash) {
            Some(place) if self.is_text_of(*place) => *place,
            Some(_) => return None,
            None => {
                tell(Split::Template(&self.text));
                self.add_template(hash)
            }
        };
        tell(Split::Line { line, template: usize::from(place), slots: &self.slots });
        self.rows.push(place);
        let template = &self.templates[usize::from(place)];
        for (slot, (start, end)) in template.slots.iter().zip(&self.slots) {
            self.columns[slot.column].push(&line[*start..*end]);
        }
        Some(())
    }

    fn is_text_of(&self, place: u16) -> bool {
        let start = self.starts[usize::from(place)];
        self.joined[start..].starts_with(&self.text) && self.joined[start + self.text.len()] == SEPARATOR
    }

    /// There are at most as many as rows in a chunk, which 16 bits count.
    fn add_template(&mut self, hash: u64) -> u16 {
        let place = self.templates.len() as u16;
        self.templates.push(self.plan.template(&self.text));
        self.columns.resize_with(self.plan.kinds.len(), Values::default);
        self.starts.push(self.joined.len());
        self.joined.extend_from_slice(&self.text);
        self.joined.push(SEPARATOR);
        self.places.insert(hash, place);
        place
    }

    /// The lines have no more bytes than this, as a reader can tell before it puts them together.
    fn longest(&self) -> usize {
        let mut bytes = self.rows.len();
        for row in &self.rows {
            bytes += self.templates[usize::from(*row)].text_len();
        }
        bytes + self.columns.iter().map(Values::longest).sum::<usize>()
    }

    fn values(&self) -> usize {
        self.columns.iter().map(Values::len).sum()
    }

    fn page(&self, encoder: &mut Encoder) -> Vec<u8> {
        let mut out = vec![codec::LINES_TEMPLATES];
        let mut blob = Vec::new();
        encoder.put_blob(&mut blob, &self.joined);
        put_bytes(&mut out, &blob);
        let mut rows = Vec::with_capacity(2 * self.rows.len());
        for row in &self.rows {
            if self.templates.len() <= 256 {
                rows.push(*row as u8);
            } else {
                rows.extend_from_slice(&row.to_le_bytes());
            }
        }
        blob.clear();
        encoder.put_blob(&mut blob, &rows);
        put_bytes(&mut out, &blob);
        for (values, kind) in self.columns.iter().zip(&self.plan.kinds) {
            values.put(*kind, &mut out, encoder);
        }
        out
    }
}
