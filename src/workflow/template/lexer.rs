//! Cuts a source into tokens, by the rules of Go's `text/template/parse/lex.go`.
//!
//! Space inside an action is a token, since `.a.b` and `.a .b` differ. Trim markers and comments are dealt with here
//! and never seen by the parser.

use super::token::{Kind, Token, Tokens};
use super::unicode::{is_print, is_word};

/// Cuts the whole source into tokens.
pub(super) fn tokens(source: &str) -> Tokens<'_> {
    let mut lexer = Lexer { source, position: 0, start: 0, parentheses: 0, tokens: Vec::new() };
    let error = match lexer.run() {
        Ok(()) => String::new(),
        Err(message) => {
            let (offset, text) = (lexer.start, &source[lexer.start..lexer.position]);
            lexer.tokens.push(Token { kind: Kind::Error, offset, text });
            message
        }
    };
    Tokens { tokens: lexer.tokens, error }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const COMMENT_START: &str = "/*";
const COMMENT_END: &str = "*/";

/// A trim marker is a minus with a space on the side of the action's content.
const TRIM_MARKER: usize = "- ".len();

struct Lexer<'s> {
    source: &'s str,
    /// Where the next character is read.
    position: usize,
    /// Where the current token began.
    start: usize,
    parentheses: usize,
    tokens: Vec<Token<'s>>,
}

impl<'s> Lexer<'s> {
    fn run(&mut self) -> Result<(), String> {
        while self.text() {
            if !self.comment()? {
                self.action()?;
            }
        }
        self.emit(Kind::EndOfFile);
        Ok(())
    }

    /// Scans text up to the next action; false at the end of the source.
    fn text(&mut self) -> bool {
        let found = self.rest().find(LEFT);
        let end = found.map_or(self.source.len(), |at| self.position + at);
        let mut text = &self.source[self.position..end];
        if found.is_some() && has_left_trim_marker(&self.source[end + LEFT.len()..]) {
            text = text.trim_end_matches(is_space);
        }
        self.position += text.len();
        if !text.is_empty() {
            self.emit(Kind::Text);
        }
        self.skip_to(end);
        found.is_some()
    }

    /// Scans a comment if the action at the left delimiter is one.
    fn comment(&mut self) -> Result<bool, String> {
        let inside = &self.rest()[LEFT.len()..];
        let marker = if has_left_trim_marker(inside) { TRIM_MARKER } else { 0 };
        if !inside[marker..].starts_with(COMMENT_START) {
            return Ok(false);
        }
        let content = self.position + LEFT.len() + marker + COMMENT_START.len();
        let length = self.source[content..].find(COMMENT_END).ok_or("unclosed comment")?;
        self.skip_to(content + length + COMMENT_END.len());
        let end = self.right_end().ok_or("comment ends before the closing delimiter")?;
        self.skip_to(end.after);
        Ok(true)
    }

    /// Scans an action from its left to its right delimiter.
    fn action(&mut self) -> Result<(), String> {
        self.position += LEFT.len();
        self.emit(Kind::LeftDelimiter);
        if has_left_trim_marker(self.rest()) {
            self.skip_to(self.position + TRIM_MARKER);
        }
        self.parentheses = 0;
        loop {
            if let Some(end) = self.right_end() {
                if self.parentheses > 0 {
                    return Err("unclosed left parenthesis".to_owned());
                }
                self.skip_to(end.delimiter);
                self.position += RIGHT.len();
                self.emit(Kind::RightDelimiter);
                self.skip_to(end.after);
                return Ok(());
            }
            self.inside()?;
        }
    }

