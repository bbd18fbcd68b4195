//! Go's template language as LogQL uses it in `line_format` and `label_format`, with the functions that
//! those know.
//!
//! It knows nothing of streams, stages or queries: a template sees named values, a line and two times,
//! and gives text. It reads no clock, and what one execution may do is bounded: steps, text, depth.

mod ast;
mod budget;
mod call;
mod exec;
mod fields;
mod functions;
mod go;
mod inspect;
mod lex;
mod parse;
mod pipeline;
mod print;
mod template;
mod time;
mod value;

pub use exec::{ExecError, Input};
pub use functions::{Regex, RegexCompiler, expand};
pub use go::{
    InvalidFloat, InvalidInt, InvalidSize, Readable, Rune, decode_rune, parse_float, parse_int, parse_size,
    quote_bytes, trim_space,
};
pub use inspect::Uses;
pub use parse::ParseError;
pub use template::{Template, fuzz};
