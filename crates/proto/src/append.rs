//! A push on its way from a distributor to an ingester.

use bytes::Bytes;
use larch_types::{NodeId, PushStamp, Timestamp, WriteShard};

use crate::check::{id, list, node_id, place, place_if_set, to_id, to_list};
use crate::{Failure, InvalidMessage, Pair, RingDigest, WalPosition, wire};

/// More replicas than any replication factor asks for.
const MAX_REPLICAS: usize = 16;

/// The nodes that were chosen for a stream, its owner first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplicaSet {
    pub nodes: Vec<NodeId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendEntry {
    pub timestamp: Timestamp,
    pub line: Bytes,
    /// As pushed, without the detected level.
    pub metadata: Vec<Pair>,
    /// Place in the whole push.
    pub index: u32,
    /// Place in the request's levels.
    pub level: Option<u32>,
}

/// A stream's part of a push: taken whole or refused whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendStream {
    /// Canonical label text. Whoever sees it for the first time checks it by making labels of it.
    pub labels: String,
    pub write_shard: Option<WriteShard>,
    /// Place in the request's replica sets.
    pub replica_set: u32,
    pub entries: Vec<AppendEntry>,
    /// The tenant's policy that the stream belongs to; empty if it has none.
    pub policy: String,
    /// Over how many write shards these rows are spread: each may grow as fast as a stream may. 0 means one.
    pub write_shards: u32,
}

/// Places were checked where the request came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendRequest {
    pub stamp: PushStamp,
    pub replica_sets: Vec<ReplicaSet>,
    /// Detected levels.
    pub levels: Vec<String>,
    pub streams: Vec<AppendStream>,
}

/// Which limit refused a stream, where that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The tenant has as many streams as it may have.
    StreamLimit,
    /// The stream grows faster than it may.
    StreamRate,
}

/// What became of a stream's part of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamOutcome {
    /// `None`: it was taken.
    pub refusal: Option<Failure>,
    /// Why it was refused, for those who count.
    pub reason: Option<RefusalReason>,
    pub duplicate_rows: u64,
    pub duplicate_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendResponse {
    pub node: NodeId,
    /// One for each stream, in the request's order. The caller compares the numbers.
    pub outcomes: Vec<StreamOutcome>,
    /// Fsynced before the answer.
    pub synced: bool,
    pub wal_position: WalPosition,
    pub ring_digest: RingDigest,
}

// === conversions ===

impl From<ReplicaSet> for wire::ingest::ReplicaSet {
    fn from(set: ReplicaSet) -> Self {
        Self { node_ids: set.nodes.iter().map(|node| to_id(node.as_u128())).collect() }
    }
}

impl TryFrom<wire::ingest::ReplicaSet> for ReplicaSet {
    type Error = InvalidMessage;

    fn try_from(set: wire::ingest::ReplicaSet) -> Result<Self, InvalidMessage> {
        if set.node_ids.is_empty() || set.node_ids.len() > MAX_REPLICAS {
            let reason = format!("{} nodes, expected 1 to {MAX_REPLICAS}", set.node_ids.len());
            return Err(InvalidMessage::new("node_ids", reason));
        }
        let mut nodes = Vec::with_capacity(set.node_ids.len());
        for (index, bytes) in set.node_ids.iter().enumerate() {
            nodes.push(node_id(&format!("node_ids[{index}]"), bytes)?);
        }
        Ok(Self { nodes })
    }
}

impl From<AppendRequest> for wire::ingest::AppendRequest {
    fn from(request: AppendRequest) -> Self {
        Self {
            push_stamp: to_id(request.stamp.0),
            replica_sets: to_list(request.replica_sets),
            levels: request.levels,
            streams: request.streams.into_iter().map(to_stream).collect(),
        }
    }
}

fn to_stream(stream: AppendStream) -> wire::ingest::AppendStream {
    let to_entry = |entry: AppendEntry| wire::ingest::AppendEntry {
        timestamp_ns: entry.timestamp.nanos(),
        line: entry.line,
        metadata: to_list(entry.metadata),
        index: entry.index,
        level: entry.level,
    };
    wire::ingest::AppendStream {
        labels: stream.labels,
        write_shard: stream.write_shard.map(|shard| shard.0),
        replica_set: stream.replica_set,
        entries: stream.entries.into_iter().map(to_entry).collect(),
        policy: stream.policy,
        write_shards: stream.write_shards,
    }
}

