//! What a source is cut into.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Scanning ended here; the message is in [`Tokens::error`].
    Error,
    EndOfFile,
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    LeftParenthesis,
    RightParenthesis,
    Pipe,
    Assign,
    Declare,
    /// Any other printable ASCII character, such as a comma.
    Character,
    Boolean,
    Number,
    ComplexNumber,
    CharacterConstant,
    QuotedText,
    RawText,
    Dot,
    /// A field with its dot, `.name`.
    Field,
    /// A variable with its dollar, `$name`, or `$` alone.
    Variable,
    Identifier,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

/// A token and where it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) offset: usize,
    pub(super) text: &'s str,
}

/// The tokens of a source; the last is `EndOfFile` or `Error`.
pub(super) struct Tokens<'s> {
    pub(super) tokens: Vec<Token<'s>>,
    /// What the `Error` token means.
    pub(super) error: String,
}
