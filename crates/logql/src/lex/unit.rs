//! Numbers with units: durations, sizes, and the duration between brackets.

use larch_types::{Span, quoted};

/// A duration at the start of `text`, whose first `head` bytes are a number or a minus that has been read
/// already. Prometheus' form is tried before Go's.
pub(super) fn duration(text: &str, head: usize) -> Option<(Span, usize)> {
    let is_part = |c: char| {
        c.is_numeric() || matches!(c, '.' | 'n' | 'u' | '\u{b5}' | 'm' | 's' | 'h' | 'd' | 'w' | 'y')
    };
    let len = run_len(text, head, is_part)?;
    let run = &text[..len];
    let span = Span::parse_prometheus(run).or_else(|_| Span::parse_go(run)).ok()?;
    Some((span, len))
}

/// A size at the start of `text`, likewise.
pub(super) fn bytes(text: &str, head: usize) -> Option<(u64, usize)> {
    let is_part =
        |c: char| c.is_ascii_digit() || matches!(c, '.' | 'B' | 'i' | 'k' | 'K' | 'M' | 'G' | 'T' | 'P');
    let len = run_len(text, head, is_part)?;
    Some((parse_size(&text[..len])?, len))
}

/// The head and all that follows and may belong to it; none if nothing does.
fn run_len(text: &str, head: usize, is_part: impl Fn(char) -> bool) -> Option<usize> {
    let tail = &text[head..];
    let len = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
    (len > 0).then_some(head + len)
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit: f64 = match &text[digits..] {
        "" | "B" => 1.0,
        "k" | "K" | "kB" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        "P" | "PB" => 1e15,
        "ki" | "Ki" | "kiB" | "KiB" => 1024.0,
        "Mi" | "MiB" => 1_048_576.0,
        "Gi" | "GiB" => 1_073_741_824.0,
        "Ti" | "TiB" => 1_099_511_627_776.0,
        "Pi" | "PiB" => 1_125_899_906_842_624.0,
        _ => return None,
    };
    let size = number * unit;
    // 2^64, the first size that does not fit.
    (size < 18_446_744_073_709_551_616.0).then_some(size as u64)
}

/// What stands between `[` and `]`, in Prometheus' form only. The reasons are those of Prometheus' parser.
pub(super) fn range(text: &str) -> Result<Span, String> {
    Span::parse_prometheus(text).map_err(|error| match unknown_unit(text) {
        Some(unit) => format!("unknown unit {} in duration {}", quoted(unit), quoted(text)),
        None => error.to_string(),
    })
}

fn unknown_unit(text: &str) -> Option<&str> {
    let mut rest = text;
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let len = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = &rest[..len];
        if unit.is_empty() {
            return None;
        }
        if !matches!(unit, "y" | "w" | "d" | "h" | "m" | "s" | "ms") {
            return Some(unit);
        }
        rest = &rest[len..];
    }
    None
}
