//! The order of rows of one stream and time: read only where such rows meet, which is seldom.

use std::sync::Arc;

use larch_proto::TieOrder;
use larch_rpc::CallError;
use larch_segment::{Columns, Decoder, ReadError, Stamps};
use tokio::sync::OnceCell;

use super::reader::{ChunkPlace, Reader};

/// A row whose push stamp is not read yet.
#[derive(Clone)]
pub(crate) struct LateTie {
    chunk: Arc<LateStamps>,
    row: u32,
}

impl std::fmt::Debug for LateTie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LateTie").field("row", &self.row).finish_non_exhaustive()
    }
}

/// The stamps of a chunk's rows, once they are asked for.
pub(super) struct LateStamps {
    reader: Arc<Reader>,
    place: Arc<ChunkPlace>,
    stamps: OnceCell<Stamps>,
}

impl LateStamps {
    pub(super) fn new(reader: Arc<Reader>, place: Arc<ChunkPlace>) -> Arc<Self> {
        Arc::new(Self { reader, place, stamps: OnceCell::new() })
    }

    pub(super) fn of(self: &Arc<Self>, row: u32) -> LateTie {
        LateTie { chunk: Arc::clone(self), row }
    }

    pub(super) async fn unreadable(&self, error: ReadError) -> CallError {
        self.reader.unreadable(&self.place, error).await
    }

    async fn read(&self) -> Result<Stamps, CallError> {
        let columns = Columns { stamps: true, ..Columns::default() };
        let pages = self.reader.pages(&[(&self.place, columns)]).await?.pop().unwrap_or_default();
        let place = Arc::clone(&self.place);
        let read = self.reader.cpu.run(move |_| {
            let chunk = place.directory.chunk(pages);
            chunk.stamps(&mut Decoder::new()).cloned()
        });
        match read.await? {
            Ok(stamps) => Ok(stamps),
            Err(error) => Err(self.unreadable(error).await),
        }
    }
}

impl LateTie {
    /// None if the row has none.
    pub(crate) async fn read(&self) -> Result<Option<TieOrder>, CallError> {
        let stamps = self.chunk.stamps.get_or_try_init(|| self.chunk.read()).await?;
        let stamp = stamps.get(self.row as usize);
        Ok(stamp.map(|stamp| TieOrder { stamp: stamp.stamp, index: stamp.index }))
    }
}
