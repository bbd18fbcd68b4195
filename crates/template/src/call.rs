//! Calls: how many arguments, of which types, and the two functions that stop early.

use crate::ast::{At, Operand, OperandKind, operand_text};
use crate::exec::{Exec, ExecError};
use crate::functions::{Call, Function, Type};
use crate::value::Value;

impl<'a> Exec<'a, '_> {
    /// `receiver` is what a method belongs to; it becomes the first argument, which is not counted.
    pub(crate) fn call(
        &mut self,
        dot: &Value<'a>,
        function: &'static Function,
        receiver: Option<Value<'a>>,
        node: At<'a>,
        args: &'a [Operand],
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, ExecError> {
        self.check_count(function, args.len(), piped.is_some())?;
        if matches!(function.name, "and" | "or") {
            return self.short_circuit(dot, function.name == "or", args, piped);
        }
        let mut values: Vec<Value<'a>> = Vec::with_capacity(args.len() + 2);
        if function.name == "call" {
            values.push(callee_name(args, piped.as_ref()));
        }
        values.extend(receiver);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, param(function, index), arg)?);
        }
        if let Some(piped) = piped {
            values.push(self.typed(piped, param(function, args.len()))?);
        }
        let charged = self.budget.bytes(values.iter().map(text_len).sum());
        self.within(charged)?;
        let mut call =
            Call { args: &values, input: self.input, regexes: self.regexes, budget: &mut self.budget };
        let result = (function.run)(&mut call);
        match result {
            Ok(value) => {
                let charged = self.budget.bytes(text_len(&value));
                self.within(charged)?;
                Ok(value)
            }
            Err(error) => {
                self.at(node);
                self.error(format!("error calling {}: {}", function.name, error.0))
            }
        }
    }

    fn check_count(&self, function: &Function, args: usize, piped: bool) -> Result<(), ExecError> {
        let given = args + usize::from(piped);
        let want = function.params.len();
        if function.rest.is_some() {
            if given < want {
                // Go leaves the piped value out of the count here.
                let name = function.name;
                return self
                    .error(format!("wrong number of args for {name}: want at least {want} got {args}"));
            }
        } else if given != want {
            let name = function.name;
            return self.error(format!("wrong number of args for {name}: want {want} got {given}"));
        }
        Ok(())
    }

    /// `and` gives the first value that is not true, `or` the first that is, else the last.
    fn short_circuit(
        &mut self,
        dot: &Value<'a>,
        is_or: bool,
        args: &'a [Operand],
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, ExecError> {
        let mut last = Value::Nil;
        for arg in args {
            last = self.argument(dot, Type::Any, arg)?;
            if self.is_true(&last) == is_or {
                return Ok(last);
            }
        }
        Ok(piped.unwrap_or(last))
    }

    pub(crate) fn argument(
        &mut self,
        dot: &Value<'a>,
        want: Type,
        operand: &'a Operand,
    ) -> Result<Value<'a>, ExecError> {
        self.at(At::Operand(operand));
        let value = match &operand.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Nil => {
                if want == Type::Any {
                    return Ok(Value::Nil);
                }
                return self.error(format!("cannot assign nil to {}", want.name()));
            }
            OperandKind::Field(_) | OperandKind::Variable(_) | OperandKind::Chain { .. } => {
                self.fields(dot, operand, &[], None)?
            }
            OperandKind::Pipe(pipe) => self.pipeline(dot, pipe)?,
            OperandKind::Function(function) => {
                self.call(dot, function, None, At::Operand(operand), &[], None)?
            }
            _ => return self.typed_literal(want, operand),
        };
        self.typed(value, want)
    }

    fn typed(&self, value: Value<'a>, want: Type) -> Result<Value<'a>, ExecError> {
        if want == Type::Any {
            return Ok(value);
        }
        if let Value::Nil = value {
            return self.error(format!("invalid value; expected {}", want.name()));
        }
        if want.takes(value.inside()) {
            return Ok(value.into_inside());
        }
        let got = match value.inside() {
            Value::Nil => value.type_name(),
            inside => inside.type_name(),
        };
        self.error(format!("wrong type for value; expected {}; got {got}", want.name()))
    }

    fn typed_literal(&mut self, want: Type, operand: &'a Operand) -> Result<Value<'a>, ExecError> {
        match (want, &operand.kind) {
            (Type::Any, _) | (Type::Text, OperandKind::Text { .. }) => self.literal(operand),
            (Type::Int, OperandKind::Number(number)) if number.int.is_some() => {
                Ok(Value::int(number.int.unwrap_or(0)))
            }
            (Type::Float, OperandKind::Number(number)) if number.float.is_some() => {
                Ok(Value::Float(number.float.unwrap_or(0.0)))
            }
            _ => {
                let found = operand_text(operand);
                match want {
                    Type::Text => self.error(format!("expected string; found {found}")),
                    Type::Int => self.error(format!("expected integer; found {found}")),
                    Type::Float => self.error(format!("expected float; found {found}")),
                    _ => self.error(format!("can't handle {found} for arg of type {}", want.name())),
                }
            }
        }
    }
}

fn param(function: &Function, index: usize) -> Type {
    function.params.get(index).copied().or(function.rest).unwrap_or(Type::Any)
}

/// What `call` is told to call, for its error. The text of a piped value is its own.
fn callee_name<'a>(args: &[Operand], piped: Option<&Value<'a>>) -> Value<'a> {
    match (args.first(), piped.map(Value::inside)) {
        (Some(operand), _) => Value::text(operand_text(operand)),
        (None, Some(Value::Text(text))) => Value::Text(text.clone()),
        (None, Some(other)) => Value::text(format!("<{} Value>", other.type_name())),
        (None, None) => Value::text(""),
    }
}

fn text_len(value: &Value<'_>) -> usize {
    match value.inside() {
        Value::Text(text) => text.len(),
        _ => 0,
    }
}
