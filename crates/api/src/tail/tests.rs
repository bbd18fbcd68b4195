use expect_test::{Expect, expect};
use larch_logql::EntryLabels;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn read(query: &str) -> Result<TailRequest, InvalidTail> {
    // Plus signs and percents are not used here.
    TailRequest::read(&Form::parse(&[], query).unwrap(), NOW)
}

fn current(flags: &str) -> TailShape {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-loki-response-encoding-flags", flags.parse().unwrap());
    TailShape::Current(EncodingFlags::read(&headers))
}

#[test]
fn parameters() {
    let request = read(r#"query={a="b"} |= "x""#).unwrap();
    assert_eq!(request.query.to_string(), r#"{a="b"} |= "x""#);
    assert_eq!((request.delay, request.limit, request.start), (Span::ZERO, 100, NOW.minus(DEFAULT_SINCE)));
    for (start, nanos) in [
        ("1700000000", 1_700_000_000_000_000_000),
        ("1700000000.5", 1_700_000_000_500_000_000),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
    ] {
        let request = read(&format!(r#"query={{a="b"}}&start={start}&limit=7&delay_for=5&limit=9"#)).unwrap();
        assert_eq!(request.start.nanos(), nanos, "{start}");
        assert_eq!((request.limit, request.delay), (7, Span::from_secs(5)));
    }
    let request = read(r#"query={a="b"} | json&regexp=a"b"#).unwrap();
    assert_eq!(request.query.to_string(), r#"{a="b"} | json |~ "a\"b""#);
}

#[test]
fn refusals() {
    let check = |query: &str, text: &str| {
        let error = read(query).unwrap_err();
        assert_eq!(error.to_string(), text, "{query}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    };
    check("limit=1", "parse error : syntax error: unexpected $end");
    check(r#"query={a="b"}&limit=0"#, "limit must be a positive value");
    check(r#"query={a="b"}&limit=x"#, r#"strconv.Atoi: parsing "x": invalid syntax"#);
    check(r#"query={a="b"}&limit=4294967296"#, "limit value 4294967296 is out of range [0, 4294967295]");
    check(r#"query={a="b"}&delay_for=6"#, "delay_for can't be greater than 5");
    check(r#"query={a="b"}&delay_for=-1"#, "delay_for can't be greater than 5");
    check(r#"query=rate({a="b"}[1m])"#, "only log selector is supported");
    check(
        r#"query={a="b"}&start=soon"#,
        r#"could not parse 'start' parameter: strconv.ParseInt: parsing "soon": invalid syntax"#,
    );
    let regex = read(r#"query={a="b"}&regexp=("#).unwrap_err().to_string();
    assert!(regex.starts_with("parse error"), "{regex}");
}

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied())
}

fn row(nanos: i64, line: &[u8], metadata: &[(&str, &str)], parsed: &[(&str, &str)]) -> LogRow {
    let stream = Arc::new(set(&[("app", "a<b"), ("service_name", "s")]));
    LogRow {
        timestamp: Timestamp::from_nanos(nanos),
        line: line.into(),
        labels: EntryLabels { stream, metadata: set(metadata), parsed: set(parsed) },
    }
}

#[track_caller]
fn check(shape: &TailShape, rows: &[LogRow], dropped: &[DroppedEntry], want: Expect) {
    let frame = shape.frame(rows, dropped);
    serde_json::from_str::<Value>(&frame).expect("a frame is JSON");
    want.assert_eq(&frame);
}

#[test]
fn frames() {
    let rows = [
        row(1_790_812_822_494_853_000, b"<a> & \xff\xfe \"q\"\n", &[("trace", "1")], &[("code", "<5>")]),
        row(-5, b"", &[], &[]),
    ];
    let dropped =
        [DroppedEntry { timestamp: Timestamp::from_nanos(7), labels: Arc::new(set(&[("app", "x")])) }];
    check(
        &current(""),
        &rows,
        &[],
        expect![[
            r#"{"streams":[{"stream":{"app":"a<b","code":"<5>","service_name":"s","trace":"1"},"values":[["1790812822494853000","\u003ca\u003e \u0026 \ufffd\ufffd \"q\"\n"]]},{"stream":{"app":"a<b","service_name":"s"},"values":[["-5",""]]}]}"#
        ]],
    );
    check(
        &current("foo,categorize-labels"),
        &rows,
        &dropped,
        expect![[
            r#"{"streams":[{"stream":{"app":"a<b","service_name":"s"},"values":[["1790812822494853000","\u003ca\u003e \u0026 \ufffd\ufffd \"q\"\n",{"structuredMetadata":{"trace":"1"},"parsed":{"code":"<5>"}}]]},{"stream":{"app":"a<b","service_name":"s"},"values":[["-5","",{}]]}],"dropped_entries":[{"timestamp":"7","labels":{"app":"x"}}],"encodingFlags":["foo","categorize-labels"]}"#
        ]],
    );
    check(
        &TailShape::Legacy,
        &rows[1..],
        &dropped,
        expect![[
            r#"{"streams":[{"labels":"{app=\"a<b\", service_name=\"s\"}","entries":[{"ts":"1969-12-31T23:59:59.999999995Z","line":""}]}],"dropped_entries":[{"Timestamp":"1970-01-01T00:00:00.000000007Z","Labels":"{app=\"x\"}"}]}"#
        ]],
    );
    check(&TailShape::Legacy, &[], &[], expect![[r#"{"streams":[],"dropped_entries":null}"#]]);
}

#[test]
fn flags_are_not_trimmed() {
    let plain = current("foo, categorize-labels");
    let frame: Value = serde_json::from_str(&plain.frame(&[row(1, b"x", &[("m", "1")], &[])], &[])).unwrap();
    assert_eq!(frame["encodingFlags"], json!(["foo", " categorize-labels"]));
    assert_eq!(frame["streams"][0]["stream"]["m"], "1");
}

proptest! {
    #[test]
    fn frames_are_json(line in prop::collection::vec(any::<u8>(), 0..60), value in ".{0,20}") {
        let row = row(1, &line, &[("m", &value)], &[]);
        for shape in [current(""), current("categorize-labels"), TailShape::Legacy] {
            let frame: Value = serde_json::from_str(&shape.frame(std::slice::from_ref(&row), &[])).unwrap();
            let shown = match shape {
                TailShape::Legacy => frame["streams"][0]["entries"][0]["line"].clone(),
                TailShape::Current(_) => frame["streams"][0]["values"][0][1].clone(),
            };
            let mut want = String::new();
            for chunk in line.utf8_chunks() {
                want.push_str(chunk.valid());
                want.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
            }
            prop_assert_eq!(shown.as_str().unwrap(), want);
        }
    }
}

/// 20,000 mutations of real requests, the same ones in every run.
#[test]
fn mutated_requests_never_panic() {
    let corpus = [
        r#"query={a="b"} |= "x" | json | line_format "{{.y}}"&limit=10&start=1700000000.5&delay_for=3"#,
        r#"start=2023-11-14T22:13:20.123Z&query={a=~"b|c", d!="e"} !~ "(f|g)+"&regexp=h.*i"#,
        r#"query={a="b"} | logfmt | pattern "<_> <x>" | x > 5ms or y = ip("10.0.0.0/8")&limit=1"#,
    ];
    assert!(corpus.iter().all(|request| fuzz_tail_request(request.as_bytes())), "the corpus is of requests");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        // xorshift64: any sequence will do, as long as it is always this one.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below.max(1) as u64) as usize
    };
    let mut taken = 0;
    for round in 0..20_000 {
        let mut bytes = corpus[round % corpus.len()].as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            if bytes.is_empty() {
                break;
            }
            match next(4) {
                0 => bytes[at] = [b'"', b'{', b'|', b'=', b'-', b'9', 0xff, 0][next(8)],
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"\"(){}|.*0&"[next(10)]),
            }
        }
        taken += u32::from(fuzz_tail_request(&bytes));
    }
    assert!((500..19_500).contains(&taken), "both ways are tried: {taken} taken");
}
