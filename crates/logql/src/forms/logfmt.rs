//! When the `logfmt` parsers cannot tell slots' contents apart: slots have no byte that means anything to
//! them, but for hexadecimal digits in escapes. A name of which a slot is a part is seen where the parser was
//! run, if it makes a label there; the parser that looks for given keys makes none of it.

use larch_types::Timestamp;

use super::LineForm;
use super::instance::Instance;
use super::json::{Token, Tokens, escape};
use crate::stage::{Hints, Logfmt, LogfmtFlags, Row};

pub(super) fn is_uniform(form: LineForm<'_>) -> bool {
    let mut tokens = Tokens::new(form);
    while let Some(token) = tokens.next() {
        // Some backslashes are no escapes, and then they are of no matter.
        if token == Token::Byte(b'\\') && escape(&mut tokens.clone()).is_none() {
            return false;
        }
    }
    true
}

/// Sees all keys.
#[derive(Debug)]
pub(super) struct LogfmtKeysRule(Logfmt);

impl LogfmtKeysRule {
    pub(super) fn new() -> Self {
        Self(Logfmt::new(LogfmtFlags { strict: false, keep_empty: true }, Hints::all()))
    }

    pub(super) fn is_uniform(&self, instance: &Instance) -> bool {
        let mut work = Row::new(Timestamp::EPOCH);
        instance.load_into(&mut work);
        self.0.run(&mut work);
        !work.labels().sorted().iter().any(|label| instance.has_slot(label.name.as_bytes()))
    }
}
