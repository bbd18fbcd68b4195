//! Runs a parsed template: control structures and pipelines.

use crate::ast::{At, Branch, Command, Node, Number, Operand, OperandKind, Pipe};
use crate::budget::{Budget, OverBudget, append};
use crate::functions::Regexes;
use crate::go::quote_bytes;
use crate::parse::{MAX_DEPTH, Trees};
use crate::print::{print_result, print_value};
use crate::value::{IntType, Text, Value};

/// Bodies, parentheses and templates inside one another: what parsing lets through, and as much again for
/// templates that use templates.
const MAX_EXEC_DEPTH: usize = 2 * MAX_DEPTH;

/// What a template sees.
pub struct Input<'a> {
    /// The value of a name.
    pub get: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    /// All names and values, for templates that print or range over them.
    pub all: &'a dyn Fn() -> Vec<(&'a str, &'a [u8])>,
    /// What `__line__` gives.
    pub line: &'a [u8],
    /// What `__timestamp__` gives: nanoseconds since 1970.
    pub timestamp: i64,
    /// What `now` gives.
    pub now: i64,
}

impl<'a> Input<'a> {
    pub(crate) fn sorted_fields(&self) -> Vec<(&'a str, &'a [u8])> {
        let mut fields = (self.all)();
        fields.sort_unstable();
        fields
    }

    pub(crate) fn is_empty(&self) -> bool {
        (self.all)().is_empty()
    }
}

/// The text that Go gives, with the place in the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExecError(pub(crate) String);

/// What follows a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

pub(crate) struct Exec<'a, 'o> {
    pub(crate) source: &'a str,
    pub(crate) trees: &'a Trees,
    pub(crate) regexes: &'a Regexes,
    pub(crate) input: &'o Input<'a>,
    pub(crate) budget: Budget,
    out: &'o mut Vec<u8>,
    /// The node that an error names.
    at: Option<At<'a>>,
    /// The name of the template being run.
    running: &'a [u8],
    pub(crate) variables: Vec<(&'a str, Value<'a>)>,
    depth: usize,
}

/// Appends the output. On an error the output so far is left in `out`.
pub(crate) fn execute<'a>(
    source: &'a str,
    trees: &'a Trees,
    regexes: &'a Regexes,
    input: &Input<'a>,
    out: &mut Vec<u8>,
) -> Result<(), ExecError> {
    let mut exec = Exec {
        source,
        trees,
        regexes,
        input,
        budget: Budget::new(),
        out,
        at: None,
        running: trees.name.as_bytes(),
        variables: vec![("$", Value::Fields)],
        depth: 0,
    };
    exec.walk(&Value::Fields, &trees.root)?;
    Ok(())
}

