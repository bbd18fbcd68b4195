//! One file on its way: the object, the fact, the record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::SegmentEntry;
use larch_rpc::CallError;
use larch_segment::Segment;
use larch_store::{EMBED_BELOW_BYTES, Key, NewSegment, Source, entry_of, partition_of};
use larch_types::{ErrorKind, FactId, Monotonic, SegmentId};

use super::error::UploadError;
use super::handed_over::HandedOver;
use super::progress::{Begin, UPLOAD_LASTS};
use super::queue::Task;
use super::rewrite::{RewriteError, rewrite};
use super::source::UploadSource;
use crate::node::Node;
use crate::note::note;
use crate::record::{Announced, Begun, encode_announced, encode_begun};
use crate::segment_file::{OpenFile, blocking};

/// A segment as it goes into the store.
struct Object {
    entry: SegmentEntry,
    /// `None` if it is the file as it is, and large.
    bytes: Option<Bytes>,
}

/// One try. Gives the entry under which readers find the segment.
///
/// # Cancel safety
/// When it is dropped, what was done stays done; the next try goes on from there or does it again.
pub(super) async fn upload(node: &Node, task: &Task) -> Result<SegmentEntry, UploadError> {
    let progress = &task.file.progress;
    let entry = match progress.added() {
        Some(entry) => entry,
        None => {
            let bringing = tokio::time::timeout(node.uploading.timeout, bring(node, task));
            let entry = bringing.await.map_err(|_| UploadError::Late)??;
            progress.add(entry.clone());
            entry
        }
    };
    announce(node, task, entry.clone()).await?;
    Ok(entry)
}

/// Puts the segment into the store and into the catalog, unless they have it.
async fn bring(node: &Node, task: &Task) -> Result<SegmentEntry, UploadError> {
    let open = task.file.open(&node.dir, &node.tails).await.map_err(UploadError::File)?;
    let now = node.env.clock.monotonic();
    let (segment, last) = match task.file.progress.begun() {
        None => begin(node, task, open.id()).await?,
        Some(begun) => match begun.last(now) {
            Some(last) => (begun.segment, last),
            // Its add may have come through all the same.
            None => match find(node, task, &open, begun.segment).await? {
                Some(entry) => return Ok(entry),
                None => begin(node, task, node.env.new_segment_id()).await?,
            },
        },
    };
    if segment == open.id() {
        return send(node, task, &open, segment, last).await;
    }
    let turn = node.rewrites.turn().await.ok_or(UploadError::Waits)?;
    let entry = send(node, task, &open, segment, last).await?;
    turn.taken();
    Ok(entry)
}

/// Puts it there under an id for which an add may still be sent.
async fn send(
    node: &Node,
    task: &Task,
    open: &OpenFile,
    segment: SegmentId,
    last: Monotonic,
) -> Result<SegmentEntry, UploadError> {
    let object = object(node, task, open, segment).await?;
    let carried = match object.bytes {
        Some(bytes) if object.entry.object_bytes < EMBED_BELOW_BYTES => Some(bytes),
        bytes => {
            let key = Key::segment(&task.tenant.id, object.entry.partition, segment);
            match bytes {
                Some(bytes) => node.store.put(&key, bytes).await?,
                None => node.store.put_source(&key, &UploadSource::new(&node.dir, &task.file)).await?,
            }
            None
        }
    };
    let new = NewSegment { entry: object.entry, carried };
    let (partition, fact) = (new.entry.partition, fact_of(segment));
    let started = node.env.clock.monotonic();
    let added = node.catalog.add(&task.tenant.id, partition, fact, vec![new.clone()], last).await;
    let status = added.as_ref().map_or_else(|error| error.kind().http(), |_| 200);
    node.metrics.count_announced(status, node.env.clock.monotonic().since(started));
    let added = added.map_err(UploadError::Add)?;
    Ok(added.into_iter().next().unwrap_or(new.entry))
}

