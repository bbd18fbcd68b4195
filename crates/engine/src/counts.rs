//! Whole numbers by step. Each row counts for a run of steps, so that only where runs begin and end is noted:
//! what a step comes to is the sum of all that is noted up to it.

/// Steps and what is added there, by step.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct StepCounts(Vec<(u32, i64)>);

/// Bytes of one entry.
pub(crate) const MARK_BYTES: usize = size_of::<(u32, i64)>();

impl StepCounts {
    /// Adds the amount to all steps from `first` to `last`; how many entries are new.
    pub(crate) fn add(&mut self, (first, last): (u32, u32), amount: u64) -> usize {
        // Rows and bytes of a query are far below 2^63.
        let amount = amount as i64;
        usize::from(self.mark(first, amount)) + usize::from(self.mark(last + 1, -amount))
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (step, amount) in &other.0 {
            self.mark(*step, *amount);
        }
    }

    /// Rows come mostly in the order of time: the step is one of the last.
    fn mark(&mut self, step: u32, amount: i64) -> bool {
        let mut at = self.0.len();
        let behind = self.0.iter().rev().take(4).take_while(|(known, _)| *known > step).count();
        at -= behind;
        if behind == 4 {
            at = self.0.partition_point(|(known, _)| *known <= step);
        }
        match at.checked_sub(1).and_then(|last| self.0.get_mut(last)) {
            Some((known, sum)) if *known == step => {
                *sum += amount;
                false
            }
            _ => {
                self.0.insert(at, (step, amount));
                true
            }
        }
    }

    pub(crate) fn reader(self) -> CountReader {
        CountReader { counts: self.0, next: 0, sum: 0 }
    }
}

/// What the steps come to, one after the other.
#[derive(Debug)]
pub(crate) struct CountReader {
    counts: Vec<(u32, i64)>,
    next: usize,
    sum: i64,
}

impl CountReader {
    /// Steps must not go back.
    pub(crate) fn at(&mut self, step: u32) -> u64 {
        while let Some((known, amount)) = self.counts.get(self.next)
            && *known <= step
        {
            self.sum += amount;
            self.next += 1;
        }
        self.sum.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_of_runs(
            runs in prop::collection::vec((0_u32..30, 0_u32..5, 0_u64..9), 0..60), cut in 0_usize..60,
        ) {
            let mut want = [0_u64; 40];
            let (mut one, mut other) = (StepCounts::default(), StepCounts::default());
            for (number, (first, more, amount)) in runs.iter().enumerate() {
                let steps = (*first, first + more);
                (steps.0..=steps.1).for_each(|step| want[step as usize] += amount);
                if number < cut { one.add(steps, *amount) } else { other.add(steps, *amount) };
            }
            one.absorb(&other);
            let mut reader = one.reader();
            let found: Vec<u64> = (0..40).map(|step| reader.at(step)).collect();
            prop_assert_eq!(found, want);
        }
    }
}
