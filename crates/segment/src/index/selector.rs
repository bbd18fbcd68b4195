//! One condition on the labels of a stream, as the index takes it.

/// Regexes are compiled by whoever asks, who then passes a predicate, or the literal values that the
/// regex comes down to.
#[derive(Clone, Copy)]
pub struct Selector<'a> {
    pub name: &'a str,
    pub test: Test<'a>,
}

/// A stream without the label has the empty value, as in every test of LogQL.
#[derive(Clone, Copy)]
pub enum Test<'a> {
    Is(&'a str),
    IsNot(&'a str),
    OneOf(&'a [&'a str]),
    /// Called once for each value that the label has in the segment, and for the empty one.
    Passes(&'a dyn Fn(&str) -> bool),
}

impl Selector<'_> {
    /// `value` is the label's value in a stream, empty without the label.
    pub(crate) fn passes(&self, value: &str) -> bool {
        match self.test {
            Test::Is(wanted) => value == wanted,
            Test::IsNot(unwanted) => value != unwanted,
            Test::OneOf(wanted) => wanted.contains(&value),
            Test::Passes(predicate) => predicate(value),
        }
    }
}
