//! Every other kind of question.

use larch_proto::{
    AccessPolicy, Direction, LabelsQuery, Pattern, PatternBatch, PatternSample, Piece, Question, ResultPart,
    SampleSeries,
};
use larch_types::{Span, Timestamp};

use super::fakes::{FakeIngester, Reported, Stored};
use super::setting::{Setting, piece, selector};

fn rows() -> Vec<Stored> {
    let mut rows = Vec::new();
    for (tenant, labels, second, line) in [
        ("t", r#"{app="a", env="prod"}"#, 61, "12345"),
        ("t", r#"{app="a", env="prod"}"#, 61, "123"),
        ("t", r#"{app="a", env="dev"}"#, 119, "1"),
        ("t", r#"{app="b"}"#, 120, "12"),
        ("u", r#"{__tenant_id__="x", app="a"}"#, 130, "1234567"),
    ] {
        rows.push(Stored::new(tenant, labels, second, line));
    }
    rows
}

/// Both hold everything: what is counted is counted once.
fn setting() -> Setting {
    let setting = Setting::new(vec![FakeIngester::new(1, rows()), FakeIngester::new(2, rows())]);
    setting.start();
    setting
}

fn texts((parts, end): Reported) -> Vec<String> {
    end.expect("an answer");
    let text = |part| match part {
        ResultPart::Texts(batch) => batch.texts,
        other => panic!("{other:?}"),
    };
    parts.into_iter().flat_map(text).collect()
}

fn series((parts, end): Reported) -> Vec<(String, Vec<u32>, Vec<f64>)> {
    end.expect("an answer");
    let mut out = Vec::new();
    for part in parts {
        let ResultPart::Samples(series) = part else { panic!("{part:?}") };
        for SampleSeries { labels, steps, values, .. } in series {
            let pairs: Vec<String> =
                labels.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect();
            out.push((pairs.join(","), steps, values));
        }
    }
    out
}

fn until_200(mut piece: Piece) -> Piece {
    piece.end = Timestamp::from_secs(200);
    piece
}

#[tokio::test]
async fn labels_values_and_series() {
    let setting = setting();
    let mut id = 0;
    for (tenants, query, selectors, want) in [
        (&["t"][..], LabelsQuery::Names, &[][..], &["app", "env"][..]),
        (&["t"], LabelsQuery::Names, &[r#"{app="b"}"#], &["app"]),
        (&["t"], LabelsQuery::Values("env".into()), &[], &["dev", "prod"]),
        (&["t"], LabelsQuery::Values("env".into()), &[r#"{env="dev"}"#, r#"{app="b"}"#], &["dev"]),
        (&["t"], LabelsQuery::Series, &[r#"{env="dev"}"#], &[r#"{app="a", env="dev"}"#]),
        (&["u"], LabelsQuery::Names, &[], &["__tenant_id__", "app"]),
        (&["t", "u"], LabelsQuery::Names, &[], &["__tenant_id__", "app", "env", "original___tenant_id__"]),
        (&["t", "u"], LabelsQuery::Names, &[r#"{app="none"}"#], &[]),
        (&["t", "u"], LabelsQuery::Values("__tenant_id__".into()), &[], &["t", "u"]),
        (&["t", "u"], LabelsQuery::Values("original___tenant_id__".into()), &[], &["x"]),
        (&["t", "u"], LabelsQuery::Values("app".into()), &[r#"{__tenant_id__="x"}"#], &["a"]),
        (
            &["t", "u"],
            LabelsQuery::Series,
            &[r#"{app="a"}"#],
            &[
                r#"{__tenant_id__="t", app="a", env="dev"}"#,
                r#"{__tenant_id__="t", app="a", env="prod"}"#,
                r#"{__tenant_id__="u", app="a", original___tenant_id__="x"}"#,
            ],
        ),
    ] {
        id += 1;
        let any_of = selectors.iter().map(|text| selector(text)).collect();
        let question = Question::Labels { query: query.clone(), any_of };
        let found = texts(setting.ask(piece(id, tenants, question)).await);
        assert_eq!(found, want, "{tenants:?} {query:?} {selectors:?}");
    }
    // The range is exact.
    let mut early = piece(90, &["t"], Question::Labels { query: LabelsQuery::Names, any_of: Vec::new() });
    (early.start, early.end) = (Timestamp::from_secs(120), Timestamp::from_secs(121));
    assert_eq!(texts(setting.ask(early).await), ["app"]);
    setting.stop().await;
}

#[tokio::test]
async fn volumes_are_exact() {
    let setting = setting();
    let mut id = 0;
    let mut check =
        async |selectors: &[&str], targets: &[&str], by_names, step, want: &[(&str, &[u32], &[f64])]| {
            id += 1;
            let question = Question::Volume {
                any_of: selectors.iter().map(|text| selector(text)).collect(),
                target_labels: targets.iter().map(|name| (*name).to_owned()).collect(),
                by_label_names: by_names,
                step: Span::from_secs(step),
            };
            let mut asked = until_200(piece(id, &["t"], question));
            asked.start = Timestamp::from_secs(61);
            let found = series(setting.ask(asked).await);
            let want: Vec<_> =
                want.iter().map(|(l, s, v)| ((*l).to_owned(), s.to_vec(), v.to_vec())).collect();
            assert_eq!(found, want, "{selectors:?} {targets:?}");
        };
    check(&[r#"{app=~".+"}"#], &[], false, 0, &[("app=a", &[0], &[9.0]), ("app=b", &[0], &[2.0])]).await;
    // Buckets begin at multiples of the step, and are numbered from the one that holds the start.
    check(&[r#"{app=~".+"}"#], &[], false, 60, &[("app=a", &[0], &[9.0]), ("app=b", &[1], &[2.0])]).await;
    check(&[], &["env"], false, 0, &[("env=dev", &[0], &[1.0]), ("env=prod", &[0], &[8.0])]).await;
    check(&[r#"{app="a"}"#], &["app", "env"], true, 0, &[("app=", &[0], &[9.0]), ("env=", &[0], &[9.0])])
        .await;
    check(&[], &[], true, 0, &[("app=", &[0], &[11.0]), ("env=", &[0], &[9.0])]).await;
    check(
        &[],
        &[],
        false,
        0,
        &[("app=a,env=dev", &[0], &[1.0]), ("app=a,env=prod", &[0], &[8.0]), ("app=b", &[0], &[2.0])],
    )
    .await;
    // No label shows the tenant.
    let everything = Question::Volume {
        any_of: Vec::new(),
        target_labels: Vec::new(),
        by_label_names: true,
        step: Span::ZERO,
    };
    let found = series(setting.ask(piece(80, &["t", "u"], everything.clone())).await);
    let names: Vec<&str> = found.iter().map(|(labels, _, _)| labels.as_str()).collect();
    assert_eq!(names, ["app=", "env=", "original___tenant_id__="]);
    let mut narrow = piece(81, &["t"], everything);
    narrow.max_series = 1;
    let error = setting.ask(narrow).await.1.unwrap_err();
    assert_eq!(error.text(), "the query hit the max number of series limit (limit: 1 series)");
    setting.stop().await;
}

#[tokio::test]
async fn stats_count_each_row_once() {
    let setting = setting();
    let question = Question::Stats { any_of: vec![selector(r#"{app="a"}"#)] };
    let (parts, end) = setting.ask(piece(1, &["t", "u"], question)).await;
    let [ResultPart::Stats(stats)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((stats.streams, stats.rows, stats.bytes, stats.chunks), (3, 4, 16, 4));
    assert_eq!(end.unwrap().statistics.duplicate_rows, 4);
    setting.stop().await;
}

#[tokio::test]
async fn patterns_of_replicas_count_once() {
    let mined = |rows: u64| {
        let sample = |second, rows| PatternSample { start: Timestamp::from_secs(second), rows, digest: 1 };
        let pattern = |stream, level, text: &str| Pattern {
            stream,
            level,
            text: text.to_owned(),
            samples: vec![sample(10, rows), sample(20, 5)],
        };
        PatternBatch {
            streams: vec![r#"{app="a"}"#.to_owned(), r#"{app="b"}"#.to_owned()],
            levels: vec!["info".to_owned()],
            patterns: vec![pattern(0, Some(0), "x <_>"), pattern(1, Some(0), "x <_>"), pattern(1, None, "y")],
        }
    };
    let mut ingesters = vec![FakeIngester::new(1, Vec::new()), FakeIngester::new(2, Vec::new())];
    ingesters[0].patterns = vec![mined(7)];
    ingesters[1].patterns = vec![mined(6)];
    let setting = Setting::new(ingesters);
    setting.start();
    let question = Question::Patterns { any_of: Vec::new(), step: Span::from_secs(10) };
    let (parts, _) = setting.ask(piece(1, &["t"], question)).await;
    let [ResultPart::Patterns(patterns)] = parts.as_slice() else { panic!("{parts:?}") };
    let counts =
        |place: usize| -> Vec<u64> { patterns[place].counts.iter().map(|(_, rows)| *rows).collect() };
    assert_eq!((patterns[0].text.as_str(), patterns[0].level.as_str()), ("x <_>", "info"));
    assert_eq!((counts(0), counts(1)), (vec![14, 10], vec![7, 5]));
    setting.stop().await;
}

#[tokio::test]
async fn several_tenants_carry_their_names() {
    let setting = setting();
    let mut id = 0;
    for (query, want) in [
        (r#"{app="a"}"#, &["t:12345", "t:123", "t:1", "u:1234567"][..]),
        // Selectors are of stored streams, stages see what is shown.
        (r#"{app="a", __tenant_id__="x"}"#, &["u:1234567"]),
        (r#"{app="a", __tenant_id__=""} | __tenant_id__="t" |= "23""#, &["t:12345", "t:123"]),
        (r#"{app="a"} | original___tenant_id__="x""#, &["u:1234567"]),
        (r#"{app="a", __tenant_id__="u"}"#, &[]),
    ] {
        id += 1;
        let question = Question::Logs { query: query.to_owned(), direction: Direction::Forward, limit: 10 };
        let (parts, end) = setting.ask(piece(id, &["t", "u"], question)).await;
        end.expect(query);
        let mut found = Vec::new();
        for part in parts {
            let ResultPart::Entries(batch) = part else { panic!("{part:?}") };
            for entry in &batch.entries {
                let labels = &batch.labels[entry.labels as usize].stream;
                let tenant = labels.iter().find(|pair| pair.name.as_str() == "__tenant_id__").unwrap();
                let stream = &batch.streams[entry.stream as usize];
                assert_eq!(stream.tenant.as_str(), tenant.value.as_str());
                assert!(!stream.labels.contains("original"), "as stored: {}", stream.labels);
                found.push(format!("{}:{}", tenant.value, String::from_utf8_lossy(&entry.line)));
            }
        }
        let mut want: Vec<String> = want.iter().map(|text| (*text).to_owned()).collect();
        // The order of a time's rows is no matter here.
        found.sort();
        want.sort();
        assert_eq!(found, want, "{query}");
    }
    let by_tenant = Question::Metric {
        query: r#"sum by (__tenant_id__) (count_over_time({app="a"}[5m]))"#.to_owned(),
        start: Timestamp::from_secs(200),
        end: Timestamp::from_secs(200),
        step: Span::ZERO,
    };
    let found = series(setting.ask(piece(70, &["t", "u"], by_tenant.clone())).await);
    let want = [("__tenant_id__=t", 3.0), ("__tenant_id__=u", 1.0)];
    assert_eq!(found, want.map(|(labels, value)| (labels.to_owned(), vec![0], vec![value])));
    // One that is left alone of several is joined by another of which nothing may be seen.
    let mut alone = piece(71, &["t", "u"], by_tenant);
    alone.tenants[0].policy = Some(AccessPolicy { any_of: Vec::new() });
    let found = series(setting.ask(alone.clone()).await);
    assert_eq!(found, [("__tenant_id__=u".to_owned(), vec![0], vec![1.0])]);
    let reads = setting.ingesters[0].requests.lock().unwrap().len();
    let values = LabelsQuery::Values("__tenant_id__".into());
    alone.question = Question::Labels { query: values, any_of: Vec::new() };
    assert_eq!(texts(setting.ask(alone).await), ["u"]);
    assert_eq!(setting.ingesters[0].requests.lock().unwrap().len(), reads, "nobody was asked");
    setting.stop().await;
}