    /// The end of an action if it is here, with or without trim marker.
    fn right_end(&self) -> Option<RightEnd> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            return Some(RightEnd { delimiter: self.position, after: self.position + RIGHT.len() });
        }
        if !is_trimming_right_end(rest) {
            return None;
        }
        let delimiter = self.position + TRIM_MARKER;
        let behind = &self.source[delimiter + RIGHT.len()..];
        Some(RightEnd { delimiter, after: self.source.len() - behind.trim_start_matches(is_space).len() })
    }

    /// Scans one token inside an action.
    fn inside(&mut self) -> Result<(), String> {
        let Some(c) = self.next() else {
            return Err("unclosed action".to_owned());
        };
        match c {
            _ if is_space(c) => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' if self.next() == Some('=') => self.emit(Kind::Declare),
            ':' => return Err("expected `:=`".to_owned()),
            '|' => self.emit(Kind::Pipe),
            '"' => return self.quoted('"', Kind::QuotedText, "unterminated quoted text"),
            '\'' => return self.quoted('\'', Kind::CharacterConstant, "unterminated character constant"),
            '`' => return self.raw(),
            '$' => return self.name(Kind::Variable, Kind::Variable),
            '.' if self.peek().is_some_and(|c| !c.is_ascii_digit()) => return self.name(Kind::Field, Kind::Dot),
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            _ if is_word(c) => return self.identifier(),
            '(' => {
                self.parentheses += 1;
                self.emit(Kind::LeftParenthesis);
            }
            ')' if self.parentheses == 0 => return Err("unexpected right parenthesis".to_owned()),
            ')' => {
                self.parentheses -= 1;
                self.emit(Kind::RightParenthesis);
            }
            _ if c.is_ascii() && is_print(c) => self.emit(Kind::Character),
            _ => return Err(format!("unrecognised character {} in action", named(c))),
        }
        Ok(())
    }

    /// Scans a run of space, whose first character is behind us. The last one may belong to a trim marker.
    fn space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches(is_space).len();
        if is_trimming_right_end(&self.source[self.position - 1..]) {
            self.position -= 1;
        }
        self.emit(Kind::Space);
    }

    /// Scans what follows a dot or dollar; `alone` is the kind when nothing does.
    fn name(&mut self, kind: Kind, alone: Kind) -> Result<(), String> {
        if self.is_at_terminator() {
            self.emit(alone);
            return Ok(());
        }
        self.word()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), String> {
        self.word()?;
        self.emit(keyword(&self.source[self.start..self.position]));
        Ok(())
    }

    /// Goes past letters, digits and underscores, which must end at a terminator.
    fn word(&mut self) -> Result<(), String> {
        self.accept_run(is_word);
        match self.peek() {
            Some(c) if !self.is_at_terminator() => Err(format!("bad character {}", named(c))),
            _ => Ok(()),
        }
    }

    /// Whether a name may end here: `.X.Y` falls into two, and `$x+2` is refused.
    fn is_at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(c) => is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '(') || self.rest().starts_with(RIGHT),
        }
    }

    /// Scans to the closing quote on the same line; a backslash takes the next character along.
    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), String> {
        loop {
            let c = match self.next() {
                Some('\\') => self.next().filter(|&c| c != '\n').map(|_| '\\'),
                other => other.filter(|&c| c != '\n'),
            };
            match c {
                None => return Err(unterminated.to_owned()),
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw(&mut self) -> Result<(), String> {
        let length = self.rest().find('`').ok_or("unterminated raw text")?;
        self.position += length + 1;
        self.emit(Kind::RawText);
        Ok(())
    }

    /// Scans a number loosely; reading its value finds the rest of what can be wrong.
    fn number(&mut self) -> Result<(), String> {
        self.position = self.start;
        let mut kind = Kind::Number;
        let mut fine = self.scan_number();
        if fine && matches!(self.peek(), Some('+' | '-')) {
            // A complex constant, 1+2i: no space, and the `i` must be there.
            kind = Kind::ComplexNumber;
            fine = self.scan_number() && self.source[..self.position].ends_with('i');
        }
        if !fine {
            return Err(format!("bad number syntax: `{}`", &self.source[self.start..self.position]));
        }
        self.emit(kind);
        Ok(())
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(|c| digits.contains(c));
        if self.accept(".") {
            self.accept_run(|c| digits.contains(c));
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run(|c| c.is_ascii_digit() || c == '_');
        }
        self.accept("i");
        // What comes next must not look like a part of the number.
        let next = self.peek().filter(|&c| is_word(c));
        self.position += next.map_or(0, char::len_utf8);
        next.is_none()
    }

    fn rest(&self) -> &'s str {
        &self.source[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().filter(|&c| valid.contains(c));
        self.position += accepted.map_or(0, char::len_utf8);
        accepted.is_some()
    }

    fn accept_run(&mut self, valid: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches(valid).len();
    }

    fn emit(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, offset: self.start, text: &self.source[self.start..self.position] });
        self.start = self.position;
    }

    /// Goes to a later place; what lies between is in no token.
    fn skip_to(&mut self, position: usize) {
        self.position = position;
        self.start = position;
    }
}

/// Where an action ends.
struct RightEnd {
    /// Where `}}` begins, after a trim marker.
    delimiter: usize,
    /// Where text goes on, after trimmed space.
    after: usize,
}

fn keyword(word: &str) -> Kind {
    match word {
        "true" | "false" => Kind::Boolean,
        "nil" => Kind::Nil,
        "block" => Kind::Block,
        "break" => Kind::Break,
        "continue" => Kind::Continue,
        "define" => Kind::Define,
        "else" => Kind::Else,
        "end" => Kind::End,
        "if" => Kind::If,
        "range" => Kind::Range,
        "template" => Kind::Template,
        "with" => Kind::With,
        _ => Kind::Identifier,
    }
}

/// The space characters that Go's templates know; others, such as U+00A0, are text.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn has_left_trim_marker(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|after| after.starts_with(is_space))
}

fn is_trimming_right_end(rest: &str) -> bool {
    rest.strip_prefix(is_space).and_then(|after| after.strip_prefix('-')).is_some_and(|after| after.starts_with(RIGHT))
}

/// A character as it is called in an error: code point and, if it can be shown, the character.
fn named(c: char) -> String {
    if is_print(c) { format!("U+{:04X} `{c}`", c as u32) } else { format!("U+{:04X}", c as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind> {
        tokens(source).tokens.iter().map(|token| token.kind).collect()
    }

    #[test]
    fn space_separates_a_field_of_a_field_from_an_argument() {
        use Kind::{EndOfFile, Field, LeftDelimiter, RightDelimiter, Space};
        assert_eq!(kinds("{{.a.b}}"), [LeftDelimiter, Field, Field, RightDelimiter, EndOfFile]);
        assert_eq!(kinds("{{.a .b}}"), [LeftDelimiter, Field, Space, Field, RightDelimiter, EndOfFile]);
    }

    #[test]
    fn a_trim_marker_takes_the_space_of_the_text_and_its_own() {
        let texts = |source| tokens(source).tokens.iter().map(|token| token.text.to_owned()).collect::<Vec<_>>();
        assert_eq!(texts("a {{- .b -}} c"), ["a", "{{", ".b", "}}", "c", ""]);
        assert_eq!(texts("a {{- /* b */ -}} c"), ["a", "c", ""]);
    }

    #[test]
    fn scanning_stops_at_the_first_error_with_its_place() {
        let found = tokens("a{{ ? \u{a0}}}{{\"}}");
        let last = found.tokens.last().expect("there is always a last token");
        assert_eq!((last.kind, last.offset), (Kind::Error, 6));
        assert_eq!(found.error, "unrecognised character U+00A0 in action");
    }
}
