//! Finds the outputs of other nodes, and the environment variables, that a template names.

use super::ast::{Block, Command, Node, Operand, Pipeline, Term};
use super::parser::Parsed;
use super::value::to_text;

/// What a template names: a node with `output "node"`, a variable with `env "NAME"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// Bytes of the source before the quoted name.
    pub offset: usize,
}

/// All names that a function is given, in the order of the source.
pub(super) fn find(parsed: &Parsed, function: &str) -> Vec<Reference> {
    let mut found = Found { function, names: Vec::new() };
    for body in parsed.definitions.values().chain([&parsed.main]) {
        in_block(body, &mut found);
    }
    found.names.sort_by_key(|reference| reference.offset);
    found.names
}

/// What was found so far.
struct Found<'a> {
    function: &'a str,
    names: Vec<Reference>,
}

impl Found<'_> {
    fn is_called(&self, operand: &Operand) -> bool {
        matches!(operand.term, Term::Function(function) if function.name == self.function)
    }
}

fn in_block(block: &Block, found: &mut Found<'_>) {
    for node in block {
        match node {
            Node::Text(..) | Node::Break | Node::Continue => {}
            Node::Action(pipeline) => in_pipeline(pipeline, found),
            Node::Branch(branch) => {
                for (test, body) in &branch.arms {
                    in_pipeline(test, found);
                    in_block(body, found);
                }
                in_block(&branch.otherwise, found);
            }
            Node::Range(range) => {
                in_pipeline(&range.over, found);
                in_block(&range.body, found);
                in_block(&range.otherwise, found);
            }
            Node::Call(call) => call.data.iter().for_each(|data| in_pipeline(data, found)),
        }
    }
}

fn in_pipeline(pipeline: &Pipeline, found: &mut Found<'_>) {
    let mut before: Option<&Command> = None;
    for command in &pipeline.commands {
        if found.is_called(&command.head) {
            // The name is the argument, or comes through the pipe.
            let piped = before.filter(|before| before.arguments.is_empty()).map(|before| &before.head);
            found.names.extend(command.arguments.first().or(piped).and_then(reference));
        }
        before = Some(command);
    }
    for operand in pipeline.operands() {
        in_operand(operand, found);
    }
}

fn in_operand(operand: &Operand, found: &mut Found<'_>) {
    match &operand.term {
        Term::Parenthesised(pipeline) => in_pipeline(pipeline, found),
        Term::Chain(head, _) => in_operand(head, found),
        _ => {}
    }
}

fn reference(operand: &Operand) -> Option<Reference> {
    match &operand.term {
        Term::Text(name) => Some(Reference { name: to_text(name), offset: operand.offset }),
        _ => None,
    }
}
