//! Commands, fields and arguments.

use serde_json::Value;
use smallvec::SmallVec;

use super::super::ast::{Command, Operand, Term};
use super::super::functions::{Evaluation, Function};
use super::super::literal::Constant;
use super::super::value::{Origin, Text, Val};
use super::{Dot, DotOrigin, Evaluator, Step};

/// What the last field was looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// Nothing, of which any field is nothing.
    Nothing,
    Map,
}

impl<'a> Evaluator<'a> {
    /// The value of a command; `last` is the value of the one before.
    pub(super) fn command(&mut self, command: &'a Command, dot: &Dot<'a>, last: Option<Val<'a>>) -> Step<Val<'a>> {
        let Command { head, arguments } = command;
        self.tools.work(1).map_err(|message| self.error(head.offset, message))?;
        let has_arguments = !arguments.is_empty() || last.is_some();
        match &head.term {
            Term::Function(function) => self.function(function, head.offset, arguments, dot, last),
            Term::Nil => Err(self.error(head.offset, "nil is not a command".to_owned())),
            _ if !has_arguments => self.operand(head, dot),
            Term::Field(fields) | Term::Variable(_, fields) | Term::Chain(_, fields) if !fields.is_empty() => {
                // Arguments of a field of nothing are not looked at, as in Go.
                match self.field_chain(head, fields, dot)? {
                    (value, Holder::Nothing) => Ok(value),
                    (_, Holder::Map) => Err(self.error(head.offset, NO_FUNCTION.to_owned())),
                }
            }
            _ => Err(self.error(head.offset, NO_FUNCTION.to_owned())),
        }
    }

    /// The value of an operand without arguments.
    fn operand(&mut self, operand: &'a Operand, dot: &Dot<'a>) -> Step<Val<'a>> {
        match &operand.term {
            Term::Dot => Ok(dot.value.clone()),
            Term::Nil => Ok(Val::Absent),
            Term::Boolean(truth) => Ok(Val::Bool(*truth)),
            Term::Text(text) => Ok(Val::Text(Text::Borrowed(text))),
            Term::Number(Constant::Int(int)) => Ok(Val::Int(*int)),
            Term::Number(Constant::Float(float)) => Ok(Val::Float(*float, Origin::Literal)),
            Term::Number(Constant::Complex(real, imaginary)) => Ok(Val::Complex(*real, *imaginary)),
            Term::Number(Constant::Overflow) => {
                Err(self.error(operand.offset, "the number does not fit a whole number of 64 bits".to_owned()))
            }
            Term::Variable(name, fields) if fields.is_empty() => self.variable(name, operand.offset),
            Term::Field(fields) | Term::Variable(_, fields) | Term::Chain(_, fields) => {
                self.field_chain(operand, fields, dot).map(|(value, _)| value)
            }
            Term::Function(function) => self.function(function, operand.offset, &[], dot, None),
            Term::Parenthesised(pipeline) => self.deeper(operand.offset, |evaluator| evaluator.pipeline(pipeline, dot)),
        }
    }

    fn variable(&self, name: &str, offset: usize) -> Step<Val<'a>> {
        match self.variables[self.frame..].iter().rfind(|variable| variable.name == name) {
            Some(variable) => Ok(variable.value.clone()),
            None => Err(self.error(offset, format!("undefined variable `{name}`"))),
        }
    }

    /// Follows the fields from the operand's beginning.
    fn field_chain(&mut self, operand: &'a Operand, fields: &'a [Box<str>], dot: &Dot<'a>) -> Step<(Val<'a>, Holder)> {
        if let (Term::Field(_), [name]) = (&operand.term, fields) {
            return self.field(dot, name).map_err(|message| self.error(operand.offset, message));
        }
        let mut receiver = match &operand.term {
            Term::Variable(name, _) => {
                let is_root = &**name == "$" && self.frame == 0;
                let origin = if is_root { DotOrigin::Root } else { DotOrigin::Inner };
                Dot { value: self.variable(name, operand.offset)?, origin }
            }
            Term::Chain(head, _) => Dot { value: self.operand(head, dot)?, origin: DotOrigin::Inner },
            _ => dot.clone(),
        };
        let mut holder = Holder::Nothing;
        for name in fields {
            let (value, found_in) =
                self.field(&receiver, name).map_err(|message| self.error(operand.offset, message))?;
            receiver = Dot { value, origin: DotOrigin::Inner };
            holder = found_in;
        }
        Ok((receiver.value, holder))
    }

    /// One field. What the root dot does not have may be a variable of the run.
    fn field(&self, receiver: &Dot<'a>, name: &str) -> Result<(Val<'a>, Holder), String> {
        if let Val::Map(map) = receiver.value
            && let Some(value) = map.get(name)
        {
            return Ok((Val::of(value), Holder::Map));
        }
        let scope = self.tools.scope;
        let is_root = match (&receiver.value, scope.dot) {
            // Also when the root dot came here through `with` or `template`.
            (Val::Map(map), Value::Object(root)) => std::ptr::eq(*map, root),
            _ => receiver.origin == DotOrigin::Root,
        };
        if is_root && let Some(value) = scope.variables.get(name) {
            return Ok((Val::of(value), Holder::Map));
        }
        match &receiver.value {
            Val::Map(_) => Ok((Val::Absent, Holder::Map)),
            Val::Absent => Ok((Val::Absent, Holder::Nothing)),
            Val::Null => Err(format!("field `{name}` of null")),
            other => Err(format!("field `{name}` of {}, which has no fields", other.kind())),
        }
    }

    fn function(
        &mut self,
        function: &'static Function,
        offset: usize,
        arguments: &'a [Operand],
        dot: &Dot<'a>,
        last: Option<Val<'a>>,
    ) -> Step<Val<'a>> {
        let given = arguments.len() + usize::from(last.is_some());
        function.arity.check(function.name, given).map_err(|message| self.error(offset, message))?;
        let body = match function.evaluation {
            Evaluation::UntilFalse => return self.until(false, arguments, dot, last),
            Evaluation::UntilTrue => return self.until(true, arguments, dot, last),
            Evaluation::Bounds(body) => {
                self.refuse_fields(arguments.iter().skip(1))?;
                body
            }
            Evaluation::All(body) => body,
        };
        let mut values: SmallVec<[Val<'a>; 4]> = SmallVec::with_capacity(given);
        for argument in arguments {
            values.push(self.operand(argument, dot)?);
        }
        values.extend(last);
        body(&mut self.tools, &values)
            .map_err(|message| self.error(offset, format!("error calling `{}`: {message}", function.name)))
    }

    /// `and` and `or`: the first value with this truth, else the last; what follows is not evaluated.
    fn until(&mut self, truth: bool, arguments: &'a [Operand], dot: &Dot<'a>, last: Option<Val<'a>>) -> Step<Val<'a>> {
        let mut value = Val::Absent;
        for argument in arguments {
            value = self.operand(argument, dot)?;
            if value.truth() == truth {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn refuse_fields(&self, mut bounds: impl Iterator<Item = &'a Operand>) -> Step<()> {
        let is_field = |operand: &&Operand| match &operand.term {
            Term::Field(_) | Term::Chain(..) => true,
            Term::Variable(_, fields) => !fields.is_empty(),
            _ => false,
        };
        match bounds.find(is_field) {
            None => Ok(()),
            Some(bound) => {
                let message = "a bound from the data must stand in parentheses: `slice .list 0 (.count)`";
                Err(self.error(bound.offset, message.to_owned()))
            }
        }
    }
}

const NO_FUNCTION: &str = "a value that is no function cannot be given arguments";
