//! Pipelines: declarations, commands, operands, literals.

use crate::ast::{Command, Number, Operand, OperandKind, Pipe, operand_text};
use crate::functions;
use crate::go::{InvalidFloat, InvalidInt, Unquoted, parse_float, parse_int, unquote, unquote_char};
use crate::lex::{Kind, Token};
use crate::parse::{ParseError, Parser};

impl Parser<'_> {
    pub(crate) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, ParseError> {
        let mut pipe = Pipe {
            pos: self.peek_non_space().pos,
            assigns: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    pipe.commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), ParseError> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            // Whether a blank follows must be known, so that it can be put back.
            let after = self.peek();
            let next = self.peek_non_space();
            if matches!(next.kind, Kind::Assign | Kind::Declare) {
                pipe.assigns = next.kind == Kind::Assign;
                self.next_non_space();
                self.declare(pipe, variable.text);
                return Ok(());
            }
            if next.kind == Kind::Char && &*next.text == "," {
                self.next_non_space();
                self.declare(pipe, variable.text);
                if context != "range" || pipe.variables.len() >= 2 {
                    return self.error(&format!("too many declarations in {context}"));
                }
                if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen)
                {
                    return self.error("range can only initialize variables");
                }
                continue;
            }
            if after.kind == Kind::Space {
                self.backup_three(variable, after);
            } else {
                self.backup_two(variable);
            }
            return Ok(());
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, name: Box<str>) {
        pipe.variables.push(name.clone());
        self.tree.variables.push(name);
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), ParseError> {
        if pipe.commands.is_empty() {
            return self.error(&format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let is_value = matches!(
                command.args[0].kind,
                OperandKind::Bool(_)
                    | OperandKind::Dot
                    | OperandKind::Nil
                    | OperandKind::Number(_)
                    | OperandKind::Text { .. }
            );
            if is_value {
                return self.error(&format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(())
    }

    /// Operands up to a pipe sign, which is taken, or a closing delimiter, which is left.
    fn command(&mut self) -> Result<Command, ParseError> {
        let mut command = Command { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() { self.error("empty command") } else { Ok(command) }
    }

    fn operand(&mut self) -> Result<Option<Operand>, ParseError> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut fields: Vec<Box<str>> = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().text[1..].into());
        }
        let kind = match term.kind {
            OperandKind::Field(mut names) => {
                names.append(&mut fields);
                OperandKind::Field(names)
            }
            OperandKind::Variable(mut names) => {
                names.append(&mut fields);
                OperandKind::Variable(names)
            }
            OperandKind::Bool(_)
            | OperandKind::Text { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => {
                let text = larch_types::quoted(&operand_text(&term));
                return self.error(&format!("unexpected . after term {text}"));
            }
            _ => OperandKind::Chain { of: Box::new(term), fields },
        };
        Ok(Some(Operand { pos: first.pos, kind }))
    }

    fn term(&mut self) -> Result<Option<Operand>, ParseError> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier => match functions::find(&token.text) {
                Some(function) => OperandKind::Function(function),
                None => {
                    return self.error(&format!("function {} not defined", larch_types::quoted(&token.text)));
                }
            },
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => {
                if !self.tree.variables.contains(&token.text) {
                    return self.error(&format!("undefined variable {}", larch_types::quoted(&token.text)));
                }
                OperandKind::Variable(vec![token.text])
            }
            Kind::Field => OperandKind::Field(vec![token.text[1..].into()]),
            Kind::Bool => OperandKind::Bool(&*token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match number(&token) {
                Ok(number) => OperandKind::Number(number),
                Err(message) => return self.error(&message),
            },
            Kind::LeftParen => {
                self.enter()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.leave();
                return Ok(Some(Operand { pos: pipe.pos, kind: OperandKind::Pipe(pipe) }));
            }
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(value) => OperandKind::Text { literal: token.text, value: value.into() },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos: token.pos, kind }))
    }
}

/// The kinds of number that a literal can be. Complex numbers are known, so that they are named in
/// errors, but nothing computes with them.
fn number(token: &Token) -> Result<Number, String> {
    let text = &*token.text;
    let mut number = Number { text: text.into(), int: None, float: None, is_complex: false };
    if token.kind == Kind::CharConstant {
        let code = char_constant(text)?;
        number.int = Some(i64::from(code));
        number.float = Some(f64::from(code));
        return Ok(number);
    }
    if token.kind == Kind::Complex || text.ends_with('i') {
        number.is_complex = true;
        return Ok(number);
    }
    match parse_int(text.as_bytes(), 0) {
        Ok(int) => {
            number.int = Some(int);
            number.float = Some(int as f64);
            return Ok(number);
        }
        Err(InvalidInt::Range(_)) => {
            if let Some(huge) = unsigned(text) {
                number.float = Some(huge as f64);
                return Ok(number);
            }
        }
        Err(InvalidInt::Syntax(_)) => {}
    }
    match parse_float(text.as_bytes()) {
        Ok(_) if !text.contains(['.', 'e', 'E', 'p', 'P']) => {
            Err(format!("integer overflow: {}", larch_types::quoted(text)))
        }
        Ok(float) => {
            number.float = Some(float);
            let cut = float as i64;
            if cut as f64 == float && cut != i64::MAX {
                number.int = Some(cut);
            }
            Ok(number)
        }
        Err(InvalidFloat::Syntax(_) | InvalidFloat::Range { .. }) => {
            Err(format!("illegal number syntax: {}", larch_types::quoted(text)))
        }
    }
}

/// Between 2^63 and 2^64.
fn unsigned(text: &str) -> Option<u64> {
    if text.starts_with(['+', '-']) {
        return None;
    }
    let digits = text.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    match lower.get(..2) {
        Some("0x") => u64::from_str_radix(&lower[2..], 16).ok(),
        Some("0o") => u64::from_str_radix(&lower[2..], 8).ok(),
        Some("0b") => u64::from_str_radix(&lower[2..], 2).ok(),
        _ if lower.starts_with('0') => u64::from_str_radix(&lower, 8).ok(),
        _ => lower.parse().ok(),
    }
}

fn char_constant(text: &str) -> Result<u32, String> {
    let Some((unit, len)) = unquote_char(&text.as_bytes()[1..], b'\'') else {
        return Err("invalid syntax".to_owned());
    };
    if &text[1 + len..] != "'" {
        return Err(format!("malformed character constant: {text}"));
    }
    Ok(match unit {
        Unquoted::Char(c) => u32::from(c),
        Unquoted::Byte(byte) => u32::from(byte),
    })
}
