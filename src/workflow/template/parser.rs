//! Builds the tree of a template, by the rules of Go's `text/template/parse/parse.go`.

mod pipeline;

use std::collections::BTreeMap;

use super::ast::{Block, Branch, BranchKind, Call, Node, Range};
use super::error::{Phase, TemplateError};
use super::lexer::tokens;
use super::literal;
use super::token::{Kind, Token, Tokens};

/// Blocks and parentheses inside each other. Templates that people write stay below ten; the bound keeps a hostile one
/// from exhausting the stack.
const MAX_DEPTH: usize = 100;

/// What a source is made of.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub(super) main: Block,
    /// By name, what `{{define}}` and `{{block}}` gave.
    pub(super) definitions: BTreeMap<Box<[u8]>, Block>,
}

/// An error is boxed on its way up, so that the many results of the parser stay small.
type Parse<T> = Result<T, Box<TemplateError>>;

/// Parses a source.
pub(super) fn parse(source: &str) -> Parse<Parsed> {
    let Tokens { tokens, error } = tokens(source);
    let mut parser = Parser {
        source,
        tokens: &tokens,
        lexical_error: &error,
        position: 0,
        frame: Frame::default(),
        depth: 0,
        definitions: BTreeMap::new(),
    };
    let main = parser.main()?;
    Ok(Parsed { main, definitions: parser.definitions })
}

struct Parser<'s> {
    source: &'s str,
    tokens: &'s [Token<'s>],
    lexical_error: &'s str,
    /// The next token; the last one is read again and again.
    position: usize,
    frame: Frame<'s>,
    depth: usize,
    definitions: BTreeMap<Box<[u8]>, Block>,
}

/// What a definition does not share with the template around it.
struct Frame<'s> {
    variables: Vec<&'s str>,
    ranges: usize,
}

impl Default for Frame<'_> {
    fn default() -> Self {
        Self { variables: vec!["$"], ranges: 0 }
    }
}

/// What ended a block, or the node that goes on with it.
enum Item {
    Node(Node),
    Else(usize),
    End,
}

/// How a block ended.
enum Ending {
    Else(usize),
    End,
}

impl<'s> Parser<'s> {
    /// The whole source: like a block, but definitions may stand here and nothing ends it.
    fn main(&mut self) -> Parse<Block> {
        let mut block = Block::new();
        while self.peek().kind != Kind::EndOfFile {
            if self.peek().kind == Kind::LeftDelimiter {
                let before = self.position;
                self.next();
                if self.next_after_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.position = before;
            }
            let offset = self.peek().offset;
            match self.item()? {
                Item::Node(node) => block.push(node),
                Item::Else(_) => return Err(self.error(offset, "unexpected {{else}}")),
                Item::End => return Err(self.error(offset, "unexpected {{end}}")),
            }
        }
        Ok(block)
    }

    /// `{{define "name"}} … {{end}}`, after its keyword.
    fn definition(&mut self) -> Parse<()> {
        let token = self.next_after_space();
        let name = self.template_name(token, "define clause")?;
        self.expect_right_delimiter("define clause")?;
        self.define(token.offset, name, "define clause")
    }

    /// The body of a definition; its variables and loops are its own.
    fn define(&mut self, offset: usize, name: Box<[u8]>, context: &str) -> Parse<()> {
        let outer = std::mem::take(&mut self.frame);
        let (body, ending) = self.block()?;
        self.frame = outer;
        if let Ending::Else(offset) = ending {
            return Err(self.error(offset, &format!("unexpected {{{{else}}}} in {context}")));
        }
        // An empty definition may be filled later and fills nothing, as in Go.
        match self.definitions.get(&name) {
            Some(there) if !is_empty(there) && is_empty(&body) => {}
            Some(there) if !is_empty(there) => {
                let name = String::from_utf8_lossy(&name);
                return Err(self.error(offset, &format!("template `{name}` is defined twice")));
            }
            _ => {
                self.definitions.insert(name, body);
            }
        }
        Ok(())
    }

    /// Items up to `{{end}}` or `{{else}}`.
    fn block(&mut self) -> Parse<(Block, Ending)> {
        let mut block = Block::new();
        while self.peek_after_space().kind != Kind::EndOfFile {
            match self.item()? {
                Item::Node(node) => block.push(node),
                Item::Else(offset) => return Ok((block, Ending::Else(offset))),
                Item::End => return Ok((block, Ending::End)),
            }
        }
        Err(self.error(self.peek().offset, "unexpected end of the template, an {{end}} is missing"))
    }

