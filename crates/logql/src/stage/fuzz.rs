//! Every stage that reads lines, on any bytes.

use std::sync::LazyLock;

use larch_types::{Labels, Timestamp};

use crate::stage::{
    Decolorize, Hints, IpPattern, Json, JsonPath, JsonPaths, LabelRef, LineFilter, LineFilterOp, LineFormat,
    LineOperand, Logfmt, LogfmtFlags, LogfmtKeys, Pattern, PatternPart, Regexp, Row, Stage, StageError,
    Unpack,
};

/// Building them takes far longer than running them.
static STAGES: LazyLock<Result<Vec<Stage>, StageError>> = LazyLock::new(stages);
static FILTERS: LazyLock<Result<Vec<[LineFilter; 2]>, StageError>> = LazyLock::new(filters);

/// Runs stages on the bytes as a line and checks what must hold for all lines. Also reads the bytes as the
/// path of an extraction and as an address.
pub fn fuzz_stages(line: &[u8]) -> Result<(), StageError> {
    let stream = Labels::default();
    let mut row = Row::new(Timestamp::EPOCH);
    for stage in STAGES.as_ref().map_err(StageError::clone)? {
        row.load(&stream, Timestamp::EPOCH, line);
        stage.run(&mut row);
        check_labels(&row.labels().sorted());
        // Twice over: a parser meets its own labels, and whatever became of the line.
        stage.run(&mut row);
        check_labels(&row.labels().sorted());
    }
    check_hints(line);
    for [filter, opposite] in FILTERS.as_ref().map_err(StageError::clone)? {
        let kept = filter.keeps(line);
        assert_ne!(kept, opposite.keeps(line), "a filter and its opposite divide all lines");
    }
    let text = String::from_utf8_lossy(line);
    drop(JsonPath::parse(&text));
    drop(IpPattern::parse(&text));
    let keys = vec![("a".to_owned(), text.into_owned())];
    drop(LogfmtKeys::new(LogfmtFlags::default(), keys, Hints::all()));
    Ok(())
}

fn stages() -> Result<Vec<Stage>, StageError> {
    let all = Hints::all;
    let strict = LogfmtFlags { strict: true, keep_empty: true };
    let paths =
        ["a", "b.a", "[0].a", "a[1][0]"].map(|path| JsonPath::parse(path).map(|p| (path.to_owned(), p)));
    let paths = paths.into_iter().collect::<Result<Vec<_>, _>>()?;
    let parts =
        [PatternPart::Unnamed, PatternPart::Literal(b"=".to_vec()), PatternPart::Capture("a".to_owned())];
    let keys = vec![("a".to_owned(), "b".to_owned()), ("c".to_owned(), "a".to_owned())];
    Ok(vec![
        Stage::Json(Json::new(all())),
        Stage::JsonPaths(JsonPaths::new(paths, all())),
        Stage::Logfmt(Logfmt::new(LogfmtFlags::default(), all())),
        Stage::Logfmt(Logfmt::new(strict, all())),
        Stage::LogfmtKeys(LogfmtKeys::new(strict, keys, all())?),
        Stage::Unpack(Unpack::new(all())),
        Stage::Pattern(Pattern::new(&parts, all())),
        Stage::Regexp(Box::new(Regexp::new(r"(?P<a>\w+)[^a](?P<b>.)?", all())?)),
        Stage::Decolorize(Decolorize),
        Stage::LineFormat(LineFormat::new("{{ __line__ | trunc 9 | upper }}{{ .a }}")?),
    ])
}

