//! The files that lie beside the log, put back to the tenants that they are of.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use larch_proto::WalPosition;
use larch_runtime::StartError;
use larch_telemetry::Counter;
use larch_types::{Monotonic, SegmentId, TenantId};
use larch_wal::{Dir, FileName};
use tracing::{error, info, warn};

use super::known::{HandedBefore, Known};
use crate::segment_file::name::{finished, parse};
use crate::segment_file::{SegmentFile, read_tail};
use crate::shelf::Restored;
use crate::tenants::Tenants;
use crate::upload::{Begin, HandedOver, Progress};

/// Where files are put back.
pub(super) struct Restore<'a> {
    pub(super) dir: &'a dyn Dir,
    pub(super) known: Known,
    /// The log has lost nothing.
    pub(super) is_whole: bool,
    pub(super) now: Monotonic,
    pub(super) recovered: Counter,
}

/// Finished files, by id, and whose they are if their names say so.
type Found = BTreeMap<SegmentId, (FileName, Option<TenantId>)>;

impl Restore<'_> {
    /// Gives what the log says, for the rows that are in it.
    pub(super) fn run(mut self, tenants: &Tenants) -> Result<Known, StartError> {
        let mut found = self.find()?;
        let mut restored: BTreeMap<TenantId, Restored> = BTreeMap::new();
        for (tenant, (cut, described)) in &self.known.cuts {
            let mut files = Vec::with_capacity(cut.files.len());
            for id in &cut.files {
                let is_gone = self.known.announced.contains_key(id) || self.known.forgotten.contains(id);
                if !is_gone && let Some(file) = self.take(&mut found, tenant, *id)? {
                    files.push(file);
                }
            }
            let found =
                Restored { files, described: Some(*described), upto: cut.position, ..Restored::default() };
            restored.insert(tenant.clone(), found);
        }
        for (id, handed) in std::mem::take(&mut self.known.announced) {
            let tenant = handed.tenant.clone();
            let handed = self.name_again(&mut found, id, handed)?;
            restored.entry(tenant).or_default().handed_over.push(handed);
        }
        self.settle_others(found, &mut restored)?;
        for (tenant, found) in restored {
            tenants.find_or_make(&tenant).shelf.restore(found);
        }
        Ok(self.known)
    }

    /// What is there. Files that were not finished go: their rows are in the log.
    fn find(&self) -> Result<Found, StartError> {
        let mut found = Found::new();
        for name in self.dir.list().map_err(failed)? {
            match parse(&name) {
                Some(named) if named.is_finished => drop(found.insert(named.id, (name, named.tenant))),
                Some(_) => self.remove(&name)?,
                None => {}
            }
        }
        Ok(found)
    }

    /// A file whose rows nobody else has.
    fn take(
        &self,
        found: &mut Found,
        tenant: &TenantId,
        id: SegmentId,
    ) -> Result<Option<Arc<SegmentFile>>, StartError> {
        if let Some((name, _)) = found.remove(&id) {
            return self.file(id, name, Progress::of(self.known.begun(id))).map(Some);
        }
        // Without it, answers would be silent about its rows.
        if self.is_whole {
            return Err(StartError::new(format!(
                "segment file {} is not in ingester.wal.dir",
                finished(id, tenant)
            )));
        }
        error!(%tenant, file = %id, "the log is damaged, and a segment file that it names is not there");
        Ok(None)
    }

    /// Named as long as if it had been announced now.
    fn name_again(
        &self,
        found: &mut Found,
        id: SegmentId,
        handed: HandedBefore,
    ) -> Result<Arc<HandedOver>, StartError> {
        let HandedBefore { tenant, entry, logged } = handed;
        match found.remove(&id) {
            Some((name, _)) => {
                let file = self.file(id, name, Progress::default())?;
                Ok(Arc::new(HandedOver::new(file, entry, self.now, logged)))
            }
            None => {
                let name = finished(id, &tenant);
                let file = Arc::new(SegmentFile::new(id, name, 0, self.now, Progress::default()));
                Ok(Arc::new(HandedOver::without_file(file, entry, self.now, logged)))
            }
        }
    }

    /// Files that the log does not name. If it has lost nothing their rows are in it, or in the store for long;
    /// if it has, they may be the only copy of their rows and hold them again.
    fn settle_others(
        &self,
        others: Found,
        restored: &mut BTreeMap<TenantId, Restored>,
    ) -> Result<(), StartError> {
        for (id, (name, tenant)) in others {
            if self.is_whole || self.known.forgotten.contains(&id) {
                info!(file = %name, "a segment file that the log does not name is removed");
                self.remove(&name)?;
                continue;
            }
            let Some(tenant) = tenant else {
                error!(file = %name, "the log is damaged and does not say whose segment file this is; it is kept, and not read");
                continue;
            };
            if let Err(problem) = read_tail(self.dir, &name) {
                let source = std::error::Error::source(&problem).map(ToString::to_string);
                error!(file = %name, error = %problem, source, "a segment file that a damaged log does not name is kept, and not read");
                continue;
            }
            warn!(file = %name, %tenant, "the log is damaged; a segment file that it does not name is read again");
            // An earlier life may have uploaded it as itself.
            let begun = self.known.begun(id);
            let begun = begun.unwrap_or(Begin { segment: id, at: None, logged: WalPosition(0) });
            let file = self.file(id, name, Progress::of(Some(begun)))?;
            let found = restored.entry(tenant).or_default();
            found.files.push(file);
            found.described = None;
        }
        Ok(())
    }

    fn file(
        &self,
        id: SegmentId,
        name: FileName,
        progress: Progress,
    ) -> Result<Arc<SegmentFile>, StartError> {
        let bytes = self.dir.open(&name).and_then(|file| file.size()).map_err(failed)?;
        self.recovered.inc();
        Ok(Arc::new(SegmentFile::new(id, name, bytes, self.now, progress)))
    }

    fn remove(&self, name: &FileName) -> Result<(), StartError> {
        self.dir.remove(name).map_err(failed)
    }
}

fn failed(error: io::Error) -> StartError {
    StartError::caused_by("look through ingester.wal.dir", error)
}
