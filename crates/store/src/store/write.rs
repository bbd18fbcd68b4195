//! Writing and deleting objects.
//!
//! Keys hold ids that nobody else can choose, so writing one twice writes the same bytes: every try may
//! simply be repeated, also when it is not known whether the one before was done.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larch_types::Monotonic;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    MultipartId, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tracing::warn;

use super::attempt::Request;
use super::source::{FileSource, Source};
use super::{Inner, Store};
use crate::backing::Writer;
use crate::error::{Failure, Operation, StoreError};
use crate::key::Key;

/// Objects above it go in parts, so that a failed try repeats little.
const PARTS_ABOVE: u64 = 16 << 20;
const PART_BYTES: u64 = 8 << 20;
/// Stores take 10,000 parts of one object.
const MAX_PARTS: u64 = 9_000;
/// Parts of one upload under way, and in memory.
const PARALLEL_PARTS: usize = 4;

impl Store {
    /// Writes an object, in place of one that has the key.
    ///
    /// # Cancel safety
    /// When it is dropped the object may be written or not; parts of a large one may stay behind.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.write(key, &bytes, None).await
    }

    /// As [`Store::put`], but no try begins after the moment: what comes later must not be written at all.
    pub async fn put_before(&self, key: &Key, bytes: Bytes, last: Monotonic) -> Result<(), StoreError> {
        self.write(key, &bytes, Some(last)).await
    }

    /// As [`Store::put`], from bytes that are not in memory.
    pub async fn put_source(&self, key: &Key, source: &dyn Source) -> Result<(), StoreError> {
        self.write(key, source, None).await
    }

    /// As [`Store::put`], from a file that is complete, synced, and never changed again.
    pub async fn put_file(&self, key: &Key, path: &std::path::Path) -> Result<(), StoreError> {
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || FileSource::open(path)).await;
        let failed = || StoreError::new(Operation::Put, key.as_str(), Failure::Local);
        let source = opened.map_err(|error| failed().caused_by(error))?;
        self.write(key, &source.map_err(|error| failed().caused_by(error))?, None).await
    }

    /// An object that is not there is deleted already. How writes are encrypted is not said with it: stores may refuse
    /// that where nothing is written.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.path(key);
        let request = Request::new(Operation::Delete, key.as_str(), 0);
        let deleted = self.0.attempt(request, || self.0.backing.objects().delete(&path));
        match self.0.measured(request, deleted).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        key: &Key,
        source: &dyn Source,
        not_after: Option<Monotonic>,
    ) -> Result<(), StoreError> {
        let size = source.size();
        let request = Request { not_after, ..Request::new(Operation::Put, key.as_str(), size) };
        let upload =
            Upload { inner: &self.0, request, path: self.path(key), key, writer: self.writer(key)?, source };
        self.0.measured(request, upload.run()).await?;
        self.0.metrics.transferred(Operation::Put, size);
        Ok(())
    }

    fn writer(&self, key: &Key) -> Result<Writer, StoreError> {
        let sse = (self.0.options.sse)(key.tenant());
        let failed = |error| StoreError::of(Operation::Put, key.as_str(), error);
        self.0.backing.writer(sse.as_ref()).map_err(failed)
    }
}

/// One object on its way.
struct Upload<'a> {
    inner: &'a Inner,
    request: Request<'a>,
    path: Path,
    key: &'a Key,
    writer: Writer,
    source: &'a dyn Source,
}

