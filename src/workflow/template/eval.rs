//! Walks a parsed template and writes what it gives, by the rules of Go's `text/template/exec.go`.

mod command;

use super::arena::Arena;
use super::ast::{Binding, Block, Branch, BranchKind, Call, Node, Pipeline, Range};
use super::budget::Tools;
use super::error::{Phase, TemplateError};
use super::parser::Parsed;
use super::scope::Scope;
use super::value::Val;

/// Blocks, parentheses and calls inside each other while a template runs, in sum. With the frames of an unoptimised
/// build it keeps well below the 2 MiB of stack that a thread of the run has.
const MAX_LEVELS: usize = 500;

/// An error is boxed on its way up, so that the many results of the evaluator stay small.
type Step<T> = Result<T, Box<TemplateError>>;

/// Renders a template as text.
pub(super) fn render_text(source: &str, parsed: &Parsed, scope: &Scope<'_>) -> Step<Vec<u8>> {
    let arena = Arena::default();
    let mut evaluator = Evaluator::new(source, parsed, scope, &arena);
    let dot = evaluator.root_dot();
    evaluator.block(&parsed.main, &dot)?;
    Ok(evaluator.out)
}

/// Evaluates the one pipeline that a template consists of; `convert` takes the value out of the evaluation.
pub(super) fn evaluate<T>(
    source: &str,
    parsed: &Parsed,
    pipeline: &Pipeline,
    scope: &Scope<'_>,
    convert: impl FnOnce(Val<'_>) -> T,
) -> Step<T> {
    let arena = Arena::default();
    let mut evaluator = Evaluator::new(source, parsed, scope, &arena);
    let dot = evaluator.root_dot();
    evaluator.pipeline(pipeline, &dot).map(convert)
}

/// How a block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// The dot of a block.
#[derive(Debug, Clone)]
struct Dot<'a> {
    value: Val<'a>,
    origin: DotOrigin,
}

/// Whether fields that the dot does not have are looked up in the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DotOrigin {
    Root,
    Inner,
}

#[derive(Debug)]
struct Variable<'a> {
    name: &'a str,
    value: Val<'a>,
}

struct Evaluator<'a> {
    source: &'a str,
    parsed: &'a Parsed,
    tools: Tools<'a>,
    out: Vec<u8>,
    variables: Vec<Variable<'a>>,
    /// Where the variables of the running definition begin; it sees no others.
    frame: usize,
    calls: usize,
    levels: usize,
}

impl<'a> Evaluator<'a> {
    fn new(source: &'a str, parsed: &'a Parsed, scope: &'a Scope<'a>, arena: &'a Arena) -> Self {
        Self {
            source,
            parsed,
            tools: Tools::new(scope, arena),
            out: Vec::new(),
            variables: Vec::new(),
            frame: 0,
            calls: 0,
            levels: 0,
        }
    }

