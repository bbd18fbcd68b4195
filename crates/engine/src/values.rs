//! Values of samples by step, where neither their order nor their times matter.

#[derive(Debug, Default)]
pub(crate) struct StepValues(Vec<(u32, Vec<f64>)>);

impl StepValues {
    pub(crate) fn push(&mut self, step: u32, value: f64) {
        self.of(step).push(value);
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (step, values) in &other.0 {
            self.of(*step).extend_from_slice(values);
        }
    }

    /// Rows come mostly in the order of time: the step is the last or a new one.
    fn of(&mut self, step: u32) -> &mut Vec<f64> {
        let last = self.0.len().wrapping_sub(1);
        let place = match self.0.last() {
            Some((known, _)) if *known == step => last,
            _ => {
                let found = self.0.binary_search_by_key(&step, |(known, _)| *known);
                found.unwrap_or_else(|place| {
                    self.0.insert(place, (step, Vec::new()));
                    place
                })
            }
        };
        &mut self.0[place].1
    }

    pub(crate) fn reader(self) -> ValueReader {
        ValueReader(self.0.into_iter().peekable())
    }
}

/// The values of the steps, one after the other.
#[derive(Debug)]
pub(crate) struct ValueReader(std::iter::Peekable<std::vec::IntoIter<(u32, Vec<f64>)>>);

impl ValueReader {
    /// Steps must not go back.
    pub(crate) fn at(&mut self, step: u32) -> Vec<f64> {
        while self.0.next_if(|(known, _)| *known < step).is_some() {}
        self.0.next_if(|(known, _)| *known == step).map(|(_, values)| values).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_step() {
        let (mut one, mut other) = (StepValues::default(), StepValues::default());
        for (step, value) in [(3, 1.0), (3, 2.0), (7, 3.0), (5, 4.0), (3, 5.0)] {
            one.push(step, value);
        }
        other.push(4, 6.0);
        other.push(5, 7.0);
        one.absorb(&other);
        let mut reader = one.reader();
        assert_eq!(reader.at(3), [1.0, 2.0, 5.0]);
        assert_eq!(reader.at(5), [4.0, 7.0]);
        assert!(reader.at(6).is_empty());
        assert_eq!(reader.at(7), [3.0]);
        assert!(reader.at(8).is_empty());
    }
}
