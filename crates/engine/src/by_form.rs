//! Rows of a page of templates, by what their forms and a few of their slots say: no line is put together but
//! one for each outcome.

use std::ops::Range;

use larch_logql::FormReader;
use larch_logql::stage::Row;
use larch_segment::{SlotKind, Templates};
use larch_types::Timestamp;

use crate::chunk::{ChunkReader, input_row};
use crate::error::ReadFailure;
use crate::form_value::{FormValue, ReadColumn};
use crate::forms::{FormKey, FormOutcome, Forms, KeyParts};
use crate::gather::{RangeGathered, Sampled};
use crate::metadata::RowsMetadata;
use crate::outcome::RowKey;
use crate::span::{RowSpan, split};
use crate::windows;

/// Fewer rows are not worth a look at all templates of their page, and neither is a small part of it.
const MIN_ROWS: usize = 32;
const MIN_PART: usize = 16;

/// A page as the range sees it.
struct FormedPage<'c> {
    templates: Templates<'c>,
    /// By template; none for those whose rows are looked at one by one.
    shapes: Vec<Option<Shape>>,
    /// Columns that are read.
    columns: Vec<ReadColumn<'c>>,
    /// By template, which of those it has.
    passes: Vec<Range<usize>>,
    passed: Vec<u16>,
}

/// Columns are by their places among those that are read.
struct Shape {
    group: u32,
    keys: Vec<usize>,
    value: Option<FormValue>,
}

impl ChunkReader<'_> {
    /// Takes in those of the rows, which ascend, that can be told by their forms; which are left.
    pub(crate) fn read_by_form(
        &mut self,
        spans: &[RowSpan],
        rows: Vec<u32>,
        out: &mut RangeGathered,
    ) -> Result<Vec<u32>, ReadFailure> {
        let (plan, chunk) = (self.plan, self.chunk);
        let Some(reader) = &plan.forms else { return Ok(rows) };
        let is_few = rows.len() < MIN_ROWS || rows.len() * MIN_PART < chunk.rows();
        if is_few || (reader.value_label().is_some() && self.uses.metadata) {
            return Ok(rows);
        }
        let Some(templates) = chunk.lines(self.decoder)?.templates() else { return Ok(rows) };
        let metadata = RowsMetadata::read(chunk, &rows, self.uses, self.decoder)?;
        let page = FormedPage::new(reader, templates, &mut out.forms);
        let tables = Vec::new();
        let mut taking = Taking { chunk: self, reader, page, metadata, tables, text: Vec::new() };
        let left = taking.take(spans, &rows, out);
        out.by_form += (rows.len() - left.len()) as u64;
        Ok(left)
    }
}

impl<'c> FormedPage<'c> {
    fn new(reader: &FormReader, templates: Templates<'c>, forms: &mut Forms) -> Self {
        let mut uses = vec![0_u32; templates.count()];
        for template in templates.of_rows() {
            uses[usize::from(*template)] += 1;
        }
        let (shapes, columns, passes, passed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut page = Self { templates, shapes, columns, passes, passed };
        let mut places = vec![None; templates.columns()];
        for (template, uses) in uses.iter().enumerate() {
            let shape = page.shape(reader, (template, *uses), forms, &mut places);
            page.shapes.push(shape);
        }
        for template in 0..templates.count() {
            let start = page.passed.len();
            for (_, column) in templates.slots(template) {
                // There are at most 4096 columns.
                page.passed.extend(places[column].map(|place: usize| place as u16));
            }
            page.passes.push(start..page.passed.len());
        }
        page
    }

    fn shape(
        &mut self,
        reader: &FormReader,
        (template, uses): (usize, u32),
        forms: &mut Forms,
        places: &mut [Option<usize>],
    ) -> Option<Shape> {
        let reading = forms.reading(reader, self.templates, template, uses)?;
        let of_slots: Vec<usize> = self.templates.slots(template).map(|(_, column)| column).collect();
        let mut place_of = |slot: u32| {
            let column = of_slots[slot as usize];
            *places[column].get_or_insert_with(|| {
                self.columns.push(ReadColumn::new(column, self.templates.values(column)));
                self.columns.len() - 1
            })
        };
        let keys: Vec<usize> = reading.slots.iter().map(|slot| place_of(*slot)).collect();
        let value = reading.value.as_ref().map(|parts| FormValue::new(reader, parts, &mut place_of));
        let group = forms.group(&reading.signature, keys.iter().map(|key| self.columns[*key].values.form()));
        Some(Shape { group, keys, value })
    }

    /// Goes on behind a row of the template.
    fn pass(&mut self, template: usize) {
        for place in &self.passed[self.passes[template].clone()] {
            self.columns[usize::from(*place)].next += 1;
        }
    }

    fn key(&self, shape: &Shape, parts: &KeyParts) -> FormKey {
        let key_of = |place: &usize| {
            let column = &self.columns[*place];
            column.values.key(column.next)
        };
        parts.key(shape.keys.iter().map(key_of))
    }

    /// The line of the row that is next, as far as it matters: what no column is read for may be anything.
    fn line(&self, template: usize) -> Vec<u8> {
        let mut line = Vec::new();
        let mut slots = self.templates.slots(template);
        for piece in self.templates.pieces(template) {
            line.extend_from_slice(piece);
            let Some((kind, column)) = slots.next() else { break };
            match self.columns.iter().find(|read| read.column == column) {
                Some(read) => read.values.append(read.next, &mut line),
                None => line.extend_from_slice(if kind == SlotKind::Hex { b"1a1a1a1a" } else { b"1" }),
            }
        }
        line
    }
}

/// A page while its rows are taken in.
struct Taking<'t, 'a> {
    chunk: &'t ChunkReader<'a>,
    reader: &'t FormReader,
    page: FormedPage<'t>,
    /// Of the rows.
    metadata: RowsMetadata<'t>,
    /// By template, for the class of streams that is at hand: where outcomes are by a small number, or by none.
    tables: Vec<Option<usize>>,
    /// A buffer.
    text: Vec<u8>,
}

impl Taking<'_, '_> {
    fn take(&mut self, spans: &[RowSpan], rows: &[u32], out: &mut RangeGathered) -> Vec<u32> {
        let mut left = Vec::new();
        let of_rows = self.page.templates.of_rows();
        let mut steps = windows::Seen { steps: None, from: i64::MAX, to: i64::MIN };
        let mut next = 0;
        for (span, numbers, of_span) in split(spans, rows) {
            let stream = &self.chunk.rows.streams[span.part].stream;
            let class = out.forms.class(self.reader, stream);
            self.find_tables(class, &mut out.forms);
            let is_apart =
                self.reader.value_label().is_some_and(|label| stream.labels().get(label).is_some());
            for (number, row) in numbers.zip(of_span) {
                for passed in &of_rows[next..*row as usize] {
                    self.page.pass(usize::from(*passed));
                }
                let template = usize::from(of_rows[*row as usize]);
                let time = self.chunk.times[*row as usize];
                if time < steps.from || time > steps.to {
                    steps = self.chunk.plan.windows.seen(time);
                }
                if steps.steps.is_some() {
                    let is_taken = !is_apart
                        && self.take_row((span.part, number, template), class, (time, steps.steps), out);
                    if !is_taken {
                        left.push(*row);
                    }
                }
                self.page.pass(template);
                next = *row as usize + 1;
            }
        }
        left
    }

