//! Which ranges were asked for lately.

/// A table of fixed size in which each range has one row of a few places, and drives out whoever was there for longest.
/// A range that was driven out is forgotten: it is kept one time later.
pub(super) struct Seen(Box<[[u64; PLACES]]>);

/// With one place, a hundredth of some thousand ranges would drive each other out for ever.
const PLACES: usize = 8;

/// A megabyte in all. Between two uses of a range some 100,000 others may be read: with pages of 50 KB 5 GB.
const ROWS: usize = 1 << 14;

impl Seen {
    pub(super) fn new() -> Self {
        Self(vec![[0; PLACES]; ROWS].into_boxed_slice())
    }

    /// Whether it was seen before; from now on it was.
    pub(super) fn again(&mut self, digest: u128) -> bool {
        let (row, mark) = (self.row(digest), mark(digest));
        let found = row.iter().position(|place| *place == mark);
        // To the front; what is last is driven out.
        row[..=found.unwrap_or(PLACES - 1)].rotate_right(1);
        row[0] = mark;
        found.is_some()
    }

    pub(super) fn forget(&mut self, digest: u128) {
        let (row, mark) = (self.row(digest), mark(digest));
        for place in row.iter_mut().filter(|place| **place == mark) {
            *place = 0;
        }
    }

    fn row(&mut self, digest: u128) -> &mut [u64; PLACES] {
        &mut self.0[digest as usize % ROWS]
    }
}

/// Of a range; 0 is nobody's. Two ranges of one row have the same one nearly never, and then one is kept too early.
fn mark(digest: u128) -> u64 {
    ((digest >> 64) as u64) | 1
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    fn digest(number: u32) -> u128 {
        xxh3_128(&number.to_le_bytes())
    }

    #[test]
    fn what_was_seen_lately_is_known() {
        let mut seen = Seen::new();
        // A table half full, over which few rows are.
        let many = (ROWS * PLACES / 2) as u32;
        assert!((0..many).all(|number| !seen.again(digest(number))));
        let known = (0..many).filter(|number| seen.again(digest(*number))).count();
        assert!(known > many as usize * 95 / 100, "{known} of {many}");
        seen.forget(digest(7));
        assert!(!seen.again(digest(7)) && seen.again(digest(7)));
        for number in many..many * 20 {
            seen.again(digest(number));
        }
        assert!(!seen.again(digest(3)), "long ago");
    }
}