impl Upload<'_> {
    async fn run(&self) -> Result<(), StoreError> {
        if let (Some(directory), Some(file)) = (&self.writer.directory, self.source.file()) {
            self.inner.attempt(self.request, || directory.link(file, &self.path)).await?;
            return Ok(());
        }
        let size = self.source.size();
        match &self.writer.parts {
            Some(parts) if size > PARTS_ABOVE => self.put_parts(parts.as_ref(), size).await,
            _ => self.put_whole(size).await,
        }
    }

    async fn put_whole(&self, size: u64) -> Result<(), StoreError> {
        let bytes = self.read(0, size).await?;
        let put = || {
            let options = PutOptions {
                mode: PutMode::Overwrite,
                attributes: self.writer.attributes.clone(),
                ..PutOptions::default()
            };
            self.writer.objects.put_opts(&self.path, PutPayload::from(bytes.clone()), options)
        };
        self.inner.attempt(self.request, put).await?;
        Ok(())
    }

    async fn put_parts(&self, parts: &dyn MultipartStore, size: u64) -> Result<(), StoreError> {
        let begin = || {
            let attributes = self.writer.attributes.clone();
            parts.create_multipart_opts(&self.path, PutMultipartOptions { attributes, ..Default::default() })
        };
        let id = self.inner.attempt(self.small(), begin).await?;
        let result = self.send_parts(parts, &id, size).await;
        if result.is_err() {
            // Whatever stays behind costs until the bucket's own rule clears it away.
            let abort = || parts.abort_multipart(&self.path, &id);
            if let Err(error) = self.inner.attempt(self.small(), abort).await {
                warn!(key = self.request.key, %error, "parts of an upload stay behind");
            }
        }
        result
    }

    async fn send_parts(
        &self,
        parts: &dyn MultipartStore,
        id: &MultipartId,
        size: u64,
    ) -> Result<(), StoreError> {
        let part_bytes = part_bytes(self.inner.options.part_bytes, size);
        let send = |index: u64| async move {
            let (start, end) = (index * part_bytes, size.min((index + 1) * part_bytes));
            let bytes = self.read(start, end - start).await?;
            let request = Request { bytes: end - start, ..self.request };
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let put = || parts.put_part(&self.path, id, index, PutPayload::from(bytes.clone()));
            self.inner.attempt(request, put).await
        };
        let sent: Vec<PartId> = stream::iter(0..size.div_ceil(part_bytes))
            .map(send)
            .buffered(PARALLEL_PARTS)
            .try_collect()
            .await?;
        self.complete(parts, id, &sent, size).await
    }

    /// When an answer was lost the upload is complete and unknown when it is asked for again.
    async fn complete(
        &self,
        parts: &dyn MultipartStore,
        id: &MultipartId,
        sent: &[PartId],
        size: u64,
    ) -> Result<(), StoreError> {
        let complete = || parts.complete_multipart(&self.path, id, sent.to_vec());
        // The store puts the parts together before it answers.
        match self.inner.attempt::<PutResult, _>(self.request, complete).await {
            Ok(_) => Ok(()),
            Err(error) => match self.inner.head(self.key, &self.path).await {
                Ok(info) if info.size == size => Ok(()),
                _ => Err(error),
            },
        }
    }

    async fn read(&self, offset: u64, length: u64) -> Result<Bytes, StoreError> {
        let failed = |error| self.request.fails(Failure::Local).caused_by(error);
        let length = usize::try_from(length).map_err(|_| self.request.fails(Failure::TooLarge))?;
        self.source.read(offset, length).await.map_err(failed)
    }

    /// A request about the upload that carries nothing of it.
    fn small(&self) -> Request<'_> {
        Request { bytes: 0, ..self.request }
    }
}

/// All parts but the last have the same size, as some stores want it.
fn part_bytes(set: u64, size: u64) -> u64 {
    // Stores refuse parts below 5 MiB.
    let wanted = if set == 0 { PART_BYTES } else { set.max(5 << 20) };
    wanted.max(size.div_ceil(MAX_PARTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_neither_too_small_nor_too_many() {
        for (set, size, want) in [
            (0, 20 << 20, 8 << 20),
            (1, 20 << 20, 5 << 20),
            (64 << 20, 1 << 30, 64 << 20),
            (0, 90_000 << 20, 10 << 20),
        ] {
            assert_eq!(part_bytes(set, size), want, "{set} {size}");
        }
    }
}
