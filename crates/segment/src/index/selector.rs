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
