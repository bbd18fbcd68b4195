//! Texts that a line must contain.

use aho_corasick::AhoCorasick;
use larch_proto::NeedleGroup;
use larch_rpc::CallError;
use larch_segment::Lines;
use larch_types::ErrorKind;
use memchr::memmem::Finder;

/// Every group must be met.
#[derive(Debug)]
pub(crate) struct Needles(Vec<Group>);

/// One of its texts must be there.
#[derive(Debug)]
struct Group {
    exact: Vec<Finder<'static>>,
    /// Those for which ASCII letters of either case match.
    any_case: Option<AhoCorasick>,
}

impl Needles {
    pub(crate) fn new(groups: &[NeedleGroup]) -> Result<Self, CallError> {
        let mut all = Vec::with_capacity(groups.len());
        for group in groups {
            let exact = group.any_of.iter().filter(|needle| !needle.ignore_case);
            let exact = exact.map(|needle| Finder::new(&needle.text[..]).into_owned()).collect();
            let any_case: Vec<&[u8]> = group
                .any_of
                .iter()
                .filter(|needle| needle.ignore_case)
                .map(|needle| &needle.text[..])
                .collect();
            let any_case = if any_case.is_empty() {
                None
            } else {
                let built = AhoCorasick::builder().ascii_case_insensitive(true).build(any_case);
                Some(built.map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?)
            };
            all.push(Group { exact, any_case });
        }
        Ok(Self(all))
    }

    pub(crate) fn pass(&self, line: &[u8]) -> bool {
        self.0.iter().all(|group| group.passes(line))
    }

    /// The rows whose lines pass, ascending; `None` if all do without a look at them.
    pub(crate) fn rows(&self, lines: Lines<'_>) -> Option<Vec<u32>> {
        let (first, rest) = self.0.split_first()?;
        let mut rows = first.rows(lines);
        rows.retain(|row| rest.iter().all(|group| group.passes(lines.get(*row as usize))));
        Some(rows)
    }
}

impl Group {
    fn passes(&self, line: &[u8]) -> bool {
        self.exact.iter().any(|finder| finder.find(line).is_some())
            || self.any_case.as_ref().is_some_and(|any_case| any_case.is_match(line))
    }

    fn rows(&self, lines: Lines<'_>) -> Vec<u32> {
        // One text can be looked for in all lines at once.
        if let ([finder], None) = (self.exact.as_slice(), &self.any_case) {
            return lines.rows_with(finder);
        }
        (0..lines.len() as u32).filter(|row| self.passes(lines.get(*row as usize))).collect()
    }
}

#[cfg(test)]
mod tests {
    use larch_proto::Needle;

    use super::*;

    fn group(needles: &[(&'static str, bool)]) -> NeedleGroup {
        let needle = |(text, ignore_case): &(&'static str, bool)| Needle {
            text: bytes::Bytes::from_static(text.as_bytes()),
            ignore_case: *ignore_case,
        };
        NeedleGroup { any_of: needles.iter().map(needle).collect() }
    }

    #[test]
    fn every_group_must_be_met() {
        let needles =
            Needles::new(&[group(&[("error", true), ("warn", false)]), group(&[("42", false)])]).unwrap();
        for (line, passes) in
            [("ERROR 42", true), ("warn 42", true), ("WARN 42", false), ("error 4 2", false), ("", false)]
        {
            assert_eq!(needles.pass(line.as_bytes()), passes, "{line}");
        }
        assert!(Needles::new(&[]).unwrap().pass(b""));
    }
}
