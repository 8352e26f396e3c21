//! A parsed template. Every part knows its offset in the source, for errors.

use super::functions::Function;
use super::literal::Constant;

/// What stands between `{{if}}` and `{{end}}`, or the whole template.
pub(super) type Block = Vec<Node>;

/// One piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Text and its offset.
    Text(usize, Box<str>),
    Action(Pipeline),
    Branch(Branch),
    Range(Range),
    Call(Call),
    Break,
    Continue,
}

/// `{{if}}` or `{{with}}` with its `{{else if}}` or `{{else with}}` arms, in one flat list however long the chain.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) kind: BranchKind,
    pub(super) arms: Vec<(Pipeline, Block)>,
    pub(super) otherwise: Block,
}

/// Whether a branch leaves the dot alone or sets it to what it tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BranchKind {
    If,
    With,
}

/// `{{range}}`.
#[derive(Debug, Clone)]
pub(super) struct Range {
    pub(super) over: Pipeline,
    pub(super) body: Block,
    pub(super) otherwise: Block,
}

/// `{{template "name" data}}`.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) offset: usize,
    pub(super) name: Box<[u8]>,
    pub(super) data: Option<Pipeline>,
}

/// Commands, each of which is given the value of the one before.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) offset: usize,
    pub(super) binding: Binding,
    /// Variables that get the value, with their dollars; two at most.
    pub(super) variables: Vec<Box<str>>,
    pub(super) commands: Vec<Command>,
}

/// How a pipeline treats its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// `$x := …`: new ones.
    Declare,
    /// `$x = …`: those that are there.
    Assign,
}

/// An operand with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) head: Operand,
    pub(super) arguments: Vec<Operand>,
}

/// Something that has a value.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) offset: usize,
    pub(super) term: Term,
}

/// The kinds of operands.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Dot,
    Nil,
    Boolean(bool),
    Number(Constant),
    Text(Box<[u8]>),
    /// `.a.b`
    Field(Vec<Box<str>>),
    /// `$x.a.b`
    Variable(Box<str>, Vec<Box<str>>),
    Function(&'static Function),
    Parenthesised(Box<Pipeline>),
    /// `(…).a.b`
    Chain(Box<Operand>, Vec<Box<str>>),
}

impl Pipeline {
    /// The operands of all commands, not those inside parentheses.
    pub(super) fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.commands.iter().flat_map(|command| std::iter::once(&command.head).chain(&command.arguments))
    }
}
