//! A template: parsed once, run many times.

use crate::ast::{Node, OperandKind};
use crate::exec::{self, ExecError, Input};
use crate::functions::{Regex, RegexCompiler, Regexes};
use crate::inspect::{self, Uses};
use crate::parse::{ParseError, Trees, parse};

#[derive(Debug)]
pub struct Template {
    source: Box<str>,
    trees: Trees,
    regexes: Regexes,
}

impl Template {
    /// `name` is what errors call it.
    pub fn parse(name: &str, text: &str, compile: RegexCompiler) -> Result<Self, ParseError> {
        let trees = parse(name, text)?;
        let regexes = Regexes::new(compile, inspect::regex_literals(&trees));
        Ok(Self { source: text.into(), trees, regexes })
    }

    /// Appends the output. After an error `out` holds what was written before it.
    pub fn execute<'a>(&'a self, input: &Input<'a>, out: &mut Vec<u8>) -> Result<(), ExecError> {
        exec::execute(&self.source, &self.trees, &self.regexes, input, out)
    }

    /// The regexes that it spells out.
    pub fn regex_literals(&self) -> impl Iterator<Item = &[u8]> {
        self.regexes.texts()
    }

    pub fn uses(&self) -> Uses {
        inspect::uses(&self.trees)
    }

    /// The name, if the whole template is one field: `{{ .name }}`.
    pub fn single_field(&self) -> Option<&str> {
        let [Node::Action(pipe)] = self.trees.root.as_slice() else {
            return None;
        };
        let [command] = pipe.commands.as_slice() else {
            return None;
        };
        match command.args.as_slice() {
            [only] if pipe.variables.is_empty() => match &only.kind {
                OperandKind::Field(names) if names.len() == 1 => Some(&names[0]),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Any bytes, read as a template and run on some of themselves. Nothing may panic or take long.
pub fn fuzz(bytes: &[u8]) {
    fn plain(text: &str) -> Result<Regex, String> {
        let matcher = regex::bytes::Regex::new(text).map_err(|error| error.to_string())?;
        let names = matcher.capture_names().map(|name| name.map(Into::into)).collect();
        Ok(Regex { matcher, names })
    }
    let text = String::from_utf8_lossy(bytes);
    let Ok(template) = Template::parse("fuzz", &text, plain) else {
        return;
    };
    let half = &bytes[..bytes.len() / 2];
    let get = |name: &str| if name.len().is_multiple_of(2) { Some(half) } else { None };
    let all = || vec![("a", bytes), ("b", half)];
    let input = Input { get: &get, all: &all, line: bytes, timestamp: 1, now: 2 };
    let mut out = Vec::new();
    // Both ends are fine: output or an error.
    drop(template.execute(&input, &mut out));
}

#[cfg(test)]
mod tests;
