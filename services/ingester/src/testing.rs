//! Pushes and questions for tests.

use std::sync::Arc;

use bytes::Bytes;
use larch_proto::{
    AppendEntry, AppendRequest, AppendStream, Needle, NeedleGroup, Pair, ReplicaSet, Selection, Selector,
};
use larch_types::{MatchOp, Matcher, NodeId, PushStamp, Timestamp};

/// One row: its stream, time and line.
pub(crate) type Line<'a> = (&'a str, i64, &'a str);

/// A push of rows, in their order; rows of a stream come together in it.
pub(crate) fn push(stamp: u128, lines: &[Line<'_>]) -> Arc<AppendRequest> {
    let mut streams: Vec<AppendStream> = Vec::new();
    for (index, (labels, time, line)) in lines.iter().enumerate() {
        let place = streams.iter().position(|stream| stream.labels == *labels).unwrap_or_else(|| {
            let labels = (*labels).to_owned();
            streams.push(AppendStream {
                labels,
                write_shard: None,
                replica_set: 0,
                entries: Vec::new(),
                policy: String::new(),
                write_shards: 0,
            });
            streams.len() - 1
        });
        streams[place].entries.push(AppendEntry {
            timestamp: Timestamp::from_nanos(*time),
            line: Bytes::copy_from_slice(line.as_bytes()),
            metadata: vec![Pair { name: "n".into(), value: line.len().to_string().as_str().into() }],
            index: index as u32,
            level: Some(u32::from(line.contains("error"))),
        });
    }
    Arc::new(AppendRequest {
        stamp: PushStamp(stamp),
        replica_sets: vec![ReplicaSet { nodes: vec![NodeId::from_u128(1)] }],
        levels: vec!["info".to_owned(), "error".to_owned()],
        streams,
    })
}

pub(crate) fn selection(matchers: &[(&str, MatchOp, &str)], start: i64, end: i64) -> Selection {
    let matcher = |(name, op, value): &(&str, MatchOp, &str)| Matcher {
        name: (*name).to_owned(),
        op: *op,
        value: (*value).to_owned(),
    };
    let any_of = match matchers {
        [] => Vec::new(),
        matchers => vec![Selector { matchers: matchers.iter().map(matcher).collect() }],
    };
    Selection {
        any_of,
        policy: None,
        start: Timestamp::from_nanos(start),
        end: Timestamp::from_nanos(end),
        shard: None,
    }
}

pub(crate) fn needle(text: &str) -> NeedleGroup {
    let text = Bytes::copy_from_slice(text.as_bytes());
    NeedleGroup { any_of: vec![Needle { text, ignore_case: false }] }
}
