//! Reads a format: flags, `[n]` indexes, width and precision, verb. By the rules of `doPrintf` in Go's `fmt/print.go`.

use super::super::value::Val;
use super::{Flags, Printer};

/// A width, precision or index above this is taken for a mistake, as in Go.
const MAX_NUMBER: i64 = 1_000_000;

/// Where the reading of a format stands.
struct Reader<'f> {
    format: &'f [u8],
    position: usize,
    /// The operand that comes next.
    operand: usize,
    operands: usize,
    /// Whether an index has changed the order anywhere.
    is_reordered: bool,
    /// Whether the indexes of the current verb are good.
    is_good: bool,
    /// Whether the last thing read was an index.
    is_after_index: bool,
}

impl Printer<'_> {
    /// Like `fmt.Printf`.
    pub(in super::super) fn format(&mut self, format: &[u8], operands: &[Val<'_>]) {
        let mut reader = Reader {
            format,
            position: 0,
            operand: 0,
            operands: operands.len(),
            is_reordered: false,
            is_good: true,
            is_after_index: false,
        };
        while reader.position < format.len() && self.overflow.is_none() {
            let rest = &format[reader.position..];
            let text = rest.iter().position(|&byte| byte == b'%').unwrap_or(rest.len());
            self.write(&rest[..text]);
            reader.position += text + 1;
            if text < rest.len() {
                self.directive(&mut reader, operands);
            }
        }
        self.flags = Flags::default();
        if !reader.is_reordered && reader.operand < operands.len() {
            self.extra(&operands[reader.operand..]);
        }
    }

    /// One directive, after its percent sign.
    fn directive(&mut self, reader: &mut Reader<'_>, operands: &[Val<'_>]) {
        reader.is_good = true;
        reader.is_after_index = false;
        self.flags = reader.flags();
        reader.index();
        self.width(reader, operands);
        self.precision(reader, operands);
        if !reader.is_after_index {
            reader.index();
        }
        let Some(verb) = reader.verb() else {
            return self.write(b"%!(NOVERB)");
        };
        match operands.get(reader.operand) {
            _ if verb == '%' => self.write(b"%"),
            _ if !reader.is_good => self.complain(verb, b"(BADINDEX)"),
            None => self.complain(verb, b"(MISSING)"),
            Some(operand) => {
                if matches!(verb, 'v' | 'w') {
                    self.flags.go_syntax = std::mem::take(&mut self.flags.sharp);
                    // `%+v` names the fields of structures, of which there are none here.
                    self.flags.plus = false;
                }
                self.operand(operand, verb);
                reader.operand += 1;
            }
        }
    }

    fn width(&mut self, reader: &mut Reader<'_>, operands: &[Val<'_>]) {
        if reader.skip(b'*') {
            let width = reader.number_from(operands);
            if width.is_none() {
                self.write(b"%!(BADWIDTH)");
            }
            if width.is_some_and(|width| width < 0) {
                // A negative width pads to the right, which never takes zeros.
                self.flags.minus = true;
                self.flags.zero = false;
            }
            self.flags.width = width.map(|width| width.unsigned_abs() as usize);
        } else {
            self.flags.width = reader.number();
            if reader.is_after_index && self.flags.width.is_some() {
                reader.is_good = false;
            }
        }
    }

    fn precision(&mut self, reader: &mut Reader<'_>, operands: &[Val<'_>]) {
        if reader.position + 1 >= reader.format.len() || !reader.skip(b'.') {
            return;
        }
        if reader.is_after_index {
            reader.is_good = false;
        }
        reader.index();
        if reader.skip(b'*') {
            self.flags.precision = reader.number_from(operands).and_then(|number| usize::try_from(number).ok());
            if self.flags.precision.is_none() {
                self.write(b"%!(BADPREC)");
            }
        } else {
            self.flags.precision = Some(reader.number().unwrap_or(0));
        }
    }

    fn complain(&mut self, verb: char, what: &[u8]) {
        self.write(b"%!");
        self.write_char(verb);
        self.write(what);
    }

    /// Operands that no directive took.
    fn extra(&mut self, operands: &[Val<'_>]) {
        self.write(b"%!(EXTRA ");
        for (number, operand) in operands.iter().enumerate() {
            if number > 0 {
                self.write(b", ");
            }
            self.write(operand.go_type().as_bytes());
            if !operand.is_nil() {
                self.write(b"=");
                self.operand(operand, 'v');
            }
        }
        self.write(b")");
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.position).copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.position += 1;
        }
        flags
    }

    /// A number in the format; none when there is none or when it is far too large, which spoils the rest of the format.
    fn number(&mut self) -> Option<usize> {
        let (number, length) = read_number(&self.format[self.position..]);
        self.position += length;
        number
    }

    /// A width or precision from the next operand.
    fn number_from(&mut self, operands: &[Val<'_>]) -> Option<i64> {
        self.is_after_index = false;
        let operand = operands.get(self.operand)?;
        self.operand += 1;
        let number = match *operand {
            Val::Int(int) => int,
            Val::Uint(uint) => i64::try_from(uint).ok()?,
            Val::Byte(byte) => byte.into(),
            _ => return None,
        };
        (-MAX_NUMBER..=MAX_NUMBER).contains(&number).then_some(number)
    }

    /// An explicit operand index, `[2]`.
    fn index(&mut self) {
        self.is_after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.is_reordered = true;
        let rest = &self.format[self.position..];
        let Some(end) = rest.iter().position(|&byte| byte == b']').filter(|_| rest.len() >= 3) else {
            self.is_good = false;
            self.position += 1;
            return;
        };
        let inside = &rest[1..end];
        self.position += end + 1;
        let number = read_number(inside);
        match number {
            (Some(number), length) if length == inside.len() => {
                self.is_after_index = true;
                if (1..=self.operands).contains(&number) {
                    self.operand = number - 1;
                } else {
                    self.is_good = false;
                }
            }
            _ => self.is_good = false,
        }
    }

    fn verb(&mut self) -> Option<char> {
        let rest = &self.format[self.position.min(self.format.len())..];
        let (verb, bytes) = super::super::value::characters(rest).next()?;
        self.position += bytes.len();
        Some(verb.unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

/// The decimal number that the text begins with, and how much of it was read.
fn read_number(text: &[u8]) -> (Option<usize>, usize) {
    let mut number: i64 = 0;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut count = 0;
    for digit in digits {
        if number > MAX_NUMBER {
            return (None, text.len());
        }
        number = number * 10 + i64::from(digit - b'0');
        count += 1;
    }
    ((count > 0).then_some(number as usize), count)
}
