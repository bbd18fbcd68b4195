//! What a client is told about a stream whose part of a push was refused.

use std::fmt::Write;

use larch_proto::{AppendEntry, AppendStream, Failure};
use larch_types::{ByteSize, ErrorKind, TenantId, Timestamp};

/// The tenant has as many active streams as it may have.
pub(crate) fn too_many_streams(tenant: &TenantId, stream: &AppendStream) -> Failure {
    let text = format!(
        "maximum active stream limit exceeded when trying to create stream {}, reduce the number of active \
         streams (reduce labels or reduce label values), or contact your Loki administrator to see if the \
         limit can be increased, user: '{tenant}'",
        stream.labels
    );
    Failure { kind: ErrorKind::TooMany, text }
}

/// The stream grows faster than it may. Some rows are named, each with its own size; 0 names all.
pub(crate) fn too_fast(tenant: &TenantId, stream: &AppendStream, rate: u64, most_named: u32) -> Failure {
    let (limit, labels) = (ByteSize::bytes(rate), &stream.labels);
    let named = if most_named == 0 { usize::MAX } else { most_named as usize };
    let mut text = String::new();
    for entry in stream.entries.iter().take(named) {
        let (time, size) = (go_time(entry.timestamp), ByteSize::bytes(entry.line.len() as u64));
        writeln_infallible(
            &mut text,
            format_args!(
                "entry with timestamp {time} ignored, reason: 'Per stream rate limit exceeded (limit: \
                 {limit}/sec) while attempting to ingest for stream '{labels}' totaling {size}, consider \
                 splitting a stream via additional labels or contact your Loki administrator to see if the \
                 limit can be increased',\n"
            ),
        );
    }
    let count = stream.entries.len();
    writeln_infallible(
        &mut text,
        format_args!("user '{tenant}', total ignored: {count} out of {count} for stream: {labels}"),
    );
    Failure { kind: ErrorKind::TooMany, text }
}

pub(crate) fn line_bytes(entries: &[AppendEntry]) -> u64 {
    entries.iter().map(|entry| entry.line.len() as u64).sum()
}

/// A text takes whatever is written.
fn writeln_infallible(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _always_ok = text.write_fmt(arguments);
}

/// As Go prints a time: `2026-10-01 00:00:22.494853 +0000 UTC`.
fn go_time(time: Timestamp) -> String {
    let text = time.to_string().replace('T', " ");
    format!("{} +0000 UTC", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn stream(rows: u32) -> AppendStream {
        let entry = |index| AppendEntry {
            timestamp: Timestamp::from_nanos(1_790_812_822_494_853_000 + i64::from(index)),
            line: Bytes::from_static(b"0123456789"),
            metadata: Vec::new(),
            index,
            level: None,
        };
        let entries = (0..rows).map(entry).collect();
        AppendStream {
            labels: "{app=\"checkout\"}".to_owned(),
            write_shard: None,
            replica_set: 0,
            entries,
            policy: String::new(),
            write_shards: 0,
        }
    }

    #[test]
    fn texts_are_those_of_loki() {
        let tenant: TenantId = "acme".parse().unwrap();
        assert_eq!(
            too_many_streams(&tenant, &stream(1)).text,
            "maximum active stream limit exceeded when trying to create stream {app=\"checkout\"}, reduce the \
             number of active streams (reduce labels or reduce label values), or contact your Loki \
             administrator to see if the limit can be increased, user: 'acme'"
        );
        let reason = "Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream \
                      '{app=\"checkout\"}' totaling 10B, consider splitting a stream via additional labels or \
                      contact your Loki administrator to see if the limit can be increased";
        assert_eq!(
            too_fast(&tenant, &stream(3), 3 << 20, 2).text,
            format!(
                "entry with timestamp 2026-10-01 00:00:22.494853 +0000 UTC ignored, reason: '{reason}',\n\
                 entry with timestamp 2026-10-01 00:00:22.494853001 +0000 UTC ignored, reason: '{reason}',\n\
                 user 'acme', total ignored: 3 out of 3 for stream: {{app=\"checkout\"}}"
            )
        );
        assert_eq!(too_fast(&tenant, &stream(3), 3 << 20, 0).text.matches("ignored, reason").count(), 3);
    }
}