/// Names are there once, and none is empty.
fn check_labels(labels: &[LabelRef<'_>]) {
    assert!(labels.windows(2).all(|pair| pair[0].name < pair[1].name), "{labels:?}");
    assert!(labels.iter().all(|label| !label.name.is_empty()), "{labels:?}");
}

/// A parser that is told what is needed finds the same value for it.
fn check_hints(line: &[u8]) {
    let stream = Labels::default();
    let (mut full, mut hinted) = (Row::new(Timestamp::EPOCH), Row::new(Timestamp::EPOCH));
    for (all, some) in [
        (Stage::Json(Json::new(Hints::all())), Stage::Json(Json::new(Hints::only(&["a"])))),
        (
            Stage::Logfmt(Logfmt::new(LogfmtFlags::default(), Hints::all())),
            Stage::Logfmt(Logfmt::new(LogfmtFlags::default(), Hints::only(&["a"]))),
        ),
    ] {
        full.load(&stream, Timestamp::EPOCH, line);
        hinted.load(&stream, Timestamp::EPOCH, line);
        all.run(&mut full);
        some.run(&mut hinted);
        // The second looks into fewer objects, so that damage in the others does not stop it.
        if let Some(value) = full.labels().get("a") {
            assert_eq!(hinted.labels().get("a"), Some(value));
        }
    }
}

/// Each with its opposite.
fn filters() -> Result<Vec<[LineFilter; 2]>, StageError> {
    let texts = [LineOperand::Text(b"a".to_vec()), LineOperand::Text(b"=1".to_vec())];
    let ip = [LineOperand::Ip("10.0.0.0/8".to_owned())];
    let pattern = [LineOperand::Pattern(vec![PatternPart::Unnamed, PatternPart::Literal(b"a".to_vec())])];
    let mut pairs = Vec::new();
    for (op, opposite, operands) in [
        (LineFilterOp::Contains, LineFilterOp::NotContains, &texts[..]),
        (LineFilterOp::Matches, LineFilterOp::NotMatches, &texts[..]),
        (LineFilterOp::Contains, LineFilterOp::NotContains, &ip[..]),
        (LineFilterOp::Fits, LineFilterOp::NotFits, &pattern[..]),
    ] {
        pairs.push([LineFilter::new(op, operands)?, LineFilter::new(opposite, operands)?]);
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::{fuzz_fields, fuzz_level};
    use crate::regex::fuzz_regex;

    const LINES: [&str; 20] = [
        r#"{"a":{"b":[1,{"a":"x"}],"c":null},"b":{"a":true},"level":"warn","n":-1.5e3}"#,
        r#"{"a":[["x","y"],[1,2]],"_entry":"hello \u00e9\ud83d\ude00","b":"\t"}"#,
        r#"[{"a":1},{"a":2}]"#,
        r#"{"a":"unterminated"#,
        r#"{"\u0061\"b":{"":{" ":1}},"9":"","a":1,}"#,
        r#"a=1 b="x y" c= d e="q\"r" level=error f==g =h a=2"#,
        r#"ts=2026-10-01T00:00:00Z msg="caf\u00e9 \x" a="#,
        "10.0.0.1 - - [01/Oct/2026:00:00:23 +0000] \"GET / HTTP/1.1\" 200 5 ::1",
        "\u{1b}[31merror\u{1b}[0m \u{9b}1m\u{1b}]0;x\u{7} a=b",
        "2026-10-01 [WARNING] disk (error) info: x",
        "",
        "\u{fffd}\u{20ac} \u{a0}naïve ключ 🚀",
        r#"(a|b)*c{2,3}?[^x-z\d[:alpha:]]|^\bfoo\Q.*\E$"#,
        r"(?i)err(?P<x>or)?(?:\pL|\p{Greek})+\x41\07",
        r"x.*a|x.*b|(?s:.)*|[\]a-]{0,5}",
        "fe80::1%eth0 1.2.3.4/32 300.1.2.3 ::ffff:1.2.3.4 1:2:3:4:5:6:7:8",
        r#"a.b["c d"][1].e"#,
        "level=debug severity=WARN lvl=x \"quoted\" k=\"v\"",
        "\0\x01\x02a=\x7f",
        r#"{"a":12abc,"b":tru}"#,
    ];

    /// The same numbers in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound.max(1) as u64) as usize
        }
    }

    fn mutated(random: &mut Random) -> Vec<u8> {
        let mut bytes = LINES[random.below(LINES.len())].as_bytes().to_vec();
        for _ in 0..=random.below(5) {
            let at = random.below(bytes.len() + 1);
            match random.below(5) {
                0 => bytes.insert(at, random.below(256) as u8),
                1 => bytes.insert(at, br#"{}[]":,=\ ."#[random.below(11)]),
                2 => bytes.truncate(at),
                3 => {
                    let other = LINES[random.below(LINES.len())].as_bytes();
                    let from = random.below(other.len());
                    bytes.splice(at..at, other[from..].iter().copied());
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << random.below(8);
                    }
                }
            }
        }
        bytes
    }

    #[test]
    fn mutated_lines_do_no_harm() {
        let mut random = Random(0x2545_F491_4F6C_DD1D);
        for _ in 0..20_000 {
            let line = mutated(&mut random);
            fuzz_stages(&line).unwrap();
            fuzz_level(&line);
            fuzz_fields(&line);
        }
    }

    #[test]
    fn mutated_patterns_do_no_harm() {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for _ in 0..20_000 {
            fuzz_regex(&mutated(&mut random));
        }
    }
}
