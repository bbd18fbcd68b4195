//! Reading objects and parts of them.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larch_types::Timestamp;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStoreExt};

use super::attempt::Request;
use super::ranges::{Joined, join};
use super::{Inner, Store};
use crate::error::{Failure, Operation, StoreError};
use crate::key::Key;

/// What is known of an object without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectInfo {
    pub size: u64,
    /// By the store's own clock. What is not known is far in the future: such an object is never old.
    pub modified: Timestamp,
}

/// The last bytes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    pub bytes: Bytes,
    /// Of the whole object.
    pub size: u64,
}

/// 2001. All objects are younger than the program, and stores that do not know a time tell of the year 1 or 1970.
const EARLIEST: Timestamp = Timestamp::from_secs(978_307_200);

/// Requests of one reader at a time. A reader who wants more has other readers to leave room for.
const PARALLEL_RANGES: usize = 8;

impl Store {
    /// The whole object, if it has at most so many bytes.
    ///
    /// # Cancel safety
    /// As all reads, it may be dropped at any time.
    pub async fn get(&self, key: &Key, max_bytes: u64) -> Result<Bytes, StoreError> {
        let path = self.path(key);
        let request = Request::new(Operation::Get, key.as_str(), max_bytes);
        let too_large = request.fails(Failure::TooLarge);
        let found = self.0.read(request, || async {
            let found = self.0.backing.objects().get_opts(&path, GetOptions::default()).await?;
            if found.meta.size > max_bytes {
                return Ok(None);
            }
            found.bytes().await.map(Some)
        });
        found.await?.ok_or(too_large)
    }

    /// Exactly the bytes of the range. An object that is shorter is not the one that was meant.
    pub async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes, StoreError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.0.get_range(key, &self.path(key), range).await
    }

    /// The bytes of each range, in the order in which they are asked for. What lies close together is
    /// fetched in one request, and a few requests go at a time.
    pub async fn get_ranges(&self, key: &Key, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        let path = self.path(key);
        let fetch = |joined: Joined| {
            let path = &path;
            async move {
                let bytes = self.0.get_range(key, path, joined.range.clone()).await?;
                Ok::<_, StoreError>((joined, bytes))
            }
        };
        let fetched: Vec<(Joined, Bytes)> =
            stream::iter(join(ranges)).map(fetch).buffered(PARALLEL_RANGES).try_collect().await?;
        let mut parts = vec![Bytes::new(); ranges.len()];
        for (joined, bytes) in fetched {
            for index in joined.members {
                let inside = |at: u64| usize::try_from(at - joined.range.start).unwrap_or(usize::MAX);
                parts[index] = bytes.slice(inside(ranges[index].start)..inside(ranges[index].end));
            }
        }
        Ok(parts)
    }

    /// The last bytes of an object, or all of it if it has fewer, with its size; in one request where the
    /// store knows such a request.
    pub async fn get_tail(&self, key: &Key, bytes: u64) -> Result<Tail, StoreError> {
        let path = self.path(key);
        if bytes == 0 || !self.0.backing.reads_tails() {
            let size = self.0.head(key, &path).await?.size;
            let bytes = self.get_range(key, size.saturating_sub(bytes)..size).await?;
            return Ok(Tail { bytes, size });
        }
        let request = Request::new(Operation::GetRange, key.as_str(), bytes);
        let read = self.0.read(request, || async {
            let options = GetOptions { range: Some(GetRange::Suffix(bytes)), ..GetOptions::default() };
            let found = self.0.backing.objects().get_opts(&path, options).await?;
            let size = found.meta.size;
            Ok(Tail { bytes: found.bytes().await?, size })
        });
        match read.await {
            Ok(tail) if tail.bytes.len() as u64 == bytes.min(tail.size) => Ok(tail),
            Ok(_) => Err(request.fails(Failure::Short)),
            // Many stores have no last bytes of an object that has fewer, or none.
            Err(error) if matches!(error.failure(), Failure::Short | Failure::Refused) => {
                match self.0.head(key, &path).await {
                    Ok(ObjectInfo { size, .. }) if size <= bytes => {
                        Ok(Tail { bytes: self.get_range(key, 0..size).await?, size })
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub async fn head(&self, key: &Key) -> Result<ObjectInfo, StoreError> {
        self.0.head(key, &self.path(key)).await
    }
}

impl Inner {
    async fn get_range(&self, key: &Key, path: &Path, range: Range<u64>) -> Result<Bytes, StoreError> {
        let wanted = range.end - range.start;
        let request = Request::new(Operation::GetRange, key.as_str(), wanted);
        let read = self.read(request, || async {
            let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
            let found: GetResult = self.backing.objects().get_opts(path, options).await?;
            found.bytes().await
        });
        match read.await {
            Ok(bytes) if bytes.len() as u64 == wanted => Ok(bytes),
            Ok(_) => Err(request.fails(Failure::Short)),
            // Stores refuse a range behind the end in many words.
            Err(error) if error.failure() == Failure::Refused => match self.head(key, path).await {
                Ok(info) if info.size < range.end => Err(request.fails(Failure::Short)),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    pub(super) async fn head(&self, key: &Key, path: &Path) -> Result<ObjectInfo, StoreError> {
        let request = Request::new(Operation::Head, key.as_str(), 0);
        let found = self.measured(request, self.attempt(request, || self.backing.objects().head(path)));
        Ok(info(&found.await?))
    }

    /// A read, with a second request beside it if it is slow.
    async fn read<T, F>(&self, request: Request<'_>, run: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
        T: Transferred,
    {
        let once = || self.attempt(request, &run);
        let value = match &self.hedging {
            Some(hedging) => self.measured(request, hedging.run(&self.env, once)).await?,
            None => self.measured(request, once()).await?,
        };
        self.metrics.transferred(request.operation, value.bytes());
        Ok(value)
    }
}

pub(super) fn info(meta: &ObjectMeta) -> ObjectInfo {
    let told = meta.last_modified.timestamp_nanos_opt().map(Timestamp::from_nanos);
    let known = told.filter(|told| *told >= EARLIEST);
    ObjectInfo { size: meta.size, modified: known.unwrap_or(Timestamp::MAX) }
}

/// How many bytes came, for the metrics.
trait Transferred {
    fn bytes(&self) -> u64;
}

impl Transferred for Bytes {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl Transferred for Option<Bytes> {
    fn bytes(&self) -> u64 {
        self.as_ref().map_or(0, Transferred::bytes)
    }
}

impl Transferred for Tail {
    fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_time_is_not_old() {
        for (told, want) in [
            ("0001-01-01T00:00:00Z", None),
            ("1970-01-01T00:00:00Z", None),
            ("2000-12-31T23:59:59Z", None),
            ("2001-01-01T00:00:00Z", Some(978_307_200)),
            ("2026-01-01T00:00:00Z", Some(1_767_225_600)),
            ("2500-01-01T00:00:00Z", None),
        ] {
            let last_modified = told.parse().unwrap();
            let meta =
                ObjectMeta { location: "a".into(), last_modified, size: 1, e_tag: None, version: None };
            let want = want.map_or(Timestamp::MAX, Timestamp::from_secs);
            assert_eq!(info(&meta), ObjectInfo { size: 1, modified: want }, "{told}");
        }
    }
}
