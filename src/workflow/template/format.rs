//! Prints values as Go's `fmt` does: `%v` for actions and `print`, and everything else for `printf`.

mod float;
mod integer;
mod printf;
mod text;

use serde_json::{Map, Value};

use super::value::{List, Val};

/// Lists and maps inside each other that are printed. JSON that is read has at most 128.
const MAX_DEPTH: usize = 200;

/// Prints into bytes, up to a limit.
pub(super) struct Printer<'o> {
    out: &'o mut Vec<u8>,
    /// How long `out` may become.
    limit: usize,
    flags: Flags,
    overflow: Option<Overflow>,
}

/// Why printing stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The text would be longer than the limit.
    Length,
    /// The value is nested too deep.
    Depth,
}

/// What stands between a percent sign and its verb.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%#v`: Go syntax.
    go_syntax: bool,
}

impl Flags {
    /// Whether nothing stands there.
    fn is_plain(&self) -> bool {
        let Self { width, precision, minus, plus, sharp, space, zero, go_syntax } = *self;
        width.is_none() && precision.is_none() && !(minus || plus || sharp || space || zero || go_syntax)
    }
}

/// Which digits a hexadecimal number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

impl Case {
    /// Lower case, unless the verb is a capital letter.
    fn of(verb: char) -> Self {
        if verb.is_ascii_uppercase() { Case::Upper } else { Case::Lower }
    }

    fn digits(self) -> &'static [u8; 16] {
        match self {
            Case::Lower => b"0123456789abcdef",
            Case::Upper => b"0123456789ABCDEF",
        }
    }

    fn x(self) -> u8 {
        match self {
            Case::Lower => b'x',
            Case::Upper => b'X',
        }
    }
}

impl<'o> Printer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, limit: usize) -> Self {
        Self { out, limit, flags: Flags::default(), overflow: None }
    }

    /// What was too much, if something was.
    pub(super) fn finish(self) -> Result<(), Overflow> {
        self.overflow.map_or(Ok(()), Err)
    }

    /// Like `fmt.Print`: a space between two operands when neither is a text.
    pub(super) fn print(&mut self, operands: &[Val<'_>]) {
        let mut after_text = true;
        for operand in operands {
            let is_text = matches!(operand, Val::Text(_));
            if !is_text && !after_text {
                self.write(b" ");
            }
            self.operand(operand, 'v');
            after_text = is_text;
        }
    }

    /// Like `fmt.Println`: a space between all operands, and a new line.
    pub(super) fn print_line(&mut self, operands: &[Val<'_>]) {
        for (number, operand) in operands.iter().enumerate() {
            if number > 0 {
                self.write(b" ");
            }
            self.operand(operand, 'v');
        }
        self.write(b"\n");
    }

    fn operand(&mut self, operand: &Val<'_>, verb: char) {
        match verb {
            'T' | 'v' if operand.is_nil() => self.pad(b"<nil>"),
            'T' => self.truncated(operand.go_type().as_bytes()),
            // The address of a value means nothing here, and errors are not wrapped.
            'p' | 'w' => self.bad_verb(operand, verb),
            _ if operand.is_nil() => self.bad_verb(operand, verb),
            _ => self.value(operand, verb, 0),
        }
    }

    fn value(&mut self, value: &Val<'_>, verb: char, depth: usize) {
        match value {
            Val::Absent | Val::Null if self.flags.go_syntax => self.write(b"interface {}(nil)"),
            Val::Absent | Val::Null => self.write(b"<nil>"),
            Val::Bool(truth) if matches!(verb, 't' | 'v') => self.pad(if *truth { b"true" } else { b"false" }),
            Val::Bool(_) => self.bad_verb(value, verb),
            Val::Int(int) if verb == 'v' && self.flags.is_plain() => self.decimal(*int),
            Val::Int(int) => self.integer(value, integer::Whole::signed(*int), verb),
            Val::Uint(uint) => self.integer(value, integer::Whole::unsigned(*uint), verb),
            Val::Byte(byte) => self.integer(value, integer::Whole::unsigned((*byte).into()), verb),
            Val::Float(..) | Val::Complex(..) => self.float(value, verb),
            Val::Text(text) => self.text(value, text.bytes(), verb),
            Val::List(_) | Val::Map(_) if depth > MAX_DEPTH => self.overflow = Some(Overflow::Depth),
            Val::List(list) => self.list(*list, verb, depth),
            Val::Map(map) => self.map(map, verb, depth),
        }
    }

    fn list(&mut self, list: List<'_>, verb: char, depth: usize) {
        let brackets = self.open(if self.flags.go_syntax { "[]interface {}{" } else { "[" }, "}", "]");
        for (number, item) in list.items().iter().enumerate() {
            if self.overflow.is_some() {
                return;
            }
            self.separate(number);
            self.value(&Val::of(item), verb, depth + 1);
        }
        self.write(brackets);
    }

    fn map(&mut self, map: &Map<String, Value>, verb: char, depth: usize) {
        let brackets = self.open(if self.flags.go_syntax { "map[string]interface {}{" } else { "map[" }, "}", "]");
        for (number, (key, item)) in map.iter().enumerate() {
            if self.overflow.is_some() {
                return;
            }
            self.separate(number);
            self.value(&Val::Text(super::value::Text::Borrowed(key.as_bytes())), verb, depth + 1);
            self.write(b":");
            self.value(&Val::of(item), verb, depth + 1);
        }
        self.write(brackets);
    }

    /// Writes what a list or map begins with and gives what it ends with.
    fn open(&mut self, opening: &str, go_closing: &'static str, closing: &'static str) -> &'static [u8] {
        self.write(opening.as_bytes());
        if self.flags.go_syntax { go_closing.as_bytes() } else { closing.as_bytes() }
    }

    fn separate(&mut self, number: usize) {
        match number {
            0 => {}
            _ if self.flags.go_syntax => self.write(b", "),
            _ => self.write(b" "),
        }
    }

    /// A verb that does not go with the value: `%!d(string=x)`.
    fn bad_verb(&mut self, value: &Val<'_>, verb: char) {
        self.write(b"%!");
        self.write_char(verb);
        self.write(b"(");
        self.write(value.go_type().as_bytes());
        if !value.is_nil() {
            self.write(b"=");
            self.value(value, 'v', 0);
        }
        self.write(b")");
    }

    /// Writes with padding up to the width, which counts characters.
    fn pad(&mut self, bytes: &[u8]) {
        let missing = match self.flags.width {
            None | Some(0) => 0,
            Some(width) if bytes.is_ascii() => width.saturating_sub(bytes.len()),
            Some(width) => width.saturating_sub(super::value::characters(bytes).count()),
        };
        if self.flags.minus {
            self.write(bytes);
            self.padding(missing);
        } else {
            self.padding(missing);
            self.write(bytes);
        }
    }

    /// Pads with spaces even if zeros are asked for.
    fn pad_with_space(&mut self, bytes: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(bytes);
        self.flags.zero = zero;
    }

    fn padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        if self.has_room(count) {
            self.out.resize(self.out.len() + count, byte);
        }
    }

    fn write_char(&mut self, c: char) {
        self.write(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Writes bytes as they are.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.out.extend_from_slice(bytes);
        }
    }

    fn has_room(&mut self, count: usize) -> bool {
        if self.limit.saturating_sub(self.out.len()) < count {
            self.overflow.get_or_insert(Overflow::Length);
        }
        self.overflow.is_none()
    }
}
