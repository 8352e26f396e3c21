//! Whole numbers: `%d %b %o %O %x %X %c %q %U`.

use super::super::value::Val;
use super::{Case, Printer, text};

/// A whole number as Go's printer takes it: 64 bits, and whether they are signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    bits: u64,
    is_signed: bool,
}

impl Whole {
    pub(super) fn signed(int: i64) -> Self {
        Self { bits: int as u64, is_signed: true }
    }

    pub(super) fn unsigned(bits: u64) -> Self {
        Self { bits, is_signed: false }
    }

    fn is_negative(self) -> bool {
        self.is_signed && (self.bits as i64) < 0
    }

    fn magnitude(self) -> u64 {
        if self.is_negative() { self.bits.wrapping_neg() } else { self.bits }
    }

    /// The character with this code; U+FFFD when there is none.
    fn character(self) -> char {
        u32::try_from(self.bits).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

impl Printer<'_> {
    /// `%v` without flags, which is most of what is printed.
    pub(super) fn decimal(&mut self, int: i64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = int.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if int < 0 {
            at -= 1;
            digits[at] = b'-';
        }
        self.write(&digits[at..]);
    }

    pub(super) fn integer(&mut self, value: &Val<'_>, whole: Whole, verb: char) {
        match verb {
            'v' if self.flags.go_syntax && !whole.is_signed => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.digits(whole, 16, verb);
                self.flags.sharp = sharp;
            }
            'v' | 'd' => self.digits(whole, 10, verb),
            'b' => self.digits(whole, 2, verb),
            'o' | 'O' => self.digits(whole, 8, verb),
            'x' | 'X' => self.digits(whole, 16, verb),
            'c' => self.pad(whole.character().encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => self.quoted_character(whole),
            'U' => self.code_point(whole),
            _ => self.bad_verb(value, verb),
        }
    }

    fn digits(&mut self, whole: Whole, base: u64, verb: char) {
        let flags = self.flags;
        let magnitude = whole.magnitude();
        let zeros = match flags.precision {
            Some(0) if magnitude == 0 => {
                // No digits are asked for and none are needed: only the width stays.
                let zero = std::mem::take(&mut self.flags.zero);
                self.padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
            Some(precision) => precision,
            None if flags.zero && !flags.minus => {
                let sign = usize::from(whole.is_negative() || flags.plus || flags.space);
                flags.width.unwrap_or(0).saturating_sub(sign)
            }
            None => 0,
        };
        let case = Case::of(verb);
        let digits = in_base(magnitude, base, case);
        let mut text = Vec::with_capacity(zeros.max(digits.len()) + 3);
        match (whole.is_negative(), flags.plus, flags.space) {
            (true, _, _) => text.push(b'-'),
            (false, true, _) => text.push(b'+'),
            (false, false, true) => text.push(b' '),
            (false, false, false) => {}
        }
        if verb == 'O' {
            text.extend(b"0o");
        }
        let leading = zeros.saturating_sub(digits.len());
        match base {
            2 if flags.sharp => text.extend(b"0b"),
            8 if flags.sharp && leading == 0 && digits != b"0" => text.push(b'0'),
            16 if flags.sharp => text.extend([b'0', case.x()]),
            _ => {}
        }
        text.resize(text.len() + leading, b'0');
        text.extend(digits);
        self.pad_with_space(&text);
    }

    fn quoted_character(&mut self, whole: Whole) {
        let mut quoted = vec![b'\''];
        text::escape(&mut quoted, whole.character(), b'\'', self.flags.charset());
        quoted.push(b'\'');
        self.pad(&quoted);
    }

    /// `U+0041`, or `U+0041 'A'` with a sharp.
    fn code_point(&mut self, whole: Whole) {
        let digits = in_base(whole.bits, 16, Case::Upper);
        let zeros = self.flags.precision.unwrap_or(0).max(4).saturating_sub(digits.len());
        let mut text = b"U+".to_vec();
        text.resize(text.len() + zeros, b'0');
        text.extend(digits);
        let character = u32::try_from(whole.bits).ok().and_then(char::from_u32);
        if let Some(c) = character.filter(|&c| self.flags.sharp && super::super::unicode::is_print(c)) {
            text.extend(format!(" '{c}'").bytes());
        }
        self.pad_with_space(&text);
    }
}

fn in_base(mut number: u64, base: u64, case: Case) -> Vec<u8> {
    let mut digits = Vec::with_capacity(20);
    loop {
        digits.push(case.digits()[(number % base) as usize]);
        number /= base;
        if number == 0 {
            break;
        }
    }
    digits.reverse();
    digits
}