    /// Sets `$` and gives the dot of the whole template.
    fn root_dot(&mut self) -> Dot<'a> {
        let value = Val::of(self.tools.scope.dot).settled();
        self.variables.push(Variable { name: "$", value: value.clone() });
        Dot { value, origin: DotOrigin::Root }
    }

    fn block(&mut self, block: &'a Block, dot: &Dot<'a>) -> Step<Flow> {
        for node in block {
            let flow = self.node(node, dot)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'a Node, dot: &Dot<'a>) -> Step<Flow> {
        match node {
            Node::Text(offset, text) => self.write(*offset, text)?,
            Node::Action(pipeline) => self.action(pipeline, dot)?,
            Node::Branch(branch) => return self.branch(branch, dot),
            Node::Range(range) => return self.range(range, dot),
            Node::Call(call) => self.call(call, dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, offset: usize, text: &str) -> Step<()> {
        let written = self.tools.write_into(&mut self.out, text.as_bytes());
        written.and_then(|()| self.tools.work(1)).map_err(|message| self.error(offset, message))
    }

    /// Prints the value of an action, unless it sets a variable. Variables stay until the end of the block around.
    fn action(&mut self, pipeline: &'a Pipeline, dot: &Dot<'a>) -> Step<()> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        let printed = match &value {
            Val::Absent | Val::Null => self.tools.write_into(&mut self.out, NO_VALUE),
            Val::Text(text) => self.tools.write_into(&mut self.out, text.bytes()),
            value => self.tools.print_into(&mut self.out, |printer| printer.print(std::slice::from_ref(value))),
        };
        printed.map_err(|message| self.error(pipeline.offset, message))
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Dot<'a>) -> Step<Flow> {
        let outer = self.variables.len();
        let mut chosen = None;
        let mut offset = 0;
        for (test, body) in &branch.arms {
            offset = test.offset;
            let value = self.pipeline(test, dot)?;
            if value.truth() {
                chosen = Some((value, body));
                break;
            }
        }
        let flow = match chosen {
            Some((value, body)) if branch.kind == BranchKind::With => {
                self.inside(offset, body, &Dot { value, origin: DotOrigin::Inner })?
            }
            Some((_, body)) => self.inside(offset, body, dot)?,
            None => self.inside(offset, &branch.otherwise, dot)?,
        };
        self.variables.truncate(outer);
        Ok(flow)
    }

    fn range(&mut self, range: &'a Range, dot: &Dot<'a>) -> Step<Flow> {
        let outer = self.variables.len();
        let over = self.pipeline(&range.over, dot)?;
        let mut rounds = Rounds { range, body_variables: self.variables.len(), count: 0 };
        match &over {
            Val::Absent | Val::Null => {}
            Val::List(list) => {
                for (number, item) in list.items().iter().enumerate() {
                    if rounds.run(self, Val::Int(number as i64), Val::of(item))? == Flow::Break {
                        break;
                    }
                }
            }
            Val::Map(map) => {
                for (key, item) in *map {
                    let key = Val::Text(super::value::Text::Borrowed(key.as_bytes()));
                    if rounds.run(self, key, Val::of(item))? == Flow::Break {
                        break;
                    }
                }
            }
            Val::Int(_) | Val::Byte(_) | Val::Uint(_) => self.count(&mut rounds, &over)?,
            other => {
                return Err(self.error(range.over.offset, format!("range cannot go over {}", other.kind())));
            }
        }
        let flow = if rounds.count == 0 { self.inside(range.over.offset, &range.otherwise, dot)? } else { Flow::Next };
        self.variables.truncate(outer);
        Ok(flow)
    }

    /// Ranges over a number: from zero up to it.
    fn count(&mut self, rounds: &mut Rounds<'a>, over: &Val<'a>) -> Step<()> {
        let pipeline = &rounds.range.over;
        if pipeline.variables.len() > 1 {
            let message = "range over a number has one variable, not two".to_owned();
            return Err(self.error(pipeline.offset, message));
        }
        let (end, of_kind): (u64, fn(u64) -> Val<'a>) = match *over {
            Val::Byte(end) => (end.into(), |number| Val::Byte(number as u8)),
            Val::Uint(end) => (end, Val::Uint),
            Val::Int(end) => (end.max(0).unsigned_abs(), |number| Val::Int(number as i64)),
            _ => return Ok(()),
        };
        for number in 0..end {
            if rounds.run(self, Val::Absent, of_kind(number))? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &'a Call, dot: &Dot<'a>) -> Step<()> {
        let Some(body) = self.parsed.definitions.get(&call.name) else {
            let name = String::from_utf8_lossy(&call.name);
            return Err(self.error(call.offset, format!("template `{name}` is not defined")));
        };
        let limit = self.tools.scope.budgets.call_depth;
        if self.calls == limit {
            let message = format!("templates call each other more than {limit} deep (limit `call_depth`)");
            return Err(self.error(call.offset, message));
        }
        let value = match &call.data {
            Some(data) => self.pipeline(data, dot)?,
            None => Val::Absent,
        };
        let (outer_frame, outer) = (self.frame, self.variables.len());
        self.frame = outer;
        self.calls += 1;
        self.variables.push(Variable { name: "$", value: value.clone() });
        self.inside(call.offset, body, &Dot { value, origin: DotOrigin::Inner })?;
        self.variables.truncate(outer);
        self.calls -= 1;
        self.frame = outer_frame;
        Ok(())
    }

    /// A block inside another.
    fn inside(&mut self, offset: usize, block: &'a Block, dot: &Dot<'a>) -> Step<Flow> {
        self.deeper(offset, |evaluator| evaluator.block(block, dot))
    }

    /// Runs a part one level deeper.
    fn deeper<T>(&mut self, offset: usize, part: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        if self.levels == MAX_LEVELS {
            let message = format!("blocks, parentheses and calls are more than {MAX_LEVELS} deep");
            return Err(self.error(offset, message));
        }
        self.levels += 1;
        let result = part(self);
        self.levels -= 1;
        result
    }

    /// The value of a pipeline; its variables are set.
    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Dot<'a>) -> Step<Val<'a>> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?.settled());
        }
        let value = value.unwrap_or(Val::Absent);
        for name in &pipeline.variables {
            match pipeline.binding {
                Binding::Declare => self.variables.push(Variable { name, value: value.clone() }),
                Binding::Assign => self.assign(name, value.clone(), pipeline.offset)?,
            }
        }
        Ok(value)
    }

    fn assign(&mut self, name: &str, value: Val<'a>, offset: usize) -> Step<()> {
        match self.variables[self.frame..].iter_mut().rfind(|variable| variable.name == name) {
            Some(variable) => {
                variable.value = value;
                Ok(())
            }
            None => Err(self.error(offset, format!("undefined variable `{name}`"))),
        }
    }

    fn error(&self, offset: usize, message: String) -> Box<TemplateError> {
        TemplateError::new(Phase::Execute, self.source, offset, message)
    }
}

/// What nothing is printed as.
pub(super) const NO_VALUE: &[u8] = b"<no value>";

/// The rounds of a loop.
struct Rounds<'a> {
    range: &'a Range,
    /// How many variables there are when a round begins; those of its body go when it ends.
    body_variables: usize,
    count: usize,
}

impl<'a> Rounds<'a> {
    fn run(&mut self, evaluator: &mut Evaluator<'a>, key: Val<'a>, item: Val<'a>) -> Step<Flow> {
        self.count += 1;
        let Pipeline { offset, binding, variables, .. } = &self.range.over;
        evaluator.tools.work(1).map_err(|message| evaluator.error(*offset, message))?;
        // With two variables the first is the key; one alone is the element.
        let values = match variables.len() {
            0 => [None, None],
            1 => [Some(item.clone()), None],
            _ => [Some(key), Some(item.clone())],
        };
        for (place, (name, value)) in variables.iter().zip(values.into_iter().flatten()).enumerate() {
            match binding {
                Binding::Declare => {
                    evaluator.variables[self.body_variables - variables.len() + place].value = value;
                }
                Binding::Assign => evaluator.assign(name, value, *offset)?,
            }
        }
        let flow = evaluator.inside(*offset, &self.range.body, &Dot { value: item, origin: DotOrigin::Inner })?;
        evaluator.variables.truncate(self.body_variables);
        Ok(if flow == Flow::Break { Flow::Break } else { Flow::Next })
    }
}