/// The fact that announces a segment has its id, so that whoever knows the segment can ask for the fact by its
/// name.
const fn fact_of(segment: SegmentId) -> FactId {
    FactId::from_u128(segment.as_u128())
}

/// Says in the log, before anything is sent, what it is sent as. Gives until when the add may be sent.
async fn begin(node: &Node, task: &Task, segment: SegmentId) -> Result<(SegmentId, Monotonic), UploadError> {
    let record = encode_begun(&task.tenant.id, Begun { file: task.file.id(), segment });
    let logged = note(node, record).await?;
    let at = node.env.clock.monotonic();
    task.file.progress.begin(Begin { segment, at: Some(at), logged });
    Ok((segment, at.plus(UPLOAD_LASTS)))
}

/// Whether the catalog has a segment of the file.
async fn find(
    node: &Node,
    task: &Task,
    open: &OpenFile,
    segment: SegmentId,
) -> Result<Option<SegmentEntry>, UploadError> {
    let totals = open.segment().totals();
    let partition = partition_of(totals.first_time, totals.last_time);
    let tenant = &task.tenant.id;
    let added = node.catalog.find_add(tenant, partition, fact_of(segment)).await;
    let added = added.map_err(UploadError::Find)?.unwrap_or_default();
    if let Some(entry) = added.into_iter().find(|entry| entry.id == segment) {
        return Ok(Some(entry));
    }
    // A fact that was folded long ago is there no more.
    let view = node.catalog.view(tenant, partition, Duration::ZERO).await;
    let view = view.map_err(UploadError::Find)?;
    if let Some(entry) = view.segments().find(|entry| entry.id == segment) {
        return Ok(Some(entry.clone()));
    }
    if view.is_removed(segment) {
        // Its rows are in others by now; planners know that too.
        return Ok(Some(SegmentEntry { id: segment, ..entry_of(open.segment(), task.file.bytes)? }));
    }
    Ok(None)
}

/// What is to be uploaded as a segment of that id.
async fn object(
    node: &Node,
    task: &Task,
    open: &OpenFile,
    segment: SegmentId,
) -> Result<Object, UploadError> {
    let is_own = segment == open.id();
    let is_small = task.file.bytes < EMBED_BELOW_BYTES;
    let source = UploadSource::new(&node.dir, &task.file);
    let whole = if is_own && !is_small { None } else { Some(read_all(&source).await?) };
    let (file, stored) = (Arc::clone(&task.file), open.clone());
    let make = move || -> Result<Object, UploadError> {
        match whole {
            Some(whole) if !is_own => {
                let bytes: Bytes = rewrite(stored.segment(), &whole, segment)?.bytes.into();
                let length = bytes.len() as u64;
                let written = Segment::open(&bytes, length).map_err(RewriteError::Open)?;
                Ok(Object { entry: entry_of(&written, length)?, bytes: Some(bytes) })
            }
            bytes => Ok(Object { entry: entry_of(stored.segment(), file.bytes)?, bytes }),
        }
    };
    blocking(&*node.dir, make).await.map_err(UploadError::File)?
}

async fn read_all(source: &UploadSource) -> Result<Bytes, UploadError> {
    let length = usize::try_from(source.size()).unwrap_or(usize::MAX);
    let read = source.read(0, length).await;
    read.map_err(|error| UploadError::File(CallError::new(ErrorKind::Internal, error.to_string())))
}

/// From here on readers are given its name.
async fn announce(node: &Node, task: &Task, entry: SegmentEntry) -> Result<(), UploadError> {
    let announced = Announced { file: task.file.id(), entry };
    let logged = note(node, encode_announced(&task.tenant.id, &announced)).await?;
    let since = node.env.clock.monotonic();
    let handed = Arc::new(HandedOver::new(Arc::clone(&task.file), announced.entry, since, logged));
    task.tenant.shelf.hand_over(Arc::clone(&handed));
    node.disk.hand_over(task.file.bytes);
    node.handed_over.put(&task.tenant, handed);
    task.file.progress.announce();
    Ok(())
}
