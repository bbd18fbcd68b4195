//! From a page of templates to lines, when they are asked for.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::compress::{Decoder, MAX_PAGE_BYTES};
use crate::error::{Corrupt, Section};
use crate::format::MAX_READ_ROWS;
use crate::page::lines::{DecodedPlain, Plain, SEPARATOR};
use crate::page::templates::column::Column;
use crate::page::templates::joiner::{BLOCK, Joiner};
use crate::page::templates::stored::StoredColumn;
use crate::page::templates::{ColumnPlan, MAX_COLUMNS, MAX_TEMPLATE_BYTES, MAX_VALUES, Slot, Template};
use crate::wire::Cursor;

/// Lines as templates and columns; put together only if somebody reads them.
#[derive(Debug)]
pub(crate) struct TemplateLines {
    pub(super) templates: Vec<Template>,
    /// The template of each row.
    pub(super) rows: Vec<u16>,
    pub(super) columns: Vec<StoredColumn>,
    /// Bytes of all pieces of all rows, and of what is behind each row.
    text_len: usize,
    joined: OnceLock<DecodedPlain>,
}

pub(crate) fn decode(body: &Bytes, rows: usize, decoder: &mut Decoder) -> Result<TemplateLines, Corrupt> {
    let mut cursor = Cursor::new(body, Section::Lines);
    let (templates, columns) = read_templates(&mut cursor, decoder)?;
    let row_templates = read_rows(&mut cursor, rows, templates.len(), decoder)?;
    let mut uses = vec![0_usize; templates.len()];
    for template in &row_templates {
        uses[usize::from(*template)] += 1;
    }
    let mut counts = vec![0_usize; columns];
    for (template, uses) in templates.iter().zip(&uses) {
        for slot in &template.slots {
            counts[slot.column] += uses;
        }
    }
    if counts.iter().sum::<usize>() > MAX_VALUES {
        return Err(cursor.corrupt("there are too many values"));
    }
    let mut decoded = Vec::with_capacity(columns);
    for count in &counts {
        decoded.push(StoredColumn::read(&mut cursor, body, *count, decoder)?);
    }
    cursor.finish()?;
    let mut text_len = rows;
    for (template, uses) in templates.iter().zip(&uses) {
        text_len = text_len.saturating_add(template.text_len().saturating_mul(*uses));
    }
    let sum = |len: fn(&StoredColumn) -> usize| decoded.iter().map(len).fold(text_len, usize::saturating_add);
    // What can be told without the values is enough for nearly all pages.
    if sum(StoredColumn::at_most) > MAX_PAGE_BYTES && sum(|column| column.get().longest()) > MAX_PAGE_BYTES {
        return Err(cursor.corrupt("the lines are longer than a page may be"));
    }
    Ok(TemplateLines { templates, rows: row_templates, columns: decoded, text_len, joined: OnceLock::new() })
}

/// Templates, and how many columns their slots have.
fn read_templates(cursor: &mut Cursor<'_>, decoder: &mut Decoder) -> Result<(Vec<Template>, usize), Corrupt> {
    let mut part = Cursor::new(cursor.bytes()?, Section::Lines);
    let joined = decoder.blob(&mut part)?;
    if joined.len() > MAX_TEMPLATE_BYTES {
        return Err(cursor.corrupt("the templates are too long"));
    }
    let mut plan = ColumnPlan::default();
    let mut templates = Vec::new();
    for text in joined.split_inclusive(|byte| *byte == SEPARATOR) {
        let text = text.strip_suffix(&[SEPARATOR]).ok_or(cursor.corrupt("a template does not end"))?;
        templates.push(plan.template(text));
        if plan.kinds.len() > MAX_COLUMNS || templates.len() > MAX_READ_ROWS {
            return Err(cursor.corrupt("there are too many templates or columns"));
        }
    }
    Ok((templates, plan.kinds.len()))
}

