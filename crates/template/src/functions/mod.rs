//! The functions of the language, by name, with the types that their arguments must have.

mod builtin;
mod compare;
mod decimal;
mod encode;
mod escape;
mod json;
mod math;
mod methods;
mod regex;
mod strings;
mod times;

use std::borrow::Cow;

use crate::budget::{Budget, OverBudget};
use crate::exec::Input;
use crate::value::{IntType, Text, Value};

pub use regex::{Regex, RegexCompiler, expand};

pub(crate) use methods::find_method;
pub(crate) use regex::{NAMES as REGEX_FUNCTIONS, Regexes};

/// What Go accepts for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Any,
    Text,
    Int,
    Float,
    Time,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Time => "time.Time",
        }
    }

    pub(crate) fn takes(self, value: &Value<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Text => matches!(value, Value::Text(_)),
            Self::Int => matches!(value, Value::Int(_, IntType::Int)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Time => matches!(value, Value::Time(_)),
        }
    }
}

/// Why a call failed, as the error of the template repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallError(pub(crate) String);

impl<T: ToString> From<T> for CallError {
    fn from(error: T) -> Self {
        Self(error.to_string())
    }
}

pub(crate) type CallResult<'a> = Result<Value<'a>, CallError>;

pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Type],
    /// The type of any number of further arguments.
    pub(crate) rest: Option<Type>,
    pub(crate) run: for<'a> fn(&mut Call<'_, 'a>) -> CallResult<'a>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn fixed(
    name: &'static str,
    params: &'static [Type],
    run: for<'a> fn(&mut Call<'_, 'a>) -> CallResult<'a>,
) -> Function {
    Function { name, params, rest: None, run }
}

const fn variadic(
    name: &'static str,
    params: &'static [Type],
    rest: Type,
    run: for<'a> fn(&mut Call<'_, 'a>) -> CallResult<'a>,
) -> Function {
    Function { name, params, rest: Some(rest), run }
}

/// One call with its checked arguments.
pub(crate) struct Call<'c, 'a> {
    pub(crate) args: &'c [Value<'a>],
    pub(crate) input: &'c Input<'a>,
    pub(crate) regexes: &'c Regexes,
    pub(crate) budget: &'c mut Budget,
}

impl<'a> Call<'_, 'a> {
    /// The types were checked, so that the other cases of these four do not come up.
    fn text(&self, index: usize) -> Text<'a> {
        match self.args.get(index).map(Value::inside) {
            Some(Value::Text(text)) => text.clone(),
            _ => Cow::Borrowed(b""),
        }
    }

    fn int(&self, index: usize) -> i64 {
        match self.args.get(index).map(Value::inside) {
            Some(Value::Int(value, _)) => *value,
            _ => 0,
        }
    }

    fn float(&self, index: usize) -> f64 {
        match self.args.get(index).map(Value::inside) {
            Some(Value::Float(value)) => *value,
            _ => 0.0,
        }
    }

    fn any(&self, index: usize) -> &Value<'a> {
        self.args.get(index).map_or(&Value::Nil, Value::inside)
    }
}

static TABLES: [&[Function]; 8] = [
    builtin::FUNCTIONS,
    compare::FUNCTIONS,
    encode::FUNCTIONS,
    escape::FUNCTIONS,
    math::FUNCTIONS,
    regex::FUNCTIONS,
    strings::FUNCTIONS,
    times::FUNCTIONS,
];

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().flat_map(|table| table.iter()).find(|function| function.name == name)
}

/// A part of a text, borrowed if the text is.
fn part<'a>(text: &Text<'a>, range: std::ops::Range<usize>) -> Value<'a> {
    Value::Text(match text {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
        Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
    })
}

fn over_budget(error: OverBudget) -> CallError {
    CallError::from(error)
}
