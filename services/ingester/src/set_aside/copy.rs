//! The file that holds a tenant's rows that cannot be cut: the records of the log, as they were.
//!
//! Its first record has number 0 and is the id of the node whose log the others were in: only there do their numbers
//! mean anything.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use larch_proto::WalPosition;
use larch_runtime::Env;
use larch_types::{NodeId, TenantId};
use larch_wal::{CopyError, CopyWriter, Dir, FileName, LogFile, Position, read_copy, read_records};

use crate::record::tenant_of_push;
use crate::segment_file::name::{copied, copying, damaged, parse_copy};

/// A copy that is there.
#[derive(Debug)]
pub(crate) struct RowCopy {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
    /// A part of it could not be read: it is kept for whoever can make something of it.
    pub(crate) is_damaged: bool,
}

/// A copy to be made.
pub(super) struct Making {
    pub(super) dir: Arc<dyn Dir>,
    pub(super) env: Env,
    pub(super) node: NodeId,
    pub(super) tenant: TenantId,
    /// Of the log.
    pub(super) files: Vec<LogFile>,
    pub(super) range: RangeInclusive<Position>,
    pub(super) most_bytes: u64,
}

/// What was read of a copy.
pub(crate) struct ReadCopy {
    pub(crate) copy: RowCopy,
    pub(crate) tenant: TenantId,
    /// `None` if that part of it is damaged.
    pub(crate) node: Option<NodeId>,
    pub(crate) records: Vec<(WalPosition, Bytes)>,
    pub(crate) corruptions: u64,
}

impl Making {
    /// Makes a copy that survives a power cut, or none. Gives how many pushes are in it. It blocks.
    pub(super) fn run(self) -> Result<(RowCopy, u64), CopyError> {
        let id = self.env.new_segment_id();
        let (unfinished, name) = (copying(id, &self.tenant), copied(id, &self.tenant));
        let made = self.write(&unfinished, &name);
        if made.is_err() {
            // What stays is removed by the next start.
            drop(self.dir.remove(&unfinished));
            drop(self.dir.remove(&name));
        }
        let (bytes, pushes) = made?;
        Ok((RowCopy { name, bytes, is_damaged: false }, pushes))
    }

    fn write(&self, unfinished: &FileName, name: &FileName) -> Result<(u64, u64), CopyError> {
        let random = &self.env.random;
        let mut copy = CopyWriter::create(&*self.dir, unfinished, Position::START, self.most_bytes, random)?;
        copy.push(Position::START, &self.node.as_u128().to_le_bytes())?;
        let mut pushes = 0;
        read_records(&*self.dir, &self.files, &self.range, |position, record| {
            if tenant_of_push(record) != Some(self.tenant.as_str().as_bytes()) {
                return Ok(());
            }
            pushes += 1;
            copy.push(position, record)
        })?;
        let bytes = copy.finish()?;
        self.dir.rename(unfinished, name).map_err(CopyError::Write)?;
        self.dir.sync().map_err(CopyError::Write)?;
        Ok((bytes, pushes))
    }
}

/// Reads a copy back. `None` if the file is none. It blocks.
pub(crate) fn read(dir: &dyn Dir, name: &FileName) -> io::Result<Option<ReadCopy>> {
    let Some(named) = parse_copy(name).filter(|named| named.is_finished) else { return Ok(None) };
    let Some(tenant) = named.tenant else { return Ok(None) };
    let (mut node, mut records) = (None, Vec::new());
    let found = read_copy(dir, name, |position, record| match <[u8; 16]>::try_from(&record[..]) {
        Ok(id) if position == Position::START => node = Some(NodeId::from_u128(u128::from_le_bytes(id))),
        _ => records.push((WalPosition(position.0), record)),
    })?;
    let bytes = dir.open(name)?.size()?;
    let is_damaged = found.corruptions > 0 || node.is_none();
    let copy = RowCopy { name: name.clone(), bytes, is_damaged };
    Ok(Some(ReadCopy { copy, tenant, node, records, corruptions: found.corruptions }))
}

/// Removes a file if it is a copy that was not finished: its records are in the log. It blocks.
pub(crate) fn remove_unfinished(dir: &dyn Dir, name: &FileName) -> io::Result<()> {
    match parse_copy(name) {
        Some(named) if !named.is_finished => dir.remove(name),
        _ => Ok(()),
    }
}

/// Lets go of copies whose rows are in segment files that the log names. It blocks.
pub(crate) fn retire(dir: &dyn Dir, copies: &[Arc<RowCopy>]) -> io::Result<()> {
    for copy in copies {
        let done = if copy.is_damaged {
            dir.rename(&copy.name, &damaged(&copy.name))
        } else {
            dir.remove(&copy.name)
        };
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    dir.sync()
}
