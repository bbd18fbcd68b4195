//! Rows of an answer as streams.

use larch_logql::{Direction, LogParams, Steps, StreamKey, group_rows, parse};
use larch_types::{Labels, Span, Timestamp};

use crate::rows::{Answer, LIMITS, OwnedRow, evaluate};

/// Streams as `labels: lines`, each line with what is not in the stream's labels.
fn streams(query: &str, key: StreamKey) -> Vec<String> {
    let mut rows = Vec::new();
    for (second, pod, line) in [(1, "b", "lvl=x"), (2, "a!", "lvl=x"), (3, "a", "lvl=y"), (4, "b", "lvl=x")] {
        let labels = Labels::from_pairs([("pod", pod)]).expect("labels");
        let mut row = OwnedRow::new(labels, Timestamp::from_secs(second), 0, line.as_bytes());
        row.metadata.push(("user".to_owned(), "bob".to_owned()));
        rows.push(row);
    }
    let end = Timestamp::from_secs(10);
    let params = LogParams {
        start: Timestamp::EPOCH,
        end,
        direction: Direction::Backward,
        limit: 10,
        interval: Span::ZERO,
        now: end,
    };
    let expr = parse(query).expect(query);
    let answer = evaluate(&expr, params, Steps::at(end), &LIMITS, &rows);
    let Ok(Answer::Rows(rows)) = answer else { panic!("{answer:?}") };
    let mut out = Vec::new();
    for stream in group_rows(rows, key) {
        let mut text = format!("{}:", stream.labels);
        for row in stream.rows {
            let seconds = row.timestamp.nanos() / 1_000_000_000;
            text.push_str(&format!(" {seconds} m{} p{}", row.labels.metadata, row.labels.parsed));
        }
        out.push(text);
    }
    out
}

#[test]
fn by_all_labels() {
    // In the order of the text, where the quotation mark counts: `a!` comes before `a"`.
    let meta = r#"m{user="bob"} p"#;
    assert_eq!(
        streams(r#"{pod=~".+"} | logfmt"#, StreamKey::AllLabels),
        [
            format!(r#"{{lvl="x", pod="a!", user="bob"}}: 2 {meta}{{lvl="x"}}"#),
            format!(r#"{{lvl="x", pod="b", user="bob"}}: 4 {meta}{{lvl="x"}} 1 {meta}{{lvl="x"}}"#),
            format!(r#"{{lvl="y", pod="a", user="bob"}}: 3 {meta}{{lvl="y"}}"#),
        ]
    );
}

#[test]
fn by_stream_labels() {
    assert_eq!(
        streams(r#"{pod=~".+"} | logfmt | lvl="x" | label_format user="eve""#, StreamKey::StreamLabels),
        [
            r#"{pod="a!"}: 2 m{} p{lvl="x", user="eve"}"#,
            r#"{pod="b"}: 4 m{} p{lvl="x", user="eve"} 1 m{} p{lvl="x", user="eve"}"#,
        ]
    );
    assert_eq!(
        streams(r#"{pod="b"} | drop pod"#, StreamKey::StreamLabels),
        [r#"{}: 4 m{user="bob"} p{} 1 m{user="bob"} p{}"#]
    );
}
