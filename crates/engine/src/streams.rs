//! The streams that a query meets, numbered.

use std::sync::{Arc, OnceLock};

use larch_types::{Labels, StreamId, StreamOrder, canonical_pairs};

/// A stream as the query sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStream {
    /// Its number in the table.
    pub place: u32,
    /// Of its labels.
    pub id: StreamId,
    /// The canonical text, where labels are made of it once a row needs them: a query may meet a million streams
    /// and show rows of a few.
    text: Arc<str>,
    labels: OnceLock<Labels>,
}

impl KnownStream {
    pub fn labels(&self) -> &Labels {
        let read = || canonical_pairs(&self.text).and_then(Labels::from_pairs);
        // Whoever adds a text has looked at it.
        self.labels.get_or_init(|| read().unwrap_or_default())
    }
}

/// Whoever fills it sees to it that no stream comes twice.
#[derive(Debug, Default)]
pub struct StreamTable(Vec<Arc<KnownStream>>);

impl StreamTable {
    pub fn add(&mut self, id: StreamId, labels: Labels) -> Arc<KnownStream> {
        self.put(id, Arc::default(), OnceLock::from(labels))
    }

    /// A stream whose labels have this canonical text.
    pub fn add_text(&mut self, id: StreamId, text: Arc<str>) -> Arc<KnownStream> {
        self.put(id, text, OnceLock::new())
    }

    fn put(&mut self, id: StreamId, text: Arc<str>, labels: OnceLock<Labels>) -> Arc<KnownStream> {
        // Memory ends long before four thousand million streams.
        let stream = Arc::new(KnownStream { place: self.0.len() as u32, id, text, labels });
        self.0.push(Arc::clone(&stream));
        stream
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For every number, how many streams come before that one in answers.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut ordered: Vec<(StreamOrder, &KnownStream)> =
            self.0.iter().map(|stream| (StreamOrder::of(stream.labels()), &**stream)).collect();
        ordered.sort_by(|(left_order, left), (right_order, right)| {
            left_order.cmp(right_order).then_with(|| left.labels().cmp(right.labels()))
        });
        let mut ranks = vec![0; ordered.len()];
        for (rank, (_, stream)) in ordered.into_iter().enumerate() {
            ranks[stream.place as usize] = rank as u32;
        }
        ranks
    }
}
