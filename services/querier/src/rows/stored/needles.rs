//! Texts that a line must contain, looked for in a chunk's lines.

use aho_corasick::AhoCorasick;
use larch_proto::NeedleGroup;
use larch_rpc::CallError;
use larch_segment::Lines;
use larch_types::ErrorKind;
use memchr::memmem::Finder;

/// Every group must be met.
#[derive(Debug, Default)]
pub(super) struct Needles(Vec<Group>);

/// One of its texts must be there.
#[derive(Debug)]
struct Group {
    exact: Vec<Finder<'static>>,
    /// Those for which ASCII letters of either case match.
    any_case: Option<AhoCorasick>,
}

impl Needles {
    pub(super) fn new(groups: &[NeedleGroup]) -> Result<Self, CallError> {
        let mut all = Vec::with_capacity(groups.len());
        for group in groups {
            let (any_case, exact): (Vec<_>, Vec<_>) =
                group.any_of.iter().partition(|needle| needle.ignore_case);
            let exact = exact.iter().map(|needle| Finder::new(&needle.text[..]).into_owned()).collect();
            let any_case = if any_case.is_empty() {
                None
            } else {
                let texts = any_case.iter().map(|needle| &needle.text[..]);
                let built = AhoCorasick::builder().ascii_case_insensitive(true).build(texts);
                Some(built.map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?)
            };
            all.push(Group { exact, any_case });
        }
        Ok(Self(all))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the rows whose lines pass. The rows ascend, and are rows of the lines.
    pub(super) fn keep(&self, mut rows: Vec<u32>, lines: Lines<'_>) -> Vec<u32> {
        for group in &self.0 {
            rows = group.keep(&rows, lines);
            if rows.is_empty() {
                break;
            }
        }
        rows
    }
}

impl Group {
    fn keep(&self, rows: &[u32], lines: Lines<'_>) -> Vec<u32> {
        // One text is looked for in all lines at once, if most of them are wanted anyway.
        if let ([finder], None) = (self.exact.as_slice(), &self.any_case)
            && rows.len() * 4 > lines.len()
        {
            let found = lines.rows_with(finder);
            return found.into_iter().filter(|row| rows.binary_search(row).is_ok()).collect();
        }
        let picked = lines.pick(rows);
        let passing = (0..rows.len()).filter(|number| self.passes(picked.get(*number)));
        passing.map(|number| rows[number]).collect()
    }

    fn passes(&self, line: &[u8]) -> bool {
        self.exact.iter().any(|finder| finder.find(line).is_some())
            || self.any_case.as_ref().is_some_and(|any_case| any_case.is_match(line))
    }
}
