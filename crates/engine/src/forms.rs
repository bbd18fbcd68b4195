//! What a thread knows of the forms that lines have: what of them a range needs, and what became of rows in
//! which that was the same.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use larch_logql::{FormReader, FormReading, LineForm, SlotBytes};
use larch_segment::{SlotKind, Templates};
use larch_types::Labels;
use xxhash_rust::xxh3::xxh3_128;

use crate::outcome::AsIs;
use crate::streams::KnownStream;

/// More forms are forgotten all at once. They take a kilobyte each, about.
const MAX_FORMS: usize = 1 << 12;

/// More outcomes are forgotten all at once: they take some 8 MB.
const MAX_OUTCOMES: usize = 1 << 17;

/// A template that fewer rows of a page have is not looked into: reading it costs as much as some rows do.
const MIN_ROWS: u32 = 6;

#[derive(Debug, Default)]
pub(crate) struct Forms {
    /// By the hash of the template; none if rows of the form must be looked at one by one.
    known: HashMap<FormKey, Option<Arc<FormReading>>, BuildHasherDefault<AsIs>>,
    /// A buffer.
    text: Vec<u8>,
    /// Numbers of what makes two forms one.
    groups: Numbers,
    /// Numbers of what makes two streams one.
    classes: Numbers,
    /// By stream.
    class_of: Vec<Option<u32>>,
    outcomes: HashMap<FormKey, FormOutcome, BuildHasherDefault<AsIs>>,
    /// Where the one slot is a small number: outcomes of a group and a class by that number.
    tables: Vec<SmallTable>,
    table_of: HashMap<(u32, u32), usize, BuildHasherDefault<AsIs>>,
}

/// What is known of small numbers, each outcome in one number.
#[derive(Debug, Default)]
struct SmallTable(Vec<u32>);

/// The numbers that have a place in a table.
const MAX_SMALL: u64 = 1 << 16;
/// Tables have at most 8 MB together.
const MAX_TABLES: usize = 32;

/// In tables nought is what is not known, and series come behind these.
const DROPPED: u32 = 1;
const APART: u32 = 2;
const FIRST_SERIES: u32 = 3;

/// What becomes of a row by its form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FormOutcome {
    Dropped,
    /// It must be looked at by itself.
    Apart,
    Sample {
        series: u32,
        value: f64,
    },
}

/// Stands for what an outcome hangs on: no two of these that anybody will ever store share 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormKey(pub(crate) u128);

impl Hash for FormKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let high = (self.0 >> 64) as u64;
        state.write_u64(self.0 as u64 ^ high.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd));
    }
}

/// Texts in the order of their coming.
#[derive(Debug, Default)]
struct Numbers {
    /// By their hashes.
    known: HashMap<FormKey, u32, BuildHasherDefault<AsIs>>,
    next: u32,
}

impl Numbers {
    fn of(&mut self, text: &[u8]) -> u32 {
        let key = FormKey(xxh3_128(text));
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.known.len() >= MAX_FORMS {
            // No number is given twice: outcomes may still go by it.
            self.known.clear();
        }
        self.next += 1;
        self.known.insert(key, self.next);
        self.next
    }
}

impl Forms {
    /// What the range needs of a template that so many rows of its page have.
    pub(crate) fn reading(
        &mut self,
        reader: &FormReader,
        templates: Templates<'_>,
        template: usize,
        rows: u32,
    ) -> Option<Arc<FormReading>> {
        let key = FormKey(templates.key(template));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if rows < MIN_ROWS {
            return None;
        }
        let pieces: Vec<&[u8]> = templates.pieces(template).collect();
        let bytes = |(kind, _)| match kind {
            SlotKind::Digits => SlotBytes::Digits,
            SlotKind::Hex => SlotBytes::Hex,
        };
        let slots: Vec<SlotBytes> = templates.slots(template).map(bytes).collect();
        let reading = reader.read(LineForm { pieces: &pieces, slots: &slots }).map(Arc::new);
        if self.known.len() >= MAX_FORMS {
            self.known.clear();
        }
        self.known.insert(key, reading.clone());
        reading
    }