    fn item(&mut self) -> Parse<Item> {
        let token = self.next_after_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.offset, token.text.into()))),
            Kind::LeftDelimiter => self.nested(token.offset, Self::action),
            _ => Err(self.unexpected(token, "input")),
        }
    }

    /// An action, after its left delimiter.
    fn action(&mut self) -> Parse<Item> {
        let before = self.position;
        let token = self.next_after_space();
        let node = match token.kind {
            Kind::Else => return self.else_clause(),
            Kind::End => {
                self.expect_right_delimiter("end")?;
                return Ok(Item::End);
            }
            Kind::Block => self.block_clause()?,
            Kind::Break => self.leave_loop(token, Node::Break, "{{break}}")?,
            Kind::Continue => self.leave_loop(token, Node::Continue, "{{continue}}")?,
            Kind::If => self.branch(BranchKind::If)?,
            Kind::With => self.branch(BranchKind::With)?,
            Kind::Range => self.range()?,
            Kind::Template => self.template_clause()?,
            _ => {
                self.position = before;
                Node::Action(self.pipeline("command", Kind::RightDelimiter)?)
            }
        };
        Ok(Item::Node(node))
    }

    /// `{{else}}`; of `{{else if}}` and `{{else with}}` the second word is left for the branch.
    fn else_clause(&mut self) -> Parse<Item> {
        let token = self.peek_after_space();
        if !matches!(token.kind, Kind::If | Kind::With) {
            self.expect_right_delimiter("else")?;
        }
        Ok(Item::Else(token.offset))
    }

    fn leave_loop(&mut self, keyword: Token<'s>, node: Node, name: &str) -> Parse<Node> {
        self.expect_right_delimiter(name)?;
        if self.frame.ranges == 0 {
            return Err(self.error(keyword.offset, &format!("{name} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    /// `{{if}}` or `{{with}}`, after its keyword.
    fn branch(&mut self, kind: BranchKind) -> Parse<Node> {
        let (context, again) = match kind {
            BranchKind::If => ("if", Kind::If),
            BranchKind::With => ("with", Kind::With),
        };
        let outer_variables = self.frame.variables.len();
        let mut branch = Branch { kind, arms: Vec::new(), otherwise: Block::new() };
        loop {
            let test = self.pipeline(context, Kind::RightDelimiter)?;
            let (body, ending) = self.block()?;
            branch.arms.push((test, body));
            match ending {
                Ending::End => break,
                Ending::Else(_) if self.peek().kind == again => {
                    self.next();
                }
                Ending::Else(_) => {
                    branch.otherwise = self.last_block()?;
                    break;
                }
            }
        }
        self.frame.variables.truncate(outer_variables);
        Ok(Node::Branch(branch))
    }

    /// `{{range}}`, after its keyword.
    fn range(&mut self) -> Parse<Node> {
        let outer_variables = self.frame.variables.len();
        let over = self.pipeline("range", Kind::RightDelimiter)?;
        self.frame.ranges += 1;
        let (body, ending) = self.block()?;
        self.frame.ranges -= 1;
        let otherwise = match ending {
            Ending::End => Block::new(),
            Ending::Else(_) => self.last_block()?,
        };
        self.frame.variables.truncate(outer_variables);
        Ok(Node::Range(Range { over, body, otherwise }))
    }

    /// What follows the last `{{else}}`.
    fn last_block(&mut self) -> Parse<Block> {
        match self.block()? {
            (block, Ending::End) => Ok(block),
            (_, Ending::Else(offset)) => Err(self.error(offset, "expected {{end}}, found {{else}}")),
        }
    }

    /// `{{block "name" data}} … {{end}}`, after its keyword: a definition and a call of it.
    fn block_clause(&mut self) -> Parse<Node> {
        let token = self.next_after_space();
        let name = self.template_name(token, "block clause")?;
        let data = self.pipeline("block clause", Kind::RightDelimiter)?;
        self.define(token.offset, name.clone(), "block clause")?;
        Ok(Node::Call(Call { offset: token.offset, name, data: Some(data) }))
    }

    /// `{{template "name" data}}`, after its keyword.
    fn template_clause(&mut self) -> Parse<Node> {
        let token = self.next_after_space();
        let name = self.template_name(token, "template clause")?;
        let data = if self.next_after_space().kind == Kind::RightDelimiter {
            None
        } else {
            self.position -= 1;
            Some(self.pipeline("template clause", Kind::RightDelimiter)?)
        };
        Ok(Node::Call(Call { offset: token.offset, name, data }))
    }

    fn template_name(&mut self, token: Token<'s>, context: &str) -> Parse<Box<[u8]>> {
        match token.kind {
            Kind::QuotedText | Kind::RawText => {
                literal::text(token.text).map_err(|message| self.error(token.offset, &message))
            }
            _ => Err(self.unexpected(token, context)),
        }
    }

    /// Runs a part of the grammar that can contain itself, one level deeper.
    fn nested<T>(&mut self, offset: usize, part: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth == MAX_DEPTH {
            let message = format!("actions and parentheses are nested more than {MAX_DEPTH} deep");
            return Err(self.error(offset, &message));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn next(&mut self) -> Token<'s> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn peek(&self) -> Token<'s> {
        self.tokens[self.position.min(self.tokens.len() - 1)]
    }

    fn next_after_space(&mut self) -> Token<'s> {
        self.peek_after_space();
        self.next()
    }

    /// Goes past space and looks at what follows.
    fn peek_after_space(&mut self) -> Token<'s> {
        while self.peek().kind == Kind::Space {
            self.position += 1;
        }
        self.peek()
    }

    fn expect_right_delimiter(&mut self, context: &str) -> Parse<()> {
        let token = self.next_after_space();
        if token.kind == Kind::RightDelimiter { Ok(()) } else { Err(self.unexpected(token, context)) }
    }

    fn unexpected(&self, token: Token<'_>, context: &str) -> Box<TemplateError> {
        let message = match token.kind {
            Kind::Error => self.lexical_error.to_owned(),
            Kind::EndOfFile => format!("unexpected end of the template in {context}"),
            _ => format!("unexpected `{}` in {context}", token.text.escape_debug()),
        };
        self.error(token.offset, &message)
    }

    fn error(&self, offset: usize, message: &str) -> Box<TemplateError> {
        TemplateError::new(Phase::Parse, self.source, offset, message.to_owned())
    }
}

/// Whether a definition holds nothing but space.
fn is_empty(block: &Block) -> bool {
    block.iter().all(|node| matches!(node, Node::Text(_, text) if text.trim().is_empty()))
}
