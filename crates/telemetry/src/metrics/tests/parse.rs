//! A reader of both text formats that refuses whatever a scraper may refuse.

use std::collections::BTreeMap;

use crate::metrics::Format;

type LabelPairs = Vec<(String, String)>;

#[derive(Debug, PartialEq)]
pub(super) struct Scraped {
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) samples: Vec<ScrapedSample>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScrapedSample {
    pub(super) name: String,
    pub(super) labels: LabelPairs,
    pub(super) value: f64,
}

/// Families by name, each checked.
pub(super) fn parse(text: &str, format: Format) -> BTreeMap<String, Scraped> {
    let mut families: BTreeMap<String, Scraped> = BTreeMap::new();
    let mut current = String::new();
    let body = match format {
        Format::Prometheus => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("OpenMetrics ends with its mark"),
    };
    assert!(body.is_empty() || body.ends_with('\n'), "the last line ends");
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a help");
            let family = Scraped { kind: String::new(), help: help.to_owned(), samples: Vec::new() };
            assert!(families.insert(name.to_owned(), family).is_none(), "{name} is not in one piece");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert_eq!(name, current, "HELP and TYPE belong together");
            families.get_mut(name).unwrap().kind = kind.to_owned();
        } else {
            assert!(!line.starts_with('#'), "neither UNIT nor a second EOF nor a remark: {line}");
            families.get_mut(&current).unwrap().samples.push(sample(line));
        }
    }
    for (name, family) in &families {
        check_family(name, family, format);
    }
    families
}

fn sample(line: &str) -> ScrapedSample {
    let name_end = line.find(['{', ' ']).expect("a name and a value");
    let name = line[..name_end].to_owned();
    let mut labels = Vec::new();
    let mut rest = &line[name_end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, tail) = rest.split_once("=\"").expect("a label and its value");
            let (value, tail) = quoted(tail);
            labels.push((label.to_owned(), value));
            rest = tail.strip_prefix(',').unwrap_or(tail);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect("one blank before the value");
    ScrapedSample { name, labels, value: value.parse().unwrap_or_else(|_| panic!("not a number: {line}")) }
}

/// Up to the closing quote; what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().expect("an escaped character").1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                other => panic!("unknown escape {other:?} in {text}"),
            },
            c => value.push(c),
        }
    }
    panic!("no closing quote in {text}");
}

fn check_family(name: &str, family: &Scraped, format: Format) {
    let kinds: &[&str] = match format {
        Format::Prometheus => &["counter", "gauge", "histogram", "summary", "untyped"],
        Format::OpenMetrics => &["counter", "gauge", "histogram", "summary", "unknown"],
    };
    assert!(kinds.contains(&family.kind.as_str()), "{name} is of type {:?}", family.kind);
    assert!(!family.help.is_empty() && !family.samples.is_empty(), "{name} shows nothing");
    let mut seen = Vec::new();
    for sample in &family.samples {
        let suffix = sample.name.strip_prefix(name).expect("samples carry the family's name");
        let fits = match (family.kind.as_str(), format) {
            ("histogram", _) => matches!(suffix, "_bucket" | "_sum" | "_count"),
            ("summary", _) => matches!(suffix, "" | "_sum" | "_count"),
            ("counter", Format::OpenMetrics) => suffix == "_total",
            _ => suffix.is_empty(),
        };
        assert!(fits, "{name} has a sample {}", sample.name);
        let mut key = sample.labels.clone();
        key.sort();
        assert!(key.windows(2).all(|pair| pair[0].0 != pair[1].0), "a label comes twice: {sample:?}");
        key.push((String::new(), sample.name.clone()));
        assert!(!seen.contains(&key), "a series comes twice: {sample:?}");
        seen.push(key);
    }
    if family.kind == "histogram" {
        check_buckets(name, family);
    }
}

fn check_buckets(name: &str, family: &Scraped) {
    let mut by_series: BTreeMap<LabelPairs, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
        let (bounds, rest): (Vec<_>, Vec<_>) =
            sample.labels.iter().cloned().partition(|(label, _)| label == "le");
        let bound = bounds[0].1.parse().expect("a bound is a number");
        by_series.entry(rest).or_default().push((bound, sample.value));
    }
    for (labels, buckets) in by_series {
        let rising = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        assert!(rising, "{name}: buckets rise: {buckets:?}");
        let (last, total) = buckets[buckets.len() - 1];
        assert!(last == f64::INFINITY, "{name}: the last bucket holds everything");
        let count = family.samples.iter().find(|s| s.name == format!("{name}_count") && s.labels == labels);
        assert_eq!(count.expect("a count").value, total);
        assert!(family.samples.iter().any(|s| s.name == format!("{name}_sum") && s.labels == labels));
    }
}
