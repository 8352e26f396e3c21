//! Pipelines, commands and operands.

use super::super::ast::{Binding, Command, Operand, Pipeline, Term};
use super::super::functions;
use super::super::literal;
use super::super::token::{Kind, Token};
use super::{Parse, Parser};

impl<'s> Parser<'s> {
    /// `$x := command | command` up to and with its end, which is a right delimiter or parenthesis.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parse<Pipeline> {
        let offset = self.peek_after_space().offset;
        let (binding, variables) = self.variables(context)?;
        let mut pipeline = Pipeline { offset, binding, variables, commands: Vec::new() };
        loop {
            let token = self.peek_after_space();
            if token.kind == end {
                self.next();
                self.check(&pipeline, context)?;
                return Ok(pipeline);
            }
            if !begins_operand(token.kind) {
                return Err(self.unexpected(token, context));
            }
            pipeline.commands.push(self.command()?);
        }
    }

    /// The variables before `:=` or `=`, if there are any.
    fn variables(&mut self, context: &str) -> Parse<(Binding, Vec<Box<str>>)> {
        let mut names: Vec<Box<str>> = Vec::new();
        loop {
            let before = self.position;
            let variable = self.peek_after_space();
            if variable.kind != Kind::Variable {
                return Ok((Binding::Declare, names));
            }
            self.next();
            let mark = self.next_after_space();
            let binding = match mark.kind {
                Kind::Assign => Some(Binding::Assign),
                Kind::Declare => Some(Binding::Declare),
                Kind::Character if mark.text == "," => None,
                _ => {
                    // It was an operand after all.
                    self.position = before;
                    return Ok((Binding::Declare, names));
                }
            };
            names.push(variable.text.into());
            self.frame.variables.push(variable.text);
            if let Some(binding) = binding {
                return Ok((binding, names));
            }
            self.check_comma(mark, context, names.len())?;
        }
    }

    /// After `$x,` only `{{range}}` may go on, with one more variable.
    fn check_comma(&mut self, comma: Token<'s>, context: &str, names: usize) -> Parse<()> {
        if context != "range" || names > 1 {
            return Err(self.error(comma.offset, &format!("too many declarations in {context}")));
        }
        match self.peek_after_space().kind {
            Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis => Ok(()),
            _ => Err(self.error(comma.offset, "range can only set variables")),
        }
    }

    fn check(&self, pipeline: &Pipeline, context: &str) -> Parse<()> {
        if pipeline.commands.is_empty() {
            return Err(self.error(pipeline.offset, &format!("missing value for {context}")));
        }
        for (number, command) in pipeline.commands.iter().enumerate().skip(1) {
            let Operand { offset, term } = &command.head;
            if matches!(term, Term::Boolean(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text(_)) {
                let message = format!("stage {} of the pipeline is a value, not a function", number + 1);
                return Err(self.error(*offset, &message));
            }
        }
        Ok(())
    }

    /// Operands up to a pipe, which is taken, or the end of the pipeline, which is left.
    fn command(&mut self) -> Parse<Command> {
        let offset = self.peek_after_space().offset;
        let mut operands = Vec::new();
        loop {
            self.peek_after_space();
            operands.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::Pipe => break,
                Kind::RightDelimiter | Kind::RightParenthesis => {
                    self.position -= 1;
                    break;
                }
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        let mut operands = operands.into_iter();
        let head = operands.next().ok_or_else(|| self.error(offset, "empty command"))?;
        Ok(Command { head, arguments: operands.collect() })
    }

    /// A term with the fields behind it; nothing when no term begins here.
    fn operand(&mut self) -> Parse<Option<Operand>> {
        let Some(operand) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(field_name(self.next()));
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        let Operand { offset, term } = operand;
        let term = match term {
            Term::Field(mut names) => {
                names.append(&mut fields);
                Term::Field(names)
            }
            Term::Variable(name, _) => Term::Variable(name, fields),
            Term::Boolean(_) | Term::Text(_) | Term::Number(_) | Term::Nil | Term::Dot => {
                return Err(self.error(offset, "unexpected `.` after a literal"));
            }
            other => Term::Chain(Box::new(Operand { offset, term: other }), fields),
        };
        Ok(Some(Operand { offset, term }))
    }

    fn term(&mut self) -> Parse<Option<Operand>> {
        let token = self.next_after_space();
        let offset = token.offset;
        let term = match token.kind {
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => self.variable(token)?,
            Kind::Field => Term::Field(vec![field_name(token)]),
            Kind::Boolean => Term::Boolean(token.text == "true"),
            Kind::Identifier
            | Kind::CharacterConstant
            | Kind::ComplexNumber
            | Kind::Number
            | Kind::QuotedText
            | Kind::RawText => meaning(token).map_err(|message| self.error(offset, &message))?,
            Kind::LeftParenthesis => Term::Parenthesised(Box::new(
                self.nested(offset, |parser| parser.pipeline("parenthesized pipeline", Kind::RightParenthesis))?,
            )),
            _ => {
                self.position -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Operand { offset, term }))
    }

    fn variable(&self, token: Token<'s>) -> Parse<Term> {
        if !self.frame.variables.contains(&token.text) {
            return Err(self.error(token.offset, &format!("undefined variable `{}`", token.text)));
        }
        Ok(Term::Variable(token.text.into(), Vec::new()))
    }
}

/// What a name of a function or a literal means.
fn meaning(token: Token<'_>) -> Result<Term, String> {
    match token.kind {
        Kind::Identifier => functions::named(token.text).map(Term::Function),
        Kind::CharacterConstant => literal::character(token.text).map(Term::Number),
        Kind::ComplexNumber => literal::complex(token.text).map(Term::Number),
        Kind::Number => literal::number(token.text).map(Term::Number),
        _ => literal::text(token.text).map(Term::Text),
    }
}

fn field_name(token: Token<'_>) -> Box<str> {
    token.text.trim_start_matches('.').into()
}

fn begins_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Boolean
            | Kind::CharacterConstant
            | Kind::ComplexNumber
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Nil
            | Kind::RawText
            | Kind::QuotedText
            | Kind::Variable
            | Kind::LeftParenthesis
    )
}
