//! One row on its way through a pipeline.

use larch_types::{Labels, Timestamp};

use crate::stage::RowLabels;

/// Rows of one scan are loaded into it one after the other, so that its buffers are allocated once.
#[derive(Debug)]
pub struct Row<'a> {
    pub(crate) line: Line<'a>,
    pub(crate) labels: RowLabels<'a>,
    pub(crate) scratch: Scratch,
    timestamp: Timestamp,
    now: Timestamp,
}

/// Buffers of stages.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The line as it is now.
#[derive(Debug, Default)]
pub(crate) struct Line<'a> {
    /// As it was loaded, until a stage changes it.
    loaded: Option<&'a [u8]>,
    changed: Vec<u8>,
    spare: Vec<u8>,
}

impl<'a> Row<'a> {
    /// `now` is the time of the query, for templates that ask for it.
    pub fn new(now: Timestamp) -> Self {
        Self {
            line: Line::default(),
            labels: RowLabels::default(),
            scratch: Scratch::default(),
            timestamp: Timestamp::EPOCH,
            now,
        }
    }

    /// Forgets the row before.
    pub fn load(&mut self, stream: &'a Labels, timestamp: Timestamp, line: &'a [u8]) {
        self.labels.begin(stream);
        self.line.loaded = Some(line);
        self.timestamp = timestamp;
    }

    /// One pair of the row's metadata; after `load` and before any stage.
    pub fn add_metadata(&mut self, name: &str, value: &[u8]) {
        self.labels.add_metadata(name, value);
    }

    pub fn line(&self) -> &[u8] {
        self.line.bytes()
    }

    pub fn labels(&self) -> &RowLabels<'a> {
        &self.labels
    }

    /// Removes a label; an aggregation does so with the one it unwraps.
    pub fn delete_label(&mut self, name: &str) {
        self.labels.delete(name);
    }

    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }
}

impl Line<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.loaded.unwrap_or(&self.changed)
    }

    /// A new line made from the old one. `make` appends it and says whether it counts.
    pub(crate) fn replace(&mut self, make: impl FnOnce(&[u8], &mut Vec<u8>) -> bool) {
        let mut new = std::mem::take(&mut self.spare);
        new.clear();
        if make(self.bytes(), &mut new) {
            self.spare = std::mem::replace(&mut self.changed, new);
            self.loaded = None;
        } else {
            self.spare = new;
        }
    }
}