impl<'a> Exec<'a, '_> {
    pub(crate) fn error<T>(&self, message: impl AsRef<str>) -> Result<T, ExecError> {
        let message = message.as_ref();
        let name = &self.trees.name;
        let Some(at) = self.at else {
            return Err(ExecError(format!("template: {name}: {message}")));
        };
        let before = &self.source[..at.pos()];
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
        let running = quote_bytes(self.running);
        let text = at.text();
        Err(ExecError(format!(
            "template: {name}:{line}:{column}: executing {running} at <{text}>: {message}"
        )))
    }

    pub(crate) fn at(&mut self, at: At<'a>) {
        self.at = Some(at);
    }

    pub(crate) fn within<T>(&self, result: Result<T, OverBudget>) -> Result<T, ExecError> {
        result.or_else(|over| self.error(over.to_string()))
    }

    fn enter(&mut self) -> Result<(), ExecError> {
        self.depth += 1;
        if self.depth > MAX_EXEC_DEPTH {
            return self.error(format!("exceeded maximum template depth ({MAX_EXEC_DEPTH})"));
        }
        Ok(())
    }

    fn walk(&mut self, dot: &Value<'a>, nodes: &'a [Node]) -> Result<Flow, ExecError> {
        self.enter()?;
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                self.depth -= 1;
                return Ok(flow);
            }
        }
        self.depth -= 1;
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value<'a>, node: &'a Node) -> Result<Flow, ExecError> {
        let step = self.budget.step();
        self.within(step)?;
        match node {
            Node::Text(text) => self.write(text.as_bytes())?,
            Node::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(&value)?;
                }
            }
            Node::If(branch) => return self.if_or_with(dot, branch, false),
            Node::With(branch) => return self.if_or_with(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template { pos, name, pipe } => self.template(dot, *pos, name, pipe.as_ref())?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, text: &[u8]) -> Result<(), ExecError> {
        let written = append(self.out, text);
        self.within(written)
    }

    fn print(&mut self, value: &Value<'a>) -> Result<(), ExecError> {
        let before = self.out.len();
        let printed = print_result(self.out, value, self.input);
        self.within(printed)?;
        let charged = self.budget.bytes(self.out.len() - before);
        self.within(charged)
    }

    fn if_or_with(&mut self, dot: &Value<'a>, branch: &'a Branch, with: bool) -> Result<Flow, ExecError> {
        let known = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = if self.is_true(&value) {
            self.walk(if with { &value } else { dot }, &branch.body)?
        } else if let Some(otherwise) = &branch.otherwise {
            self.walk(dot, otherwise)?
        } else {
            Flow::Next
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    pub(crate) fn is_true(&self, value: &Value<'a>) -> bool {
        match value {
            Value::Fields => value.is_true(self.input.is_empty()),
            _ => value.is_true(false),
        }
    }

    fn range(&mut self, dot: &Value<'a>, branch: &'a Branch) -> Result<Flow, ExecError> {
        let known = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?.into_inside();
        let mut any = false;
        let flow = match &value {
            Value::Int(count, kind) => self.range_over_int(*count, *kind, branch, &mut any)?,
            Value::List(items) => {
                let mut flow = Flow::Next;
                for (index, item) in items.iter().enumerate() {
                    any = true;
                    let index = Value::int(i64::try_from(index).unwrap_or(i64::MAX));
                    flow = self.iteration(branch, index, item.clone())?;
                    if flow == Flow::Break {
                        break;
                    }
                }
                flow
            }
            Value::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| (Value::Text(k.clone()), v.clone())).collect();
                self.range_over_entries(branch, entries, &mut any)?
            }
            Value::Fields => {
                let fields = self.input.sorted_fields().into_iter();
                let entries = fields.map(|(k, v)| (Value::Text(k.as_bytes().into()), Value::Text(v.into())));
                self.range_over_entries(branch, entries.collect(), &mut any)?
            }
            Value::Nil => Flow::Next,
            other => {
                let mut shown = Vec::new();
                let printed = print_value(&mut shown, other, self.input);
                self.within(printed)?;
                return self.error(format!("range can't iterate over {}", String::from_utf8_lossy(&shown)));
            }
        };
        // A break ends this loop and nothing else.
        if flow != Flow::Break
            && !any
            && let Some(otherwise) = &branch.otherwise
        {
            self.variables.truncate(known);
            return self.walk(dot, otherwise);
        }
        self.variables.truncate(known);
        Ok(Flow::Next)
    }

    fn range_over_int(
        &mut self,
        count: i64,
        kind: IntType,
        branch: &'a Branch,
        any: &mut bool,
    ) -> Result<Flow, ExecError> {
        if branch.pipe.variables.len() > 1 {
            return self.error(format!("can't use {count} to iterate over more than one variable"));
        }
        for number in 0..count {
            *any = true;
            if self.iteration(branch, Value::Nil, Value::Int(number, kind))? == Flow::Break {
                return Ok(Flow::Break);
            }
        }
        Ok(Flow::Next)
    }

    fn range_over_entries(
        &mut self,
        branch: &'a Branch,
        entries: Vec<(Value<'a>, Value<'a>)>,
        any: &mut bool,
    ) -> Result<Flow, ExecError> {
        for (key, value) in entries {
            *any = true;
            if self.iteration(branch, key, value)? == Flow::Break {
                return Ok(Flow::Break);
            }
        }
        Ok(Flow::Next)
    }

    fn iteration(
        &mut self,
        branch: &'a Branch,
        index: Value<'a>,
        item: Value<'a>,
    ) -> Result<Flow, ExecError> {
        let step = self.budget.step();
        self.within(step)?;
        let names = &branch.pipe.variables;
        match names.len() {
            0 => {}
            1 => self.set_variable(&names[0], item.clone())?,
            _ => {
                self.set_variable(&names[0], index)?;
                self.set_variable(&names[1], item.clone())?;
            }
        }
        let known = self.variables.len();
        let flow = self.walk(&item, &branch.body)?;
        self.variables.truncate(known);
        Ok(flow)
    }

    fn template(
        &mut self,
        dot: &Value<'a>,
        pos: usize,
        name: &'a [u8],
        pipe: Option<&'a Pipe>,
    ) -> Result<(), ExecError> {
        self.at(At::Template { pos, name, pipe });
        let Some(nodes) = self.trees.find(name) else {
            return self.error(format!("template {} not defined", quote_bytes(name)));
        };
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Nil,
        };
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let running = std::mem::replace(&mut self.running, name);
        self.walk(&dot, nodes)?;
        self.running = running;
        self.variables = variables;
        Ok(())
    }

    fn set_variable(&mut self, name: &str, value: Value<'a>) -> Result<(), ExecError> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    pub(crate) fn pipeline(&mut self, dot: &Value<'a>, pipe: &'a Pipe) -> Result<Value<'a>, ExecError> {
        self.enter()?;
        self.at(At::Pipe(pipe));
        let mut value = None;
        for command in &pipe.commands {
            let result = self.command(dot, command, value)?;
            value = Some(match result {
                Value::Element(inner) => *inner,
                other => other,
            });
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.assigns {
                self.set_variable(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        self.depth -= 1;
        Ok(value)
    }

    /// `piped` is the value of the command before, and becomes the last argument.
    fn command(
        &mut self,
        dot: &Value<'a>,
        command: &'a Command,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, ExecError> {
        let step = self.budget.step();
        self.within(step)?;
        let first = &command.args[0];
        let args = &command.args[1..];
        match &first.kind {
            OperandKind::Field(_) | OperandKind::Chain { .. } | OperandKind::Variable(_) => {
                return self.fields(dot, first, args, piped);
            }
            OperandKind::Function(function) => {
                self.at(At::Operand(first));
                return self.call(dot, function, None, At::Command(command), args, piped);
            }
            OperandKind::Pipe(pipe) => {
                self.not_a_function(first, args, &piped)?;
                return self.pipeline(dot, pipe);
            }
            _ => {}
        }
        self.at(At::Operand(first));
        self.not_a_function(first, args, &piped)?;
        match &first.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => self.error("nil is not a command"),
            _ => self.literal(first),
        }
    }

    pub(crate) fn not_a_function(
        &self,
        first: &Operand,
        args: &[Operand],
        piped: &Option<Value<'a>>,
    ) -> Result<(), ExecError> {
        if args.is_empty() && piped.is_none() {
            return Ok(());
        }
        let text = crate::ast::operand_text(first);
        self.error(format!("can't give argument to non-function {text}"))
    }

    /// A literal where nothing says what type it should have.
    pub(crate) fn literal(&mut self, operand: &'a Operand) -> Result<Value<'a>, ExecError> {
        self.at(At::Operand(operand));
        match &operand.kind {
            OperandKind::Bool(value) => Ok(Value::Bool(*value)),
            OperandKind::Text { value, .. } => Ok(Value::Text(Text::Borrowed(value))),
            OperandKind::Number(number) => self.ideal_number(number),
            _ => self.error("can't evaluate command"),
        }
    }

    fn ideal_number(&self, number: &Number) -> Result<Value<'a>, ExecError> {
        if number.is_complex {
            return self.error(format!("complex number {} is not supported", number.text));
        }
        if let Some(float) = number.float
            && looks_like_float(&number.text)
        {
            return Ok(Value::Float(float));
        }
        match number.int {
            Some(int) => Ok(Value::int(int)),
            None => self.error(format!("{} overflows int", number.text)),
        }
    }
}

/// A point or an exponent, and neither a hexadecimal integer nor a character.
fn looks_like_float(text: &str) -> bool {
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if text.starts_with('\'') || (is_hexadecimal && !text.contains(['p', 'P'])) {
        return false;
    }
    text.contains(['.', 'e', 'E', 'p', 'P'])
}
