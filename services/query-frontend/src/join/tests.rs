use super::*;

fn pairs(labels: &[(&str, &str)]) -> Vec<Pair> {
    labels.iter().map(|(name, value)| Pair { name: (*name).into(), value: (*value).into() }).collect()
}

fn series(label: &str, points: &[(u32, f64)]) -> SampleSeries {
    SampleSeries {
        labels: pairs(&[("app", label)]),
        steps: points.iter().map(|(step, _)| *step).collect(),
        values: points.iter().map(|(_, value)| *value).collect(),
        remainders: Vec::new(),
    }
}

fn with_samples(samples: Vec<SampleSeries>) -> Vec<Gathered> {
    vec![Gathered { samples, ..Gathered::default() }]
}

#[test]
fn series_are_put_together_and_ordered() {
    let at = Timestamp::from_secs;
    let portions = [Portion { leg: 0, start: at(100) }, Portion { leg: 0, start: at(130) }];
    let samples = vec![
        series("b", &[(0, 1.0)]),
        series("a", &[(1, 3.0)]),
        // A second point at a time, and a series in two parts.
        series("b", &[(0, 9.0)]),
    ];
    let mut gathered = with_samples(samples);
    gathered.extend(with_samples(vec![series("b", &[(0, 2.0), (1, 5.0)])]));
    let found = matrix(&mut gathered, &portions, Span::from_secs(10));
    let shown: Vec<_> =
        found.iter().map(|series| (series.labels.to_string(), series.points.clone())).collect();
    assert_eq!(
        shown,
        [
            (r#"{app="a"}"#.to_owned(), vec![(at(110), 3.0)]),
            (r#"{app="b"}"#.to_owned(), vec![(at(100), 1.0), (at(100), 9.0), (at(130), 2.0), (at(140), 5.0)]),
        ]
    );
}

#[test]
fn samples_keep_the_order_of_a_query_that_sorts() {
    let samples =
        || with_samples(vec![series("b", &[(0, 1.0)]), series("a", &[(0, 2.0)]), series("b", &[(0, 3.0)])]);
    let values = |sorts| vector(&mut samples(), sorts).iter().map(|sample| sample.value).collect::<Vec<_>>();
    assert_eq!(values(true), [1.0, 2.0, 3.0]);
    assert_eq!(values(false), [2.0, 1.0, 3.0]);
}

#[test]
fn volumes_are_ordered_by_size() {
    let at = Timestamp::from_secs;
    let bounds = (at(1_790_812_800), at(1_790_823_600));
    let hour = Span::from_hours(1);
    let samples = vec![
        series("a", &[(0, 5.0), (2, 1.0)]),
        series("b", &[(1, 9.0)]),
        series("c", &[(3, 5.0)]),
        series("a", &[(0, 1.0)]),
    ];
    let found = volumes(&mut with_samples(samples.clone()), bounds, hour, 10);
    let shown: Vec<_> =
        found.iter().map(|volume| (volume.labels.to_string(), volume.bytes.clone())).collect();
    let millis = Timestamp::from_millis;
    assert_eq!(
        shown,
        [
            (r#"{app="b"}"#.to_owned(), vec![(millis(1_790_819_999_999), 9)]),
            (r#"{app="a"}"#.to_owned(), vec![(millis(1_790_816_399_999), 6), (at(1_790_823_600), 1)]),
            (r#"{app="c"}"#.to_owned(), vec![(at(1_790_823_600), 5)]),
        ]
    );
    let one = volumes(&mut with_samples(vec![series("a", &[(0, 5.0)])]), bounds, Span::ZERO, 1);
    assert_eq!(one[0].bytes, [(at(1_790_823_600), 5)]);
    assert_eq!(volumes(&mut with_samples(samples), bounds, hour, 2).len(), 2);
}

#[test]
fn rare_patterns_are_left_out() {
    let pattern = |text: &str, rows: &[u64]| PatternSeries {
        text: text.to_owned(),
        level: "info".to_owned(),
        counts: (0..).map(|i| Timestamp::from_secs(10 * i)).zip(rows.iter().copied()).collect(),
    };
    let piece = |patterns| Gathered { patterns, ..Gathered::default() };
    let mut gathered = [
        piece(vec![pattern("a", &[20, 9]), pattern("b", &[40]), pattern("c", &[10, 19])]),
        piece(vec![pattern("a", &[1]), pattern("d", &[100])]),
    ];
    let found = patterns(&mut gathered);
    let shown: Vec<_> = found.iter().map(|p| (p.text.as_str(), p.counts[0].1, p.counts.len())).collect();
    assert_eq!(shown, [("d", 100, 1), ("b", 40, 1), ("a", 21, 2)]);
    let mut many = [piece((0..400).map(|i| pattern(&i.to_string(), &[30])).collect())];
    assert_eq!(patterns(&mut many).len(), MAX_PATTERNS);
}

#[test]
fn costs_add_up() {
    let done = |rows, warnings: &[&str]| larch_proto::Done {
        statistics: QueryStatistics { rows, wait_ns: 1, ..QueryStatistics::default() },
        warnings: warnings.iter().map(|text| (*text).to_owned()).collect(),
        ..larch_proto::Done::default()
    };
    let queued = std::time::Duration::from_millis(2);
    let gathered = [
        Gathered { done: done(3, &["x", "y"]), queued, ..Gathered::default() },
        Gathered { done: done(u64::MAX, &["y", "z"]), queued, ..Gathered::default() },
    ];
    let (stats, warnings) = costs(&gathered);
    assert_eq!((stats.cost.rows, stats.cost.wait_ns), (u64::MAX, 2));
    assert_eq!((stats.queue, warnings), (2 * queued, vec!["x".to_owned(), "y".to_owned(), "z".to_owned()]));
}

#[test]
fn texts_of_several_pieces() {
    let piece = |texts: &[&str]| Gathered {
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        ..Gathered::default()
    };
    assert_eq!(texts(&mut [piece(&["b", "c"]), piece(&["a", "b"])]), ["a", "b", "c"]);
    assert!(label_sets(&["{a=\"1\"}".to_owned(), "{}".to_owned()]).is_ok());
    assert!(label_sets(&["{a=1}".to_owned()]).is_err());
}
