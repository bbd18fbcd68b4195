//! A set of streams or of chunks of one segment, a bit each.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdinalSet {
    words: Vec<u64>,
    count: u32,
}

impl OrdinalSet {
    /// How many there could be.
    pub const fn count(&self) -> u32 {
        self.count
    }

    pub fn none(count: u32) -> Self {
        Self { words: vec![0; count.div_ceil(64) as usize], count }
    }

    pub fn all(count: u32) -> Self {
        let mut set = Self { words: vec![u64::MAX; count.div_ceil(64) as usize], count };
        set.cut_last_word();
        set
    }

    /// Bits behind the last one stay zero.
    fn cut_last_word(&mut self) {
        if let Some(last) = self.words.last_mut()
            && !self.count.is_multiple_of(64)
        {
            *last &= u64::MAX >> (64 - self.count % 64);
        }
    }

    /// What is out of range is left out.
    pub fn insert(&mut self, ordinal: u32) {
        if ordinal < self.count {
            self.words[ordinal as usize / 64] |= 1 << (ordinal % 64);
        }
    }

    pub fn remove(&mut self, ordinal: u32) {
        if ordinal < self.count {
            self.words[ordinal as usize / 64] &= !(1 << (ordinal % 64));
        }
    }

    pub fn insert_range(&mut self, range: std::ops::Range<u32>) {
        let mut next = range.start;
        let end = range.end.min(self.count);
        while next < end {
            // As much as one word has of it.
            let bits = (64 - next % 64).min(end - next);
            self.words[next as usize / 64] |= (u64::MAX >> (64 - bits)) << (next % 64);
            next += bits;
        }
    }

    pub fn contains(&self, ordinal: u32) -> bool {
        ordinal < self.count && self.words[ordinal as usize / 64] & 1 << (ordinal % 64) != 0
    }

    pub fn invert(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.cut_last_word();
    }

    /// Both sets are of the same segment.
    pub fn add(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Both sets are of the same segment.
    pub fn keep(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(word, other)| word & other != 0)
    }

    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let mut set = OrdinalSet::none(130);
        set.insert(0);
        set.insert_range(63..66);
        set.insert(129);
        set.insert(130);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 65, 129]);
        let before = set.clone();
        set.invert();
        assert_eq!(set.len(), 125);
        set.keep(&before);
        assert!(set.is_empty());
        assert_eq!(OrdinalSet::all(64).len(), 64);
        assert_eq!(OrdinalSet::all(0).len(), 0);
    }
}