fn read_rows(
    cursor: &mut Cursor<'_>,
    rows: usize,
    templates: usize,
    decoder: &mut Decoder,
) -> Result<Vec<u16>, Corrupt> {
    let mut part = Cursor::new(cursor.bytes()?, Section::Lines);
    let plain = decoder.blob(&mut part)?;
    let places: Vec<u16> = if templates <= 256 {
        plain.iter().map(|place| u16::from(*place)).collect()
    } else {
        plain.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])).collect()
    };
    if places.len() != rows || places.iter().any(|place| usize::from(*place) >= templates) {
        return Err(cursor.corrupt("templates of rows are missing or out of range"));
    }
    Ok(places)
}

impl TemplateLines {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn into_joined(self) -> Option<DecodedPlain> {
        self.joined.into_inner()
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.joined.get().is_some()
    }

    /// The lines, put together the first time.
    pub(crate) fn plain(&self) -> Plain<'_> {
        self.joined.get_or_init(|| self.join()).view()
    }

    fn join(&self) -> DecodedPlain {
        let columns: Vec<&Column> = self.columns.iter().map(StoredColumn::get).collect();
        let mut out =
            Joiner::new(self.text_len + columns.iter().map(|column| column.longest()).sum::<usize>());
        let pieces: Vec<PaddedPieces> = self.templates.iter().map(PaddedPieces::of).collect();
        let mut starts = Vec::with_capacity(self.rows.len() + 1);
        starts.push(0);
        let mut next = vec![0_usize; columns.len()];
        for template in &self.rows {
            let slots = &self.templates[usize::from(*template)].slots;
            pieces[usize::from(*template)].put_line(&mut out, slots, |slot, out| {
                columns[slot.column].put_value(next[slot.column], out);
                next[slot.column] += 1;
            });
            starts.push(out.len() as u32);
        }
        DecodedPlain::joined(out.finish(), starts)
    }

    /// The lines of some rows, which ascend.
    pub(crate) fn pick(&self, rows: &[u32]) -> DecodedPlain {
        let mut pieces: Vec<Option<PaddedPieces>> = self.templates.iter().map(|_| None).collect();
        let mut out = Joiner::new(0);
        let mut starts = Vec::with_capacity(rows.len() + 1);
        starts.push(0);
        let mut next = vec![0_usize; self.columns.len()];
        let mut rows = rows.iter().peekable();
        for (row, template) in self.rows.iter().enumerate() {
            let Some(pick) = rows.peek() else { break };
            let template = usize::from(*template);
            let slots = &self.templates[template].slots;
            if **pick as usize != row {
                slots.iter().for_each(|slot| next[slot.column] += 1);
                continue;
            }
            let most = |slot: &Slot| self.columns[slot.column].get().most_bytes(next[slot.column]);
            out.reserve(self.templates[template].text_len() + 1 + slots.iter().map(most).sum::<usize>());
            let pieces = pieces[template].get_or_insert_with(|| PaddedPieces::of(&self.templates[template]));
            pieces.put_line(&mut out, slots, |slot, out| {
                self.columns[slot.column].get().put_value(next[slot.column], out);
                next[slot.column] += 1;
            });
            starts.push(out.len() as u32);
            rows.next();
        }
        DecodedPlain::joined(out.finish(), starts)
    }
}

/// The pieces of a template, each filled up to a multiple of [`BLOCK`] bytes.
struct PaddedPieces {
    bytes: Vec<u8>,
    /// Start and length of each. The last has the separator behind it.
    places: Vec<(usize, usize)>,
}

impl PaddedPieces {
    fn of(template: &Template) -> Self {
        let mut padded = Self { bytes: Vec::new(), places: Vec::with_capacity(template.slots.len() + 1) };
        for (number, piece) in template.pieces().enumerate() {
            let start = padded.bytes.len();
            padded.bytes.extend_from_slice(piece);
            if number == template.slots.len() {
                padded.bytes.push(SEPARATOR);
            }
            padded.places.push((start, padded.bytes.len() - start));
            padded.bytes.resize(padded.bytes.len().next_multiple_of(BLOCK), 0);
        }
        padded
    }

    #[inline]
    fn put_line(&self, out: &mut Joiner, slots: &[Slot], mut put: impl FnMut(&Slot, &mut Joiner)) {
        for (place, slot) in self.places.iter().zip(slots) {
            out.put_padded(&self.bytes, *place);
            put(slot, out);
        }
        out.put_padded(&self.bytes, self.places[slots.len()]);
    }
}
