//! Both forms, their odd corners, and hostile bytes.

use super::*;
use crate::pushed::{PushedEntry, PushedLabels, PushedTime};
use crate::tests::mutations;

/// One line a row: labels, time, line and metadata; streams without rows too.
fn shown(streams: &[PushedStream]) -> Vec<String> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let mut rows = Vec::new();
    for stream in streams {
        let labels = match &stream.labels {
            PushedLabels::Text(labels) => text(labels),
            PushedLabels::Pairs(pairs) => format!("{pairs:?}"),
        };
        if stream.entries.is_empty() {
            rows.push(format!("{labels} -"));
        }
        for PushedEntry { time, line, metadata } in &stream.entries {
            let time = match time.timestamp() {
                Some(time) => time.nanos().to_string(),
                None => "none".to_owned(),
            };
            let mut row = format!("{labels} {time} {}", text(line));
            for pair in metadata {
                row.push_str(&format!(" {}={}", text(&pair.name), text(&pair.value)));
            }
            rows.push(row);
        }
    }
    rows
}

#[track_caller]
fn reads(dialect: Dialect, body: &str, want: &[&str]) {
    match read_json(&Bytes::copy_from_slice(body.as_bytes()), dialect) {
        Ok(streams) => assert_eq!(shown(&streams), want, "{body}"),
        Err(error) => panic!("{body}: {error}"),
    }
}

