//! Masked code as words and punctuation, each with its line.

use super::mask::is_word;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// A word, one punctuation character, or an arrow (`->`, `=>`): an arrow's `>` closes nothing.
    pub(super) text: &'a str,
    /// From 1.
    pub(super) line: usize,
}

pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'\n' => line += 1,
            byte if byte.is_ascii_whitespace() => {}
            byte if is_word(byte) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                tokens.push(Token { text: &code[start..at], line });
            }
            b'-' | b'=' if bytes.get(at) == Some(&b'>') => {
                at += 1;
                tokens.push(Token { text: &code[start..at], line });
            }
            _ => tokens.push(Token { text: &code[start..at], line }),
        }
    }
    tokens
}

/// The index of the bracket that closes the one at `open`; the last token if none does.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    tokens.len().saturating_sub(1)
}
