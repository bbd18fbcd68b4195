//! The time of day, which the process under test reads too.

use std::time::UNIX_EPOCH;

use larch_types::{Span, Timestamp};
use regex::{Captures, Regex};

#[expect(clippy::disallowed_methods, reason = "rows are pushed at the time that the process takes for now")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).expect("a clock before 2262"))
}

/// `@-600` becomes 600 seconds before now in nanoseconds, `@-600s` the same in whole seconds, and `@-600r`
/// in RFC 3339.
pub fn time_marks_resolved(text: &str, now: Timestamp) -> String {
    let mark = Regex::new(r"@([+-][\d.]+)([sr]?)").expect("a pattern");
    let resolve = |found: &Captures<'_>| {
        let seconds: f64 = found[1].parse().expect("a number of seconds");
        let time = now.plus(Span::from_nanos((seconds * 1e9) as i64));
        match &found[2] {
            "s" => time.nanos().div_euclid(1_000_000_000).to_string(),
            "r" => Timestamp::from_secs(time.nanos().div_euclid(1_000_000_000)).to_string(),
            _ => time.nanos().to_string(),
        }
    };
    mark.replace_all(text, resolve).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_relative_to_now() {
        let now = Timestamp::from_secs(1_790_812_800);
        let text = r#"["@-60", "@+0.5", "@-60s", "@-60r", "a@b"]"#;
        let resolved =
            r#"["1790812740000000000", "1790812800500000000", "1790812740", "2026-09-30T23:59:00Z", "a@b"]"#;
        assert_eq!(time_marks_resolved(text, now), resolved);
    }
}
