//! What facts mean together. Pure: no IO, no clock.

use std::collections::{BTreeMap, BTreeSet};

use larch_proto::SegmentEntry;
use larch_types::{FactId, SegmentId};

use super::format::{Fact, FactBody, Input, encode_entry};

/// The two grow-only sets of a day, in the form that answers questions: the entries of what was added and
/// not removed, and every removal. An entry that is removed is never asked for again, so it is let go, and
/// comes in vain if its add is read later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogSets {
    live: BTreeMap<SegmentId, SegmentEntry>,
    removals: BTreeMap<FactId, Removal>,
    /// The inputs of all removals.
    removed: BTreeSet<SegmentId>,
}

/// What one swap removed, and what for: inputs are deleted only when all outputs are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    pub outputs: BTreeSet<SegmentId>,
    pub inputs: BTreeSet<Input>,
}

impl CatalogSets {
    pub(super) fn of(entries: Vec<SegmentEntry>, removals: BTreeMap<FactId, Removal>) -> Self {
        let mut sets = Self::default();
        for (by, removal) in removals {
            sets.remove(by, removal);
        }
        for entry in entries {
            sets.add(entry);
        }
        sets
    }

    /// Takes in what a fact states. It may have been taken in before.
    pub fn apply(&mut self, fact: &Fact) {
        match &fact.body {
            FactBody::Add { entries } => {
                for entry in entries {
                    self.add(entry.clone());
                }
            }
            FactBody::Swap { outputs, inputs } => {
                let removal = Removal {
                    outputs: outputs.iter().map(|entry| entry.id).collect(),
                    inputs: inputs.iter().copied().collect(),
                };
                self.remove(fact.id, removal);
                for entry in outputs {
                    self.add(entry.clone());
                }
            }
            FactBody::Snap { sets, .. } => self.unite(sets),
        }
    }

    /// Takes in all that others know.
    pub fn unite(&mut self, other: &Self) {
        for (by, removal) in &other.removals {
            self.remove(*by, removal.clone());
        }
        for entry in other.live.values() {
            self.add(entry.clone());
        }
    }

    /// The live segments, by id.
    pub fn live(&self) -> impl ExactSizeIterator<Item = &SegmentEntry> {
        self.live.values()
    }

    /// What it takes in memory, about.
    pub(super) fn held_bytes(&self) -> u64 {
        // An entry has its summaries beside it, which are bounded to some hundred bytes.
        const ENTRY: usize = size_of::<SegmentEntry>() + 400;
        // A removed segment is in two sets.
        const REMOVED: usize = 2 * size_of::<Input>() + 32;
        (self.live.len() * ENTRY + self.removed.len() * REMOVED) as u64
    }

    /// `None` if it is not live.
    pub fn live_entry(&self, id: SegmentId) -> Option<&SegmentEntry> {
        self.live.get(&id)
    }

    pub fn is_removed(&self, id: SegmentId) -> bool {
        self.removed.contains(&id)
    }

    /// By the swap.
    pub fn removals(&self) -> &BTreeMap<FactId, Removal> {
        &self.removals
    }

    fn add(&mut self, entry: SegmentEntry) {
        if self.removed.contains(&entry.id) {
            return;
        }
        // Nobody gives one id to two segments; should two entries differ all the same, everybody keeps the
        // same one of them, whichever comes first.
        if let Some(known) = self.live.get(&entry.id)
            && (*known == entry || encode_entry(known) <= encode_entry(&entry))
        {
            return;
        }
        self.live.insert(entry.id, entry);
    }

    fn remove(&mut self, by: FactId, removal: Removal) {
        for input in &removal.inputs {
            self.removed.insert(input.id);
            self.live.remove(&input.id);
        }
        let known = self.removals.entry(by).or_default();
        known.outputs.extend(removal.outputs);
        known.inputs.extend(removal.inputs);
    }
}

#[cfg(test)]
mod tests;
