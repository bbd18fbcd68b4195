use bytes::Bytes;
use larch_proto::ResultEntry;

use super::*;

fn streams(texts: &[&str]) -> Vec<Labels> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn labels_that_tell_nothing_are_left_out() {
    let streams = streams(&[
        r#"{__tenant_id__="x", app="a", flag="0", id="f81d4fae-7dec-11d0-a765-00a0c91e6bf6", level="1", pod="1"}"#,
        r#"{__tenant_id__="x", app="b", flag="1", id="12", level="2", mixed="1", pod="2"}"#,
        r#"{__tenant_id__="x", app="c", mixed="y"}"#,
    ]);
    let shown = |shows_tenant| -> Vec<(String, u64)> {
        let labels = cardinalities(&streams, shows_tenant);
        labels.into_iter().map(|label| (label.label, label.cardinality)).collect()
    };
    let pairs = [("flag", 2), ("mixed", 2), ("pod", 2), ("app", 3)].map(|(name, n)| (name.to_owned(), n));
    assert_eq!(shown(true), pairs);
    assert_eq!(shown(false)[0], ("__tenant_id__".to_owned(), 1));
    assert!(cardinalities(&[], false).is_empty());
}

fn pairs(labels: &[(&str, &str)]) -> Vec<Pair> {
    labels.iter().map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() }).collect()
}

/// Metadata, what the query's own parsers found, and the line.
type RowText<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], &'a str);

fn fields_of(rows: &[RowText<'_>], max_fields: u32) -> Fields {
    let mut batch = EntryBatch::default();
    for (place, (metadata, parsed, line)) in rows.iter().enumerate() {
        batch.labels.push(ResultLabels {
            stream: pairs(&[("app", "shop")]),
            metadata: pairs(metadata),
            parsed: pairs(parsed),
        });
        batch.entries.push(ResultEntry {
            stream: 0,
            labels: place as u32,
            timestamp: Timestamp::EPOCH,
            line: Bytes::copy_from_slice(line.as_bytes()),
        });
    }
    let mut fields = Fields::new(max_fields);
    fields.add(&batch);
    fields
}

/// Each field as one line.
fn shown(fields: Fields) -> Vec<String> {
    let line = |field: DetectedField| {
        let path = field.json_path.join("/");
        format!("{} {} {} {} {path}", field.label, field.kind, field.cardinality, field.parsers.join("+"))
    };
    fields.into_fields().into_iter().map(line).collect()
}

#[test]
fn fields_of_metadata_json_and_logfmt() {
    let rows: [RowText<'_>; 5] = [
        (
            &[("detected_level", "info")],
            &[],
            r#"{"user": {"id": 7, "X-Name": "a"}, "app": "x", "size": "3 KiB"}"#,
        ),
        (&[("detected_level", "warn")], &[], r#"{"user": {"id": 8}, "took": "1.5s"}"#),
        (&[], &[], "user_id=9 took=2s ok=true"),
        (&[], &[], "no fields here"),
        (&[], &[("found", "1.5"), ("__error__", "JSONParserErr")], "neither here"),
    ];
    assert_eq!(
        shown(fields_of(&rows, 1000)),
        [
            "app_extracted string 1 json app",
            "detected_level string 2  ",
            "found float 1  ",
            "ok boolean 1 logfmt ",
            "size bytes 1 json size",
            "took duration 2 json+logfmt took",
            "user_X_Name string 1 json user/X-Name",
            "user_id int 3 json+logfmt user/id",
        ]
    );
    assert_eq!(fields_of(&rows, 1000).into_values("user_id"), ["7", "8", "9"]);
    assert_eq!(fields_of(&rows, 1000).into_values("size"), ["3.1kB"]);
    assert!(fields_of(&rows, 1000).into_values("none").is_empty());
    assert_eq!(fields_of(&rows, 2).into_fields().len(), 2);
}