impl TryFrom<wire::ingest::AppendRequest> for AppendRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::AppendRequest) -> Result<Self, InvalidMessage> {
        let mut checked = Self {
            stamp: PushStamp(id("push_stamp", &request.push_stamp)?),
            replica_sets: list("replica_sets", request.replica_sets)?,
            levels: request.levels,
            streams: Vec::with_capacity(request.streams.len()),
        };
        for (index, one) in request.streams.into_iter().enumerate() {
            let one = stream(one, &checked).map_err(|error| error.inside(&format!("streams[{index}]")))?;
            checked.streams.push(one);
        }
        Ok(checked)
    }
}

fn stream(
    stream: wire::ingest::AppendStream,
    request: &AppendRequest,
) -> Result<AppendStream, InvalidMessage> {
    let replica_set = place("replica_set", stream.replica_set, request.replica_sets.len())?;
    let mut entries = Vec::with_capacity(stream.entries.len());
    for (index, one) in stream.entries.into_iter().enumerate() {
        let one = entry(one, request.levels.len());
        entries.push(one.map_err(|error| error.inside(&format!("entries[{index}]")))?);
    }
    let write_shard = stream.write_shard.map(WriteShard);
    Ok(AppendStream {
        labels: stream.labels,
        write_shard,
        replica_set,
        entries,
        policy: stream.policy,
        write_shards: stream.write_shards,
    })
}

fn entry(entry: wire::ingest::AppendEntry, levels: usize) -> Result<AppendEntry, InvalidMessage> {
    Ok(AppendEntry {
        timestamp: Timestamp::from_nanos(entry.timestamp_ns),
        line: entry.line,
        metadata: list("metadata", entry.metadata)?,
        index: entry.index,
        level: place_if_set("level", entry.level, levels)?,
    })
}

impl From<AppendResponse> for wire::ingest::AppendResponse {
    fn from(response: AppendResponse) -> Self {
        let to_outcome = |outcome: StreamOutcome| wire::ingest::StreamOutcome {
            refusal: outcome.refusal.map(Into::into),
            duplicate_rows: outcome.duplicate_rows,
            duplicate_bytes: outcome.duplicate_bytes,
            reason: to_reason(outcome.reason).into(),
        };
        Self {
            node_id: to_id(response.node.as_u128()),
            outcomes: response.outcomes.into_iter().map(to_outcome).collect(),
            synced: response.synced,
            wal_position: response.wal_position.0,
            ring_digest: response.ring_digest.0,
        }
    }
}

impl TryFrom<wire::ingest::AppendResponse> for AppendResponse {
    type Error = InvalidMessage;

    fn try_from(response: wire::ingest::AppendResponse) -> Result<Self, InvalidMessage> {
        let outcome = |outcome: wire::ingest::StreamOutcome| StreamOutcome {
            reason: reason(outcome.reason()),
            refusal: outcome.refusal.map(Into::into),
            duplicate_rows: outcome.duplicate_rows,
            duplicate_bytes: outcome.duplicate_bytes,
        };
        Ok(Self {
            node: node_id("node_id", &response.node_id)?,
            outcomes: response.outcomes.into_iter().map(outcome).collect(),
            synced: response.synced,
            wal_position: WalPosition(response.wal_position),
            ring_digest: RingDigest(response.ring_digest),
        })
    }
}

fn to_reason(reason: Option<RefusalReason>) -> wire::ingest::RefusalReason {
    match reason {
        None => wire::ingest::RefusalReason::Unspecified,
        Some(RefusalReason::StreamLimit) => wire::ingest::RefusalReason::StreamLimit,
        Some(RefusalReason::StreamRate) => wire::ingest::RefusalReason::StreamRate,
    }
}

/// A reason that only a newer node knows is none.
fn reason(reason: wire::ingest::RefusalReason) -> Option<RefusalReason> {
    match reason {
        wire::ingest::RefusalReason::Unspecified => None,
        wire::ingest::RefusalReason::StreamLimit => Some(RefusalReason::StreamLimit),
        wire::ingest::RefusalReason::StreamRate => Some(RefusalReason::StreamRate),
    }
}