    /// Values of samples are in no table.
    fn find_tables(&mut self, class: u32, forms: &mut Forms) {
        self.tables.clear();
        let makes_values = self.chunk.plan.gathers.keeps_samples();
        for shape in &self.page.shapes {
            let group = shape.as_ref().and_then(|shape| {
                let is_small = match shape.keys[..] {
                    [] => true,
                    [key] => self.page.columns[key].numbers.is_some(),
                    _ => false,
                };
                (is_small && (!makes_values || shape.value.is_some())).then_some(shape.group)
            });
            self.tables.push(group.and_then(|group| forms.table(group, class)));
        }
    }

    /// False if it must be looked at by itself.
    fn take_row(
        &mut self,
        (part, number, template): (usize, usize, usize),
        class: u32,
        (time, steps): (i64, Option<(u32, u32)>),
        out: &mut RangeGathered,
    ) -> bool {
        let Some(shape) = &self.page.shapes[template] else { return false };
        let own_value = match &shape.value {
            None => None,
            Some(value) => match value.sample(self.reader, &self.page.columns, &mut self.text) {
                None => return false,
                sample => sample,
            },
        };
        let (metadata, level) = (self.metadata.pairs(number), self.metadata.level(number));
        let has_extras = !metadata.is_empty() || level.is_some();
        let table = if has_extras { None } else { self.tables[template] };
        let slot = shape.keys.first().map_or(Some(0), |key| self.page.columns[*key].number());
        let small = table.zip(slot);
        let outcome = match small.and_then(|(table, slot)| out.forms.small_outcome(table, slot)) {
            Some(known) => known,
            None => {
                let extras = has_extras.then(|| RowKey::of_row(class, metadata, level).number());
                let key = self.page.key(shape, &KeyParts { group: shape.group, class, extras });
                let known = out.forms.outcome(key);
                let outcome = known.unwrap_or_else(|| self.find_out((part, number, template), key, out));
                if let Some((table, slot)) = small {
                    out.forms.keep_small_outcome(table, slot, outcome);
                }
                outcome
            }
        };
        self.take_outcome(outcome, own_value, part, (time, steps), out)
    }

    fn take_outcome(
        &self,
        outcome: FormOutcome,
        own_value: Option<f64>,
        part: usize,
        (time, steps): (i64, Option<(u32, u32)>),
        out: &mut RangeGathered,
    ) -> bool {
        let gathers = self.chunk.plan.gathers;
        match outcome {
            FormOutcome::Dropped => true,
            FormOutcome::Apart => false,
            FormOutcome::Sample { series, value } if gathers.keeps_samples() => {
                let stream = self.chunk.rows.streams[part].stream.place;
                let value = own_value.unwrap_or(value);
                let sample = Sampled { time, value, stream, chunk: self.chunk.rows.order };
                out.add_sample(gathers, series, steps, sample);
                true
            }
            FormOutcome::Sample { series, .. } => {
                out.add_row(series, steps);
                true
            }
        }
    }

    /// By the reference, once for all rows that have the key.
    fn find_out(
        &self,
        (part, number, template): (usize, usize, usize),
        key: FormKey,
        out: &mut RangeGathered,
    ) -> FormOutcome {
        let line = self.page.line(template);
        let stream = &self.chunk.rows.streams[part].stream;
        let (metadata, level) = (self.metadata.pairs(number), self.metadata.level(number));
        let row = input_row(stream, Timestamp::EPOCH, &line, metadata, level);
        let mut work = Row::new(self.chunk.now);
        let outcome = match self.chunk.plan.sampler.sample_filtered(&row, &mut work) {
            None => FormOutcome::Dropped,
            // It shows all that its row has, and where in the line something was wrong.
            Some((_, labels)) if labels.iter().any(|(name, _)| *name == "__error__") => FormOutcome::Apart,
            Some((value, labels)) => FormOutcome::Sample { series: out.series(&labels), value },
        };
        out.forms.keep_outcome(key, outcome);
        outcome
    }
}
