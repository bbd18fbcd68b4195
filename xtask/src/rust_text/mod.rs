//! Rust sources read as text: enough of the language's lexical rules to find functions, test items
//! and banned calls, and nothing of its grammar. A source that does not compile gives a wrong answer,
//! never a panic.

mod items;
mod mask;
mod token;

pub(crate) use items::{Items, scan};
pub(crate) use mask::mask;
