//! How much a query would read, and whether it may.

use larch_logql::{Expr, scans};
use larch_proto::{PieceTenant, Question, Selector};
use larch_types::ByteSize;

use super::Read;
use crate::cut::Extent;
use crate::error::ReadError;
use crate::limits::LimitError;
use crate::plan::{Range, piece};
use crate::run::Sharing;

impl Read<'_> {
    /// What is known of a query of so many streams and so much time before it is cut.
    pub(super) async fn extent(
        &self,
        tenants: &[PieceTenant],
        expr: &Expr,
        range: Range,
        has_shards: bool,
    ) -> Result<Extent, ReadError> {
        let mut any_of: Vec<Selector> = Vec::new();
        for scan in scans(expr) {
            let selector = Selector { matchers: scan.matchers.to_vec() };
            if !any_of.contains(&selector) {
                any_of.push(selector);
            }
        }
        let origin = self.origin(tenants.to_vec(), 0);
        let estimate = piece(&origin, Question::Estimate { any_of }, range, None);
        let gathered = self.ask(vec![estimate], Sharing::WithOthers(None)).await?;
        let bytes = gathered.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.stats.bytes));
        let limit = self.limits.query_bytes;
        if limit > 0 && bytes > limit {
            let (asked, limit) = (ByteSize::bytes(bytes), ByteSize::bytes(limit));
            return Err(LimitError::QueryBytes { asked, limit }.into());
        }
        let is_settled = range.1 <= self.asked.now.minus(self.limits.min_sharding_lookback);
        let shards = self.frontend.config.query_range.parallelise_shardable_queries && is_settled;
        Ok(Extent { bytes, piece_bytes: self.limits.shard_bytes, has_shards: has_shards && shards })
    }

    /// Whether each of so many pieces may be read by one worker.
    pub(super) fn check_pieces(&self, extent: &Extent, pieces: usize, shards: u32) -> Result<(), LimitError> {
        let limit = self.limits.piece_bytes;
        let bytes = extent.bytes.div_ceil(pieces.max(1) as u64 * u64::from(shards.max(1)));
        if limit == 0 || bytes <= limit {
            return Ok(());
        }
        let (asked, limit) = (ByteSize::bytes(bytes), ByteSize::bytes(limit));
        if !extent.has_shards {
            Err(LimitError::UnshardableBytes { asked, limit })
        } else if shards > 1 {
            Err(LimitError::ShardBytes { asked, limit })
        } else {
            Err(LimitError::PieceBytes { asked, limit })
        }
    }
}
