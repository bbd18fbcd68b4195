//! Rows of several shards of streams as one sequence, in the order in which one worker would have shown them.

use std::cmp::Reverse;

use larch_proto::{Direction, EntryBatch, ResultEntry, ResultStream};
use larch_types::{Labels, StreamOrder, Timestamp};

use crate::error::ReadError;
use crate::run::Gathered;

/// Leaves the rows that are wanted with the first of the pieces, which are of one range of time.
///
/// All rows of a stream are in one shard and in order there. Between streams, rows of one time stand in the
/// order of the streams, in both directions.
pub(crate) fn merged_rows(
    gathered: &mut [Gathered],
    direction: Direction,
    wanted: u32,
    has_several_tenants: bool,
) -> Result<(), ReadError> {
    let mut merged = EntryBatch::default();
    let mut orders: Vec<StreamOrder> = Vec::new();
    for batch in gathered.iter_mut().flat_map(|piece| std::mem::take(&mut piece.entries)) {
        let EntryBatch { streams, labels, entries } = batch;
        let (first_stream, first_labels) = (place(merged.streams.len()), place(merged.labels.len()));
        for stream in streams {
            orders.push(order_of(&stream, has_several_tenants)?);
            merged.streams.push(stream);
        }
        merged.labels.extend(labels);
        for entry in entries {
            let (stream, labels) = (entry.stream + first_stream, entry.labels + first_labels);
            merged.entries.push(ResultEntry { stream, labels, ..entry });
        }
    }
    let order = |entry: &ResultEntry| orders.get(entry.stream as usize).copied();
    // The sort is stable: rows of one stream and time stay as they are.
    match direction {
        Direction::Forward => merged.entries.sort_by_key(|entry| (entry.timestamp, order(entry))),
        Direction::Backward => merged.entries.sort_by_key(|entry| (newest_first(entry), order(entry))),
    }
    merged.entries.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    if let Some(first) = gathered.first_mut() {
        first.entries = vec![merged];
    }
    Ok(())
}

fn newest_first(entry: &ResultEntry) -> Reverse<Timestamp> {
    Reverse(entry.timestamp)
}

/// Memory ends long before four thousand million of either.
fn place(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn order_of(stream: &ResultStream, has_several_tenants: bool) -> Result<StreamOrder, ReadError> {
    let malformed = |error: larch_types::InvalidLabels| ReadError::Malformed(error.to_string());
    let stored: Labels = stream.labels.parse().map_err(malformed)?;
    if !has_several_tenants {
        return Ok(StreamOrder::of(&stored));
    }
    Ok(StreamOrder::of(&stored.with_tenant(&stream.tenant).map_err(malformed)?))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use larch_proto::ResultLabels;

    use super::*;

    fn shard(stream: &str, rows: &[(i64, &str)]) -> Gathered {
        let entry = |(second, line): &(i64, &str)| ResultEntry {
            stream: 0,
            labels: 0,
            timestamp: Timestamp::from_secs(*second),
            line: Bytes::copy_from_slice(line.as_bytes()),
        };
        let streams = vec![ResultStream { tenant: "t".parse().unwrap(), labels: stream.to_owned() }];
        let labels = vec![ResultLabels { stream: Vec::new(), metadata: Vec::new(), parsed: Vec::new() }];
        // Each row in a batch of its own: places are those of the batch.
        let batch =
            |row| EntryBatch { streams: streams.clone(), labels: labels.clone(), entries: vec![entry(row)] };
        Gathered { entries: rows.iter().map(batch).collect(), ..Gathered::default() }
    }

    fn merged(direction: Direction, wanted: u32, several: bool) -> Vec<(String, String)> {
        let rows: &[(i64, &str)] = match direction {
            Direction::Forward => &[(1, "x"), (5, "y"), (5, "z"), (9, "w")],
            Direction::Backward => &[(9, "w"), (5, "z"), (5, "y"), (1, "x")],
        };
        let streams = [r#"{app="a"}"#, r#"{app="b"}"#, r#"{app="c", env="d"}"#];
        let mut shards: Vec<Gathered> = streams.iter().map(|stream| shard(stream, rows)).collect();
        merged_rows(&mut shards, direction, wanted, several).unwrap();
        let [batch] = shards[0].entries.as_slice() else { panic!("one batch") };
        let shown = |entry: &ResultEntry| {
            let line = String::from_utf8(entry.line.to_vec()).unwrap();
            (batch.streams[entry.stream as usize].labels.clone(), line)
        };
        batch.entries.iter().map(shown).collect()
    }

    #[test]
    fn streams_stand_in_their_order_at_each_time() {
        for several in [false, true] {
            let order = |text: &&str| {
                let labels: Labels = text.parse().unwrap();
                let tenant = "t".parse().unwrap();
                StreamOrder::of(&if several { labels.with_tenant(&tenant).unwrap() } else { labels })
            };
            let mut streams = [r#"{app="a"}"#, r#"{app="b"}"#, r#"{app="c", env="d"}"#];
            streams.sort_by_key(order);
            for (direction, times) in [
                (Direction::Forward, [&["x"][..], &["y", "z"], &["w"]]),
                (Direction::Backward, [&["w"][..], &["z", "y"], &["x"]]),
            ] {
                let mut want = Vec::new();
                for lines in times {
                    for stream in streams {
                        want.extend(lines.iter().map(|line| (stream.to_owned(), (*line).to_owned())));
                    }
                }
                assert_eq!(merged(direction, 100, several), want);
                assert_eq!(merged(direction, 5, several), want[..5]);
            }
        }
    }
}
