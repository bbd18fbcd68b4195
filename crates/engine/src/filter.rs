//! Line filters over whole pages. What a filter looks for is searched in the page as it is, and only lines in
//! which it may hold are put together and asked one by one.

use larch_logql::stage::LineFilter as Test;
use larch_logql::{
    AnyOf, EvalError, LineFilter, LineSearch, LogExpr, Needle, Stage, build_line_filter, front_filters,
    line_search, run_order,
};
use larch_segment::Lines;
use memchr::memmem::Finder;

use crate::span::{RowSpan, rows_of};

/// All filters that see a line as it is stored; cheap ones first.
#[derive(Debug)]
pub(crate) struct LineFilters(Vec<Filter>);

#[derive(Debug)]
struct Filter {
    /// A line for which an operand holds has one text of each group.
    groups: Vec<Vec<Search>>,
    /// And a line that has them is one for which an operand holds.
    is_whole: bool,
    negated: bool,
    test: Test,
}

#[derive(Debug)]
enum Search {
    Exact(Box<Finder<'static>>),
    /// In lower case.
    AnyCase(Box<[u8]>),
}

/// More texts are not looked for one by one.
const MAX_SEARCHES: usize = 8;

impl LineFilters {
    pub(crate) fn new(log: &LogExpr) -> Result<Self, EvalError> {
        let stages = run_order(&log.pipeline);
        let mut filters = Vec::new();
        for stage in &stages[..front_filters(&stages)] {
            if let Stage::LineFilter(written) = stage {
                filters.push(Filter::new(written)?);
            }
        }
        filters.sort_by_key(Filter::cost);
        Ok(Self(filters))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows of the spans whose lines pass, ascending.
    pub(crate) fn keep(&self, spans: &[RowSpan], lines: Lines<'_>) -> Vec<u32> {
        let mut rows: Option<Vec<u32>> = None;
        for filter in &self.0 {
            let kept = filter.keep(rows.as_deref(), spans, lines);
            if kept.is_empty() {
                return kept;
            }
            rows = Some(kept);
        }
        rows.unwrap_or_else(|| rows_of(spans))
    }
}

impl Filter {
    fn new(written: &LineFilter) -> Result<Self, EvalError> {
        let LineSearch { required, is_whole, negated } = line_search(written);
        let is_few = |any: &AnyOf| any.0.len() <= MAX_SEARCHES;
        let is_whole = is_whole && required.0.iter().all(is_few);
        let groups = required.0.iter().filter(|any| is_few(any));
        let groups = groups.map(|any| any.0.iter().map(Search::new).collect()).collect();
        Ok(Self { groups, is_whole, negated, test: build_line_filter(written)? })
    }

    /// One that says by a search alone which rows it keeps, then one that narrows the rows by a search, then
    /// those that must read every line.
    fn cost(&self) -> (u8, usize) {
        let searches = self.groups.iter().map(Vec::len).sum();
        match (self.is_whole, self.negated, self.groups.is_empty()) {
            (true, false, _) => (0, searches),
            (false, false, false) => (1, searches),
            (true, true, _) => (2, searches),
            (false, true, false) => (3, searches),
            (_, _, true) => (4, 0),
        }
    }

    /// `rows` are those that are left so far; none if they are all of the spans.
    fn keep(&self, rows: Option<&[u32]>, spans: &[RowSpan], lines: Lines<'_>) -> Vec<u32> {
        let holds = self.holding(rows, spans, lines);
        if !self.negated {
            return holds;
        }
        let all = rows.map_or_else(|| rows_of(spans), <[u32]>::to_vec);
        without(all, &holds)
    }

    /// The rows for which an operand holds.
    fn holding(&self, rows: Option<&[u32]>, spans: &[RowSpan], lines: Lines<'_>) -> Vec<u32> {
        let mut left: Option<Vec<u32>> = None;
        for group in &self.groups {
            let found = found_by(group, lines);
            let found = match (&left, rows) {
                (Some(left), _) => common(left, &found),
                (None, Some(rows)) => common(rows, &found),
                (None, None) => inside(spans, &found),
            };
            if found.is_empty() {
                return found;
            }
            left = Some(found);
        }
        let left = left.or_else(|| rows.map(<[u32]>::to_vec)).unwrap_or_else(|| rows_of(spans));
        if self.is_whole {
            return left;
        }
        let picked = lines.pick(&left);
        let holds = |number: &usize| self.test.keeps(picked.get(*number)) != self.negated;
        (0..left.len()).filter(holds).map(|number| left[number]).collect()
    }
}

impl Search {
    fn new(needle: &Needle) -> Self {
        if needle.ignore_ascii_case {
            Self::AnyCase(needle.bytes.clone())
        } else {
            Self::Exact(Box::new(Finder::new(&needle.bytes).into_owned()))
        }
    }

    fn rows(&self, lines: Lines<'_>) -> Vec<u32> {
        match self {
            Self::Exact(finder) => lines.rows_with(finder),
            Self::AnyCase(needle) => lines.rows_with_any_case(needle),
        }
    }
}

/// Rows of the page that have one of the texts.
fn found_by(group: &[Search], lines: Lines<'_>) -> Vec<u32> {
    if let [only] = group {
        return only.rows(lines);
    }
    let mut rows: Vec<u32> = group.iter().flat_map(|search| search.rows(lines)).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Those of the rows, which ascend, that lie in a span.
fn inside(spans: &[RowSpan], rows: &[u32]) -> Vec<u32> {
    let mut kept = Vec::with_capacity(rows.len());
    let mut rest = rows;
    for span in spans {
        rest = &rest[rest.partition_point(|row| *row < span.rows.start)..];
        let (of_span, behind) = rest.split_at(rest.partition_point(|row| *row < span.rows.end));
        kept.extend_from_slice(of_span);
        rest = behind;
    }
    kept
}

/// Rows of both lists, which ascend.
fn common(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut both = Vec::with_capacity(left.len().min(right.len()));
    let mut right = right.iter().peekable();
    for row in left {
        while right.next_if(|other| *other < row).is_some() {}
        if right.next_if(|other| *other == row).is_some() {
            both.push(*row);
        }
    }
    both
}

/// Rows of the first list that are not in the second. Both ascend.
fn without(mut rows: Vec<u32>, others: &[u32]) -> Vec<u32> {
    let mut others = others.iter().peekable();
    rows.retain(|row| {
        while others.next_if(|other| *other < row).is_some() {}
        others.peek() != Some(&row)
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_rows() {
        assert_eq!(common(&[1, 3, 5, 7], &[0, 3, 4, 7, 9]), [3, 7]);
        assert_eq!(without(vec![1, 3, 5, 7], &[0, 3, 4, 7, 9]), [1, 5]);
        let spans = [RowSpan { part: 0, rows: 1..3 }, RowSpan { part: 1, rows: 5..6 }];
        assert_eq!(inside(&spans, &[0, 1, 2, 3, 4, 5, 6]), [1, 2, 5]);
        assert_eq!(rows_of(&spans), [1, 2, 5]);
    }
}
