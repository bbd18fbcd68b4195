//! The tree of a template, and its text as error messages show it.

use crate::functions::Function;

#[derive(Debug)]
pub(crate) enum Node {
    Text(Box<str>),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { pos: usize, name: Box<[u8]>, pipe: Option<Pipe> },
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Option<Vec<Node>>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    /// `=` and not `:=`.
    pub(crate) assigns: bool,
    /// Names with their dollar sign.
    pub(crate) variables: Vec<Box<str>>,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) pos: usize,
    /// Never empty.
    pub(crate) args: Vec<Operand>,
}

#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) pos: usize,
    pub(crate) kind: OperandKind,
}

#[derive(Debug)]
pub(crate) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text {
        literal: Box<str>,
        value: Box<[u8]>,
    },
    /// `.a.b`
    Field(Vec<Box<str>>),
    /// `$x.a`: the first is the variable with its dollar sign.
    Variable(Vec<Box<str>>),
    /// `(pipe).a` or `function.a`
    Chain {
        of: Box<Operand>,
        fields: Vec<Box<str>>,
    },
    Pipe(Pipe),
    Function(&'static Function),
}

/// A literal holds every kind of number that it can be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) text: Box<str>,
    pub(crate) int: Option<i64>,
    pub(crate) float: Option<f64>,
    /// With a non-zero imaginary part. No function takes such a number.
    pub(crate) is_complex: bool,
}

/// What an execution error names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'t> {
    Template { pos: usize, name: &'t [u8], pipe: Option<&'t Pipe> },
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
}

impl At<'_> {
    pub(crate) fn pos(&self) -> usize {
        match self {
            Self::Template { pos, .. } => *pos,
            Self::Pipe(pipe) => pipe.pos,
            Self::Command(command) => command.pos,
            Self::Operand(operand) => operand.pos,
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Template { name, pipe, .. } => {
                out.push_str("{{template ");
                out.push_str(&crate::go::quote_bytes(name));
                if let Some(pipe) = pipe {
                    out.push(' ');
                    write_pipe(&mut out, pipe);
                }
                out.push_str("}}");
            }
            Self::Pipe(pipe) => write_pipe(&mut out, pipe),
            Self::Command(command) => write_command(&mut out, command),
            Self::Operand(operand) => write_operand(&mut out, operand),
        }
        out
    }
}

pub(crate) fn operand_text(operand: &Operand) -> String {
    let mut out = String::new();
    write_operand(&mut out, operand);
    out
}

fn write_pipe(out: &mut String, pipe: &Pipe) {
    for (index, variable) in pipe.variables.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(variable);
    }
    if !pipe.variables.is_empty() {
        out.push_str(if pipe.assigns { " = " } else { " := " });
    }
    for (index, command) in pipe.commands.iter().enumerate() {
        if index > 0 {
            out.push_str(" | ");
        }
        write_command(out, command);
    }
}

fn write_command(out: &mut String, command: &Command) {
    for (index, arg) in command.args.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        write_in_command(out, arg);
    }
}

/// A pipeline inside a command or before a field stands in parentheses; by itself it does not.
fn write_in_command(out: &mut String, operand: &Operand) {
    if let OperandKind::Pipe(pipe) = &operand.kind {
        out.push('(');
        write_pipe(out, pipe);
        out.push(')');
    } else {
        write_operand(out, operand);
    }
}

fn write_operand(out: &mut String, operand: &Operand) {
    match &operand.kind {
        OperandKind::Dot => out.push('.'),
        OperandKind::Nil => out.push_str("nil"),
        OperandKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        OperandKind::Number(number) => out.push_str(&number.text),
        OperandKind::Text { literal, .. } => out.push_str(literal),
        OperandKind::Field(fields) => write_fields(out, fields),
        OperandKind::Variable(names) => {
            out.push_str(&names[0]);
            write_fields(out, &names[1..]);
        }
        OperandKind::Chain { of, fields } => {
            write_in_command(out, of);
            write_fields(out, fields);
        }
        OperandKind::Pipe(pipe) => write_pipe(out, pipe),
        OperandKind::Function(function) => out.push_str(function.name),
    }
}

fn write_fields(out: &mut String, fields: &[Box<str>]) {
    for field in fields {
        out.push('.');
        out.push_str(field);
    }
}
