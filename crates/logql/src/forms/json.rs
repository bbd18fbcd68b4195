//! When the `json` parsers cannot tell slots' contents apart: in well-formed objects whose slots are inside
//! strings that are values, and not in their escapes, or are digits of numbers; and in lines that can be no
//! object. The parsers take much else too, which is left to them row by row.

use super::{LineForm, SlotBytes};

/// Objects and arrays inside one another; the parsers go a little deeper.
const MAX_DEPTH: usize = 100;

/// `by_path`: of the parser that looks for given paths.
pub(super) fn is_uniform(form: LineForm<'_>, by_path: bool) -> bool {
    let mut tokens = Tokens::new(form);
    if !by_path {
        tokens.skip_space();
    }
    match tokens.peek() {
        None => return true,
        Some(Token::Byte(b'{')) => {}
        Some(Token::Byte(b'[' | b'"')) => return !by_path,
        Some(_) => return true,
    }
    if object(&mut tokens, 0).is_none() {
        return false;
    }
    // Only the other parser stops at the end of the object.
    tokens.skip_space();
    !by_path || tokens.peek().is_none()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    Slot(SlotBytes),
}

/// The bytes and the slots of a form, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'f> {
    form: LineForm<'f>,
    piece: usize,
    at: usize,
}

impl<'f> Tokens<'f> {
    pub(super) fn new(form: LineForm<'f>) -> Self {
        Self { form, piece: 0, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<Token> {
        let piece = self.form.pieces.get(self.piece)?;
        match piece.get(self.at) {
            Some(byte) => Some(Token::Byte(*byte)),
            None => self.form.slots.get(self.piece).map(|slot| Token::Slot(*slot)),
        }
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let next = self.peek()?;
        if matches!(next, Token::Byte(_)) {
            self.at += 1;
        } else {
            (self.piece, self.at) = (self.piece + 1, 0);
        }
        Some(next)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(Token::Byte(b' ' | b'\n' | b'\r' | b'\t'))) {
            self.next();
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == Token::Byte(byte)).then_some(())
    }

    fn expect_text(&mut self, text: &[u8]) -> Option<()> {
        text.iter().try_for_each(|byte| self.expect(*byte))
    }
}

/// None: it is not well-formed, or a slot is where it must not be.
fn object(tokens: &mut Tokens<'_>, depth: usize) -> Option<()> {
    tokens.expect(b'{')?;
    tokens.skip_space();
    if tokens.peek()? == Token::Byte(b'}') {
        tokens.next();
        return Some(());
    }
    loop {
        tokens.expect(b'"')?;
        string(tokens, false)?;
        tokens.skip_space();
        tokens.expect(b':')?;
        value(tokens, depth + 1)?;
        match tokens.next()? {
            Token::Byte(b',') => tokens.skip_space(),
            Token::Byte(b'}') => return Some(()),
            _ => return None,
        }
    }
}

fn array(tokens: &mut Tokens<'_>, depth: usize) -> Option<()> {
    tokens.expect(b'[')?;
    tokens.skip_space();
    if tokens.peek()? == Token::Byte(b']') {
        tokens.next();
        return Some(());
    }
    loop {
        value(tokens, depth + 1)?;
        match tokens.next()? {
            Token::Byte(b',') => {}
            Token::Byte(b']') => return Some(()),
            _ => return None,
        }
    }
}

/// With the blanks around it.
fn value(tokens: &mut Tokens<'_>, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    tokens.skip_space();
    match tokens.peek()? {
        Token::Byte(b'"') => {
            tokens.next();
            string(tokens, true)?;
        }
        Token::Byte(b'{') => object(tokens, depth)?,
        Token::Byte(b'[') => array(tokens, depth)?,
        Token::Byte(b't') => tokens.expect_text(b"true")?,
        Token::Byte(b'f') => tokens.expect_text(b"false")?,
        Token::Byte(b'n') => tokens.expect_text(b"null")?,
        Token::Byte(b'-') | Token::Slot(SlotBytes::Digits) => number(tokens),
        _ => return None,
    }
    tokens.skip_space();
    Some(())
}

/// The parsers take it as it is. What ends it must be there, as whoever comes next sees.
fn number(tokens: &mut Tokens<'_>) {
    while let Some(Token::Byte(b'-' | b'+' | b'.' | b'e' | b'E') | Token::Slot(SlotBytes::Digits)) =
        tokens.peek()
    {
        tokens.next();
    }
}

/// Behind its opening quote. Escapes are whole, and slots are no part of them.
fn string(tokens: &mut Tokens<'_>, may_have_slots: bool) -> Option<()> {
    loop {
        match tokens.next()? {
            Token::Byte(b'"') => return Some(()),
            Token::Byte(b'\\') => escape(tokens)?,
            Token::Byte(_) => {}
            Token::Slot(_) if may_have_slots => {}
            Token::Slot(_) => return None,
        }
    }
}

/// Behind its backslash. What does not begin an escape is a fault, in whatever row.
pub(super) fn escape(tokens: &mut Tokens<'_>) -> Option<()> {
    match tokens.next()? {
        Token::Byte(b'u') => {
            for _ in 0..4 {
                let is_hex = matches!(tokens.next()?, Token::Byte(byte) if byte.is_ascii_hexdigit());
                if !is_hex {
                    return None;
                }
            }
            Some(())
        }
        Token::Byte(_) => Some(()),
        Token::Slot(_) => None,
    }
}
