//! The streams that a read has met, and which of them it wants.

use std::collections::HashMap;

use larch_types::{Labels, Matcher, StreamId, StreamOrder};

use crate::error::{Meaningless, ParseError};
use crate::eval::{EvalError, InputRow};
use crate::regex::LabelMatcher;

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
    pub(crate) fn place(&mut self, row: &InputRow<'_>) -> Option<u32> {
        if let Some((stream, place)) = self.last
            && stream == row.stream
        {
            return place;
        }
        let place = match self.known.get(&row.stream) {
            Some(place) => *place,
            None => {
                let place = self.matches(row.labels).then(|| {
                    self.selected.push((StreamOrder::of(row.labels), row.labels.clone()));
                    // A query meets far fewer streams than four thousand million.
                    self.selected.len() as u32 - 1
                });
                self.known.insert(row.stream, place);
                place
            }
        };
        self.last = Some((row.stream, place));
        place
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
