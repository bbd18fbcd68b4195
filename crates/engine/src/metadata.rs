//! The metadata of a chunk's rows, as far as a query needs it.

use larch_segment::{Chunk, Decoder, ReadError};

use crate::range::RangePlan;

/// What of a row beside its line can matter to a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MetadataUse {
    pub(crate) metadata: bool,
    pub(crate) level: bool,
}

impl MetadataUse {
    pub(crate) fn of(plan: &RangePlan, chunk: &Chunk, decoder: &mut Decoder) -> Result<Self, ReadError> {
        let names = chunk.metadata_names(decoder)?;
        // Errors come as metadata too.
        let may_fail = names.iter().any(|name| matches!(&**name, "__error__" | "__error_details__"));
        if may_fail || (plan.may_fail && !plan.reads_line) {
            return Ok(Self::ALL);
        }
        Ok(Self {
            metadata: names.iter().any(|name| plan.needs_metadata(name)),
            level: plan.needs_metadata("detected_level"),
        })
    }

    pub(crate) const ALL: Self = Self { metadata: true, level: true };
}

/// Metadata of some rows, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct RowsMetadata<'c> {
    pairs: Vec<(&'c str, &'c str)>,
    /// Where each row's begin; empty if no row has any.
    starts: Vec<u32>,
    levels: Vec<Option<&'c str>>,
}

impl<'c> RowsMetadata<'c> {
    pub(crate) fn read(
        chunk: &'c Chunk,
        rows: &[u32],
        uses: MetadataUse,
        decoder: &mut Decoder,
    ) -> Result<Self, ReadError> {
        let mut read = Self::default();
        if uses.metadata && !chunk.metadata_names(decoder)?.is_empty() {
            for row in rows {
                read.starts.push(read.pairs.len() as u32);
                read.pairs.extend(chunk.row_metadata(*row as usize, decoder)?);
            }
            read.starts.push(read.pairs.len() as u32);
        }
        if uses.level {
            let levels = chunk.levels(decoder)?;
            read.levels.extend(rows.iter().map(|row| levels.get(*row as usize)));
        }
        Ok(read)
    }

    /// Of the n-th of the rows.
    pub(crate) fn pairs(&self, number: usize) -> &[(&'c str, &'c str)] {
        match (self.starts.get(number), self.starts.get(number + 1)) {
            (Some(start), Some(end)) => &self.pairs[*start as usize..*end as usize],
            _ => &[],
        }
    }

    pub(crate) fn level(&self, number: usize) -> Option<&'c str> {
        self.levels.get(number).copied().flatten()
    }
}
