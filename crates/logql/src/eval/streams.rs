//! The streams that a read has met, and which of them it wants.

use std::collections::HashMap;

use larch_types::{Label, Labels, Matcher, StreamId, StreamOrder};

use crate::error::{Meaningless, ParseError};
use crate::eval::budget::Memory;
use crate::eval::{EvalError, InputRow};
use crate::regex::LabelMatcher;

/// What it costs to know a stream, beside its labels.
const STREAM_BYTES: usize = 64;

fn labels_bytes(labels: &Labels) -> usize {
    let text: usize = labels.iter().map(|label| label.name.len() + label.value.len()).sum();
    text + labels.len() * std::mem::size_of::<Label>()
}

/// Matches every stream once. Streams get places in the order in which they are met.
#[derive(Debug)]
pub(crate) struct Streams {
    matchers: Vec<LabelMatcher>,
    known: HashMap<StreamId, Option<u32>>,
    selected: Vec<(StreamOrder, Labels)>,
    /// Rows come in runs of one stream.
    last: Option<(StreamId, Option<u32>)>,
}

impl Streams {
    pub(crate) fn new(matchers: &[Matcher]) -> Result<Self, EvalError> {
        let mut compiled = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            let matcher = LabelMatcher::new(matcher)
                .map_err(|error| ParseError::Meaning(Meaningless::Regex(error.to_string())))?;
            compiled.push(matcher);
        }
        Ok(Self { matchers: compiled, known: HashMap::new(), selected: Vec::new(), last: None })
    }

    /// The place of the row's stream; none if the selector does not match it.
    pub(crate) fn place(
        &mut self,
        row: &InputRow<'_>,
        memory: &mut Memory,
    ) -> Result<Option<u32>, EvalError> {
        if let Some((stream, place)) = self.last
            && stream == row.stream
        {
            return Ok(place);
        }
        let place = match self.known.get(&row.stream) {
            Some(place) => *place,
            None => self.meet(row, memory)?,
        };
        self.last = Some((row.stream, place));
        Ok(place)
    }

    fn meet(&mut self, row: &InputRow<'_>, memory: &mut Memory) -> Result<Option<u32>, EvalError> {
        memory.take(STREAM_BYTES)?;
        let mut place = None;
        if self.matches(row.labels) {
            memory.take(labels_bytes(row.labels))?;
            // Memory ends long before four thousand million streams.
            place = Some(self.selected.len() as u32);
            self.selected.push((StreamOrder::of(row.labels), row.labels.clone()));
        }
        self.known.insert(row.stream, place);
        Ok(place)
    }

    /// For every place, how many streams come before it in answers.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut places: Vec<usize> = (0..self.selected.len()).collect();
        places.sort_by(|left, right| self.selected[*left].cmp(&self.selected[*right]));
        let mut ranks = vec![0; places.len()];
        for (rank, place) in places.into_iter().enumerate() {
            ranks[place] = rank as u32;
        }
        ranks
    }

    fn matches(&self, labels: &Labels) -> bool {
        self.matchers
            .iter()
            .all(|matcher| matcher.matches(labels.get(matcher.name()).unwrap_or("").as_bytes()))
    }
}
