//! Go's RE2 syntax, which is what queries are written in, on the `regex` crate.
//!
//! The two dialects differ in many small ways: Go's `\d`, `\w`, `\s` and `\b` are ASCII, a brace that
//! begins no repetition is a brace, classes know no set operations, `\Q…\E` and octal escapes exist,
//! `\<` is a plain `<`, and every error has a text of its own that users see. So a pattern is parsed here
//! into a tree, and the tree is written out in the other dialect without anything that both would read
//! differently.

mod ast;
mod class;
mod compiled;
mod emit;
mod error;
mod matcher;
mod parse;
mod required;
mod shape;
mod syntax;

pub(crate) use compiled::searcher;
pub use compiled::{Flavor, Regex, compile_for_template, fuzz_regex};
pub use error::{RegexError, RegexFault};
pub use matcher::LabelMatcher;
pub use required::{AnyOf, Needle, Required};
pub(crate) use syntax::{check, group_names, matches_empty, required, required_whole, weight};

#[cfg(test)]
mod tests;