    /// The number of a signature whose slots' columns have these forms.
    pub(crate) fn group(&mut self, signature: &[u8], columns: impl Iterator<Item = u32>) -> u32 {
        self.text.clear();
        self.text.extend_from_slice(signature);
        columns.for_each(|form| self.text.extend_from_slice(&form.to_le_bytes()));
        self.groups.of(&self.text)
    }

    /// Streams of one class are one to the range, as long as their rows come to no error.
    pub(crate) fn class(&mut self, reader: &FormReader, stream: &KnownStream) -> u32 {
        let place = stream.place as usize;
        if self.class_of.len() <= place {
            self.class_of.resize(place + 1, None);
        }
        if let Some(known) = self.class_of[place] {
            return known;
        }
        let class = self.classes.of(&class_text(reader, stream.labels()));
        self.class_of[place] = Some(class);
        class
    }

    pub(crate) fn outcome(&self, key: FormKey) -> Option<FormOutcome> {
        self.outcomes.get(&key).copied()
    }

    pub(crate) fn keep_outcome(&mut self, key: FormKey, outcome: FormOutcome) {
        if self.outcomes.len() >= MAX_OUTCOMES {
            self.outcomes.clear();
        }
        self.outcomes.insert(key, outcome);
    }
}

impl Forms {
    /// The place of the table of a group and a class; none if there are too many.
    pub(crate) fn table(&mut self, group: u32, class: u32) -> Option<usize> {
        if let Some(known) = self.table_of.get(&(group, class)) {
            return Some(*known);
        }
        if self.tables.len() >= MAX_TABLES {
            return None;
        }
        self.tables.push(SmallTable::default());
        self.table_of.insert((group, class), self.tables.len() - 1);
        Some(self.tables.len() - 1)
    }

    /// Without the value of a sample, which no table has.
    pub(crate) fn small_outcome(&self, table: usize, number: u64) -> Option<FormOutcome> {
        match self.tables[table].0.get(usize::try_from(number).ok()?)? {
            0 => None,
            &DROPPED => Some(FormOutcome::Dropped),
            &APART => Some(FormOutcome::Apart),
            series => Some(FormOutcome::Sample { series: series - FIRST_SERIES, value: 0.0 }),
        }
    }

    pub(crate) fn keep_small_outcome(&mut self, table: usize, number: u64, outcome: FormOutcome) {
        if number >= MAX_SMALL {
            return;
        }
        let outcomes = &mut self.tables[table].0;
        let place = number as usize;
        if outcomes.len() <= place {
            outcomes.resize((place + 1).next_power_of_two(), 0);
        }
        outcomes[place] = match outcome {
            FormOutcome::Dropped => DROPPED,
            FormOutcome::Apart => APART,
            // Memory ends long before four thousand million series.
            FormOutcome::Sample { series, .. } => series + FIRST_SERIES,
        };
    }
}

/// The labels that matter.
fn class_text(reader: &FormReader, labels: &Labels) -> Vec<u8> {
    let mut text = Vec::new();
    for label in labels.iter().filter(|label| reader.names().contains(&*label.name)) {
        for part in [&*label.name, &*label.value] {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
    }
    text
}

/// What makes the outcomes of rows of one form differ.
pub(crate) struct KeyParts {
    pub(crate) group: u32,
    pub(crate) class: u32,
    /// Of metadata and level, if the range looks at those.
    pub(crate) extras: Option<u128>,
}

impl KeyParts {
    pub(crate) fn key(&self, mut slots: impl ExactSizeIterator<Item = u128>) -> FormKey {
        let shape = u128::from(self.group) << 32 | u128::from(self.class);
        let few = if slots.len() < 2 { Some(slots.next().unwrap_or(0)) } else { None };
        match (few, self.extras) {
            (Some(slot), None) if slot >> 64 == 0 => FormKey(shape << 64 | slot),
            (few, extras) => {
                // Shorter ones, nearly all, are hashed in one piece.
                let mut text = [0; 16 * 12];
                let mut len = 0;
                for part in [shape, extras.unwrap_or(0)].into_iter().chain(few).chain(slots) {
                    if len == text.len() {
                        let carried = xxh3_128(&text).to_le_bytes();
                        text[..16].copy_from_slice(&carried);
                        len = 16;
                    }
                    text[len..len + 16].copy_from_slice(&part.to_le_bytes());
                    len += 16;
                }
                FormKey(xxh3_128(&text[..len]))
            }
        }
    }
}