#[track_caller]
fn reads_values(values: &str, want: &[&str]) {
    let body = format!(r#"{{"streams":[{{"stream":{{"a":"1"}},"values":{values}}}]}}"#);
    let want: Vec<String> = want.iter().map(|row| format!("[(\"a\", \"1\")] {row}")).collect();
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    reads(Dialect::V1, &body, &want);
}

#[test]
fn v1() {
    let v1 = Dialect::V1;
    for empty in ["{}", "null", r#"{"streams":[]}"#, r#"{"streams":null}"#, r#"{"x":[{}]} trailing"#] {
        reads(v1, empty, &[]);
    }
    reads(
        v1,
        r#"{"streams":[{"stream":{"b":"2","a":"1"},"values":[["5","x"]]},{"values":[["6","y"]]}], "z":{"streams":[1]}}"#,
        &[r#"[("a", "1"), ("b", "2")] 5 x"#, " 6 y"],
    );
    reads(v1, r#"{"streams":[{"stream":{},"values":[["5","x"]]}]}{"streams":1}"#, &["[] 5 x"]);
    // What comes twice is there twice, but for labels, of which the last counts.
    reads(
        v1,
        r#"{"streams":[{"stream":{"a":"1","a":"2"},"values":[["5","x"]],"values":[["6","y"]]}],"streams":[{}]}"#,
        &[r#"[("a", "2")] 5 x"#, r#"[("a", "2")] 6 y"#, " -"],
    );
    reads(
        v1,
        r#"{"streams":[{"stream":{"a":5,"b":true,"c":1.50,"d":null,"e":"\u00e4\"","f":1e400}}]}"#,
        &[r#"[("a", "5"), ("b", "true"), ("c", "1.50"), ("d", "null"), ("e", "ä\""), ("f", "1e400")] -"#],
    );
    reads(
        v1,
        r#"{"streams":[{"stream":{"a":{ "b": [1,"}"] },"c":[]}}]}"#,
        &[r#"[("a", "{ \"b\": [1,\"}\"] }"), ("c", "[]")] -"#],
    );
    reads(
        v1,
        r#"{"Streams":[{"stream":{"a":"1"},"Values":[["5","x"]],"values":[["6","y"]]}]}"#,
        &[r#"[("a", "1")] 6 y"#],
    );
    reads(
        v1,
        r#"{"streams":[{"labels":"{a=\"1\"}","entries":[{"ts":"1970-01-01T00:00:01Z","line":"old form"}]}]}"#,
        &[r#"{a="1"} 1000000000 old form"#],
    );
}

#[test]
fn v1_values() {
    reads_values("null", &["-"]);
    reads_values("[]", &["-"]);
    reads_values("[null, null]", &["-"]);
    reads_values(r#"[["-5","x"],null,["007","y"]]"#, &["-5 x", "7 y"]);
    reads_values(r#"[["123"],[]]"#, &["123 ", "none "]);
    reads_values(r#"[["1","x",{"k":"v","k":"w"},"more",{"deep":[[[]]]},5]]"#, &["1 x k=v k=w"]);
    reads_values(
        r#"[["1","tab\t quote\" \u00e4 \ud83d\ude00",{"k\n":"v\\"}]]"#,
        &["1 tab\t quote\" ä 😀 k\n=v\\"],
    );
    reads_values("[[\"1\",\"a raw\ttab\"]]", &["1 a raw\ttab"]);
}

#[test]
fn legacy() {
    let legacy = Dialect::Legacy;
    reads(
        legacy,
        r#"{"streams":[{"labels":"{a=\"1\"}","entries":[
            {"ts":"2026-10-01T02:00:22.494853Z","line":"x","structuredMetadata":{"k":"v"}},
            {"ts":"2026-10-01T04:00:22.494853001+02:00","line":"y\n","more":[{}]},
            null, {"line":null,"ts":null,"structuredMetadata":null}, {"ts":"1969-12-31T23:59:59.5Z"}]}]}"#,
        &[
            r#"{a="1"} 1790820022494853000 x k=v"#,
            "{a=\"1\"} 1790820022494853001 y\n",
            r#"{a="1"} none "#,
            r#"{a="1"} -500000000 "#,
        ],
    );
    reads(legacy, r#"{"streams":[{"stream":{"a":"1"},"values":[["5","x"]]}]}"#, &[" -"]);
    reads(legacy, r#"{"streams":[{"labels":"{}","entries":null}]}"#, &["{} -"]);
    reads(
        legacy,
        r#"{"STREAMS":[{"Labels":"{}","Entries":[{"TS":"1970-01-01T00:00:01Z","Line":"x"}]}]}"#,
        &["{} 1000000000 x"],
    );
}

#[test]
fn refused() {
    let stream = |inner: &str| format!(r#"{{"streams":[{{{inner}}}]}}"#);
    let values = |inner: &str| stream(&format!(r#""values":[{inner}]"#));
    let entries = |inner: &str| stream(&format!(r#""entries":[{inner}]"#));
    for body in [
        String::new(),
        "x".into(),
        "[]".into(),
        "5".into(),
        "{".into(),
        r#"{"streams":{}}"#.into(),
        r#"{"streams":"x"}"#.into(),
        r#"{"streams":[null]}"#.into(),
        r#"{"streams":[5]}"#.into(),
        r#"{"streams":[{}]"#.into(),
        stream(r#""stream":null"#),
        stream(r#""stream":[]"#),
        stream(r#""stream":{"a":{1}}"#),
        stream(r#""labels":5"#),
        stream(r#""values":{}"#),
        values("5"),
        values(r#"{"0":"1"}"#),
        values(r#"[5,"x"]"#),
        values(r#"[null,"x"]"#),
        values(r#"["x","x"]"#),
        values(r#"["","x"]"#),
        values(r#"["+7","x"]"#),
        values(r#"["1.5","x"]"#),
        values(r#"["9223372036854775808","x"]"#),
        values(r#"["1",5]"#),
        values(r#"["1",null]"#),
        values(r#"["1",["x"]]"#),
        values(r#"["1","x",null]"#),
        values(r#"["1","x",5]"#),
        values(r#"["1","x",[]]"#),
        values(r#"["1","x",{"k":5}]"#),
        values(r#"["1","x",{"k":null}]"#),
        values(r#"["1","x",{"k":{}}]"#),
        values(r#"["1","\q"]"#),
        entries("5"),
        entries("[]"),
        entries(r#"{"ts":5}"#),
        entries(r#"{"ts":"yesterday"}"#),
        entries(r#"{"ts":"-000001-01-01T00:00:00Z"}"#),
        entries(r#"{"line":5}"#),
        entries(r#"{"structuredMetadata":{"k":5}}"#),
    ] {
        let read = read_json(&Bytes::copy_from_slice(body.as_bytes()), Dialect::V1);
        assert!(matches!(read, Err(DecodeError::Invalid(_))), "{body}: {read:?}");
    }
    let long = values(&format!(r#"["1",{{"{}":1}}]"#, "k".repeat(5000)));
    let text = read_json(&Bytes::from(long), Dialect::V1).unwrap_err().to_string();
    assert!(text.len() <= 512, "{text}");
}

#[test]
fn lines_are_slices_of_the_body_and_need_not_be_utf8() {
    let mut bytes = br#"{"streams":[{"values":[["1","a line",{"k":"v"}],["2","?"]]}]}"#.to_vec();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    let body = Bytes::from(bytes);
    let streams = read_json(&body, Dialect::V1).unwrap();
    let [first, second] = streams[0].entries.as_slice() else { panic!("two rows") };
    for slice in [&first.line, &first.metadata[0].name, &first.metadata[0].value] {
        assert!(body.as_ptr_range().contains(&slice.as_ptr()));
    }
    assert_eq!(&second.line[..], b"\xff");
    assert_eq!(first.time, PushedTime::from_nanos(1));
}

#[test]
fn deep_json_needs_no_stack() {
    const DEPTH: usize = 1_000_000;
    for open in ["[", "{\"a\":"] {
        for before in ["{\"x\":", "{\"streams\":[{\"x\":", "{\"streams\":[{\"values\":[[\"1\",\"x\",{},"] {
            let body = format!("{before}{}", open.repeat(DEPTH));
            assert!(read_json(&Bytes::from(body), Dialect::V1).is_err());
        }
        for before in
            ["{\"streams\":[{\"stream\":{\"a\":", "{\"streams\":[{\"values\":[[\"1\",", "{\"streams\":"]
        {
            let body = format!("{before}{}", open.repeat(DEPTH));
            assert!(read_json(&Bytes::from(body), Dialect::V1).is_err());
        }
    }
    let deep = format!("{{\"x\":{}{},\"streams\":[{{}}]}}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    reads(Dialect::V1, &deep, &[" -"]);
}

#[test]
fn elements_are_bounded() {
    let body = Bytes::from(r#"{"streams":[{"values":[["1","x",{"k":"v"}],["2","y"]]}]}"#);
    let read = |elements| {
        let streams =
            read_push(Reading { body: &body, dialect: Dialect::V1, allowance: Allowance::of(elements) });
        streams.map(|streams| streams.len())
    };
    assert_eq!(read(4), Ok(1), "a stream, two rows and a pair");
    for elements in 0..4 {
        assert_eq!(read(elements), Err(DecodeError::TooMany));
    }
}

#[test]
fn damaged_bodies_never_panic() {
    let corpus: Vec<Vec<u8>> = [
        r#"{"streams":[{"stream":{"app":"a","n":5},"values":[["1790812822494853000","l\u00e4\n",{"k":"v"}],null]}]}"#,
        r#"{"streams":[{"labels":"{a=\"1\"}","entries":[{"ts":"2026-10-01T04:00:22.4+02:00","line":"y"},null]}]}"#,
        r#"{"a":[[{}],1.5e3,null,true],"streams":null}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    mutations(&corpus, crate::fuzz_json);
}
