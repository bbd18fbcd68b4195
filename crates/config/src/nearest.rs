//! The valid name nearest to a mistyped one.

/// The candidate with the smallest edit distance, if it is near enough to be meant: within a third of
/// the name, at least two edits. Of equally near ones the first in alphabetical order.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(2);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = distance(name, candidate);
        if distance <= allowed && best.is_none_or(|found| (distance, candidate) < found) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits (insert, remove, replace, swap of neighbours) between two names; case and the two kinds of
/// dashes do not count.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().map(fold).collect();
    let right: Vec<char> = right.chars().map(fold).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let replaced = last[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

fn fold(c: char) -> char {
    if c == '-' { '_' } else { c.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_enough_or_nothing() {
        let names = ["http_listen_port", "http_listen_address", "log_level", "log_format"];
        for (typed, want) in [
            ("http_listen_prot", Some("http_listen_port")),
            ("httplistenport", Some("http_listen_port")),
            ("log-level", Some("log_level")),
            ("loglevl", Some("log_level")),
            ("retention", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), want, "{typed}");
        }
    }

    #[test]
    fn distances() {
        for (left, right, want) in
            [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("abc", "axc", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), want);
            assert_eq!(distance(right, left), want);
        }
    }
}
