//! Names behind dots: fields of the given values, members of maps, methods of times.

use crate::ast::{At, Operand, OperandKind, operand_text};
use crate::exec::{Exec, ExecError};
use crate::functions::{Type, find_method};
use crate::value::{Text, Value};

impl<'a> Exec<'a, '_> {
    /// Fields of dot, of a variable, or of what a parenthesis or function gives.
    pub(crate) fn fields(
        &mut self,
        dot: &Value<'a>,
        operand: &'a Operand,
        args: &'a [Operand],
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, ExecError> {
        self.at(At::Operand(operand));
        let (mut receiver, names) = match &operand.kind {
            OperandKind::Field(names) => (dot.clone(), names.as_slice()),
            OperandKind::Variable(names) => {
                let Some((_, value)) = self.variables.iter().rev().find(|(known, _)| **known == *names[0])
                else {
                    return self.error(format!("undefined variable: {}", names[0]));
                };
                let value = value.clone();
                if names.len() == 1 {
                    self.not_a_function(operand, args, &piped)?;
                    return Ok(value);
                }
                (value, &names[1..])
            }
            OperandKind::Chain { of, fields } => {
                if let OperandKind::Nil = of.kind {
                    let text = operand_text(operand);
                    return self.error(format!("indirection through explicit nil in {text}"));
                }
                (self.argument(dot, Type::Any, of)?, fields.as_slice())
            }
            _ => return self.error("can't evaluate fields"),
        };
        let Some((last, path)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in path {
            receiver = self.field(dot, name, operand, &[], None, receiver)?;
        }
        self.field(dot, last, operand, args, piped, receiver)
    }

    fn field(
        &mut self,
        dot: &Value<'a>,
        name: &'a str,
        operand: &'a Operand,
        args: &'a [Operand],
        piped: Option<Value<'a>>,
        receiver: Value<'a>,
    ) -> Result<Value<'a>, ExecError> {
        let type_name = receiver.type_name();
        let is_element = matches!(receiver, Value::Element(_));
        let receiver = receiver.into_inside();
        if let Value::Nil = receiver {
            if is_element {
                return self.error(format!("nil pointer evaluating {type_name}.{name}"));
            }
            return Ok(Value::Nil);
        }
        if let Some(method) = find_method(&receiver, name) {
            return self.call(dot, method, Some(receiver), At::Operand(operand), args, piped);
        }
        if !matches!(receiver, Value::Fields | Value::Map(_)) {
            return self.error(format!("can't evaluate field {name} in type {type_name}"));
        }
        if !args.is_empty() || piped.is_some() {
            return self.error(format!("{name} is not a method but has arguments"));
        }
        Ok(match &receiver {
            // A missing name is an empty text, a missing member is nothing.
            Value::Fields => Value::Text(Text::Borrowed((self.input.get)(name).unwrap_or(b""))),
            Value::Map(entries) => {
                let found = entries.get(name.as_bytes()).map(|value| value.inside().clone());
                Value::element(found.unwrap_or(Value::Nil))
            }
            _ => Value::Nil,
        })
    }
}
