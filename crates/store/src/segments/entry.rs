//! What the catalog says of a segment, taken from the segment itself.

use larch_proto::{LabelSummary, Partition, SegmentEntry};
use larch_segment::{Corrupt, Index, Segment, Selector, Test};
use larch_types::Timestamp;

/// A label with more values is not summed up: there are many of the kind that names a container or a
/// request, and no plan gains by them.
const MOST_VALUES: usize = 16;

/// What the summaries of one segment may take together. Entries are kept in memory by the thousand, and
/// travel in snapshots and in answers.
const MOST_BYTES: usize = 512;

/// The day that all rows are of, or `wide`. Both times are included.
pub fn partition_of(first: Timestamp, last: Timestamp) -> Partition {
    if first.day() == last.day() { Partition::Day(first.day()) } else { Partition::Wide }
}

/// The entry of a segment of so many bytes that is, or is to be, an object of its own.
pub fn entry_of(segment: &Segment, object_bytes: u64) -> Result<SegmentEntry, Corrupt> {
    let (provenance, totals) = (segment.provenance(), segment.totals());
    let footer_offset = segment.tail_offset();
    let footer_bytes = u32::try_from(object_bytes.saturating_sub(footer_offset)).unwrap_or(u32::MAX);
    Ok(SegmentEntry {
        id: provenance.id,
        partition: partition_of(totals.first_time, totals.last_time),
        first: totals.first_time,
        last: totals.last_time,
        rows: totals.rows,
        raw_bytes: totals.raw_bytes,
        uploader: provenance.uploader,
        object_bytes,
        footer_offset,
        footer_bytes,
        embedded: None,
        label_summaries: label_summaries(segment.index())?,
        tombstones_applied: provenance.tombstones.clone(),
    })
}

/// All values of the labels that have few.
fn label_summaries(index: &Index) -> Result<Vec<LabelSummary>, Corrupt> {
    let (mut summaries, mut bytes) = (Vec::new(), 0);
    for name in index.label_names()? {
        let mut values = index.label_values(&name)?;
        if values.len() > MOST_VALUES {
            continue;
        }
        let without = index.select(&[Selector { name: &name, test: Test::Is("") }])?;
        if !without.is_empty() {
            values.push(String::new());
        }
        values.sort_unstable();
        values.dedup();
        let taken = name.len() + values.iter().map(String::len).sum::<usize>();
        if bytes + taken <= MOST_BYTES {
            bytes += taken;
            summaries.push(LabelSummary { name, values });
        }
    }
    Ok(summaries)
}

#[cfg(test)]
mod tests {
    use larch_segment::{Effort, Provenance, Row, SegmentBuilder};
    use larch_types::{NodeId, SegmentId};

    use super::*;

    fn segment(streams: &[&str], nanos: &[i64]) -> (Segment, u64) {
        let mut builder = SegmentBuilder::new();
        for labels in streams {
            let stream = builder.stream(&labels.parse().unwrap()).unwrap();
            for nanos in nanos {
                let timestamp = Timestamp::from_nanos(*nanos);
                let row = Row { timestamp, line: b"line", metadata: &[], level: None };
                builder.push(stream, &row, None).unwrap();
            }
        }
        let (inputs, siblings, tombstones) = (Vec::new(), Vec::new(), Vec::new());
        let (id, uploader) = (SegmentId::from_u128(7), NodeId::from_u128(9));
        let provenance = Provenance { id, uploader, inputs, siblings, tombstones };
        let bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes;
        let length = bytes.len() as u64;
        (Segment::open(&bytes.into(), length).unwrap(), length)
    }

    #[test]
    fn says_what_a_plan_needs() {
        let (segment, bytes) = segment(&[r#"{app="b", env="x"}"#, r#"{app="a"}"#], &[5, 7]);
        let entry = entry_of(&segment, bytes).unwrap();
        assert_eq!((entry.id.as_u128(), entry.uploader.as_u128(), entry.rows), (7, 9, 4));
        assert_eq!((entry.first.nanos(), entry.last.nanos()), (5, 7));
        assert_eq!(entry.partition.to_string(), "19700101");
        assert_eq!(entry.footer_offset + u64::from(entry.footer_bytes), bytes);
        let summary = |name: &str, values: &[&str]| LabelSummary {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        // A stream without the label has it empty.
        assert_eq!(entry.label_summaries, [summary("app", &["a", "b"]), summary("env", &["", "x"])]);
    }

    #[test]
    fn rows_of_two_days_are_wide() {
        let (segment, bytes) = segment(&[r#"{app="a"}"#], &[-1, 0]);
        assert_eq!(entry_of(&segment, bytes).unwrap().partition, Partition::Wide);
    }

    #[test]
    fn labels_with_many_values_are_left_out() {
        let streams: Vec<String> =
            (0..=MOST_VALUES).map(|pod| format!("{{app=\"a\", pod=\"{pod:02}\"}}")).collect();
        let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
        let (segment, bytes) = segment(&streams, &[1]);
        let names: Vec<String> =
            entry_of(&segment, bytes).unwrap().label_summaries.into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["app"]);
    }
}
