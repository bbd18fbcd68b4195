//! What the log says of segment files.

use std::collections::{BTreeMap, HashSet};

use larch_proto::{SegmentEntry, WalPosition};
use larch_types::{SegmentId, TenantId};

use crate::record::{Announced, Content, Cut, Record};
use crate::upload::Begin;

/// All records about files together. Whatever a file's record says, it is by the file's id, which no other has.
#[derive(Default)]
pub(super) struct Known {
    /// The last cut of each tenant, and the position of the record that says so.
    pub(super) cuts: BTreeMap<TenantId, (Cut, WalPosition)>,
    pub(super) announced: BTreeMap<SegmentId, HandedBefore>,
    pub(super) forgotten: HashSet<SegmentId>,
    begun: BTreeMap<SegmentId, (SegmentId, WalPosition)>,
}

/// What was announced in an earlier life and may have to be named still.
pub(super) struct HandedBefore {
    pub(super) tenant: TenantId,
    pub(super) entry: SegmentEntry,
    pub(super) logged: WalPosition,
}

impl Known {
    pub(super) fn learn(&mut self, position: WalPosition, record: Record) {
        let Record { tenant, content } = record;
        match content {
            Content::Push(_) => {}
            Content::Cut(cut) => drop(self.cuts.insert(tenant, (cut, position))),
            Content::Announced(Announced { file, entry }) => {
                // Said again to let go of an old file of the log, it may come behind the end.
                if !self.forgotten.contains(&file) {
                    self.announced.insert(file, HandedBefore { tenant, entry, logged: position });
                }
            }
            Content::Begun(begun) => drop(self.begun.insert(begun.file, (begun.segment, position))),
            Content::Forgotten(files) => {
                for file in files {
                    self.announced.remove(&file);
                    self.begun.remove(&file);
                    self.forgotten.insert(file);
                }
            }
        }
    }

    /// As what an earlier life began to upload a file.
    pub(super) fn begun(&self, file: SegmentId) -> Option<Begin> {
        let (segment, logged) = *self.begun.get(&file)?;
        Some(Begin { segment, at: None, logged })
    }

    /// Up to where a tenant's pushes are in files or in the store.
    pub(super) fn upto(&self, tenant: &TenantId) -> WalPosition {
        self.cuts.get(tenant).map(|(cut, _)| cut.position).unwrap_or_default()
    }
}
