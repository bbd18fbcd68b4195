//! The streams that a read has met, and which of them it wants.

use std::collections::HashMap;
use std::sync::Arc;

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
    matchers: Arc<[LabelMatcher]>,
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
        Ok(Self::of(compiled.into()))
    }

    fn of(matchers: Arc<[LabelMatcher]>) -> Self {
        Self { matchers, known: HashMap::new(), selected: Vec::new(), last: None }
    }

    /// With the same matchers, and no stream met yet.
    pub(crate) fn another(&self) -> Self {
        Self::of(Arc::clone(&self.matchers))
    }

    /// The labels of a stream that is selected, by its place.
    pub(crate) fn labels(&self, place: u32) -> Option<&Labels> {
        self.selected.get(place as usize).map(|(_, labels)| labels)
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
            None if self.matches(row.labels) => Some(self.add(row.stream, row.labels, memory)?),
            None => {
                memory.take(STREAM_BYTES)?;
                self.known.insert(row.stream, None);
                None
            }
        };
        self.last = Some((row.stream, place));
        Ok(place)
    }

    /// The place of a stream that the selector matches.
    pub(crate) fn add(
        &mut self,
        id: StreamId,
        labels: &Labels,
        memory: &mut Memory,
    ) -> Result<u32, EvalError> {
        if let Some(Some(place)) = self.known.get(&id) {
            return Ok(*place);
        }
        memory.take(STREAM_BYTES + labels_bytes(labels))?;
        // Memory ends long before four thousand million streams.
        let place = self.selected.len() as u32;
        self.selected.push((StreamOrder::of(labels), labels.clone()));
        self.known.insert(id, Some(place));
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
