//! `decolorize`: terminal control sequences are removed from the line.

use std::sync::LazyLock;

use larch_template::Regex;
use memchr::{memchr, memmem};

use crate::regex::compile_for_template;
use crate::stage::Row;

/// An introducer, then either a string that ends with a bell or parameters and a final character.
const SEQUENCE: &str = concat!(
    r"[\x1B\x9B][[\]()#;?]*",
    r"(?:(?:(?:[a-zA-Z\d]*(?:;[a-zA-Z\d]*)*)?\x07)",
    r"|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PRZcf-ntqry=><~]))"
);

#[expect(clippy::expect_used, reason = "the expression is a constant, and a test compiles it")]
static SEQUENCES: LazyLock<Regex> = LazyLock::new(|| compile_for_template(SEQUENCE).expect("a valid regex"));

#[derive(Debug, Clone, Copy, Default)]
pub struct Decolorize;

impl Decolorize {
    pub fn run(self, row: &mut Row<'_>) {
        if !may_be_colored(row.line()) {
            return;
        }
        row.line.replace(|line, out| {
            let mut copied = 0;
            for found in SEQUENCES.matcher.find_iter(line) {
                out.extend_from_slice(&line[copied..found.start()]);
                copied = found.end();
            }
            out.extend_from_slice(&line[copied..]);
            copied > 0
        });
    }
}

/// Either introducer: escape, or U+009B in two bytes.
fn may_be_colored(line: &[u8]) -> bool {
    memchr(0x1b, line).is_some() || memmem::find(line, "\u{9b}".as_bytes()).is_some()
}
