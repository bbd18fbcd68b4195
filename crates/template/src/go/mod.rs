//! How Go reads and writes numbers, sizes and quoted text. Users see these forms in queries, in
//! results and in error texts, so they are exact.

mod float;
mod int;
mod quote;
mod readable;
mod rune;
mod size;

pub use float::{InvalidFloat, parse_float};
pub use int::{InvalidInt, parse_int};
pub use quote::quote_bytes;
pub use readable::Readable;
pub use rune::{Rune, decode_rune, trim_space};
pub use size::{InvalidSize, parse_size};

pub(crate) use float::{FloatForm, float_text};
pub(crate) use int::truncate_float;
pub(crate) use quote::{Unquoted, quote_ascii, quote_rune, unquote, unquote_char};
pub(crate) use rune::{is_letter, is_space, last_rune, runes, to_lower, to_title, to_upper};
