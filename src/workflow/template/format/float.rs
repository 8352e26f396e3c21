//! Fractions: `%e %E %f %F %g %G %b %x %X` and `%v`.

use super::super::value::{Origin, Val};
use super::{Case, Printer};

/// No finite fraction has more significant digits, before or after its point; what is asked beyond is zeros.
const MAX_DIGITS: usize = 1100;

/// Whole fractions up to here are exact.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

impl Printer<'_> {
    pub(super) fn float(&mut self, value: &Val<'_>, verb: char) {
        let format = match verb {
            'v' => 'g',
            'F' => 'f',
            'b' | 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X' => verb,
            _ => return self.bad_verb(value, verb),
        };
        match *value {
            // A whole number stays one, whoever wrote it as a fraction: never 1.2e+07.
            Val::Float(float, Origin::Data) if verb == 'v' && self.flags.precision.is_none() && is_whole(float) => {
                self.signed(float + 0.0, &fixed(float.abs(), 0), format);
            }
            Val::Float(float, _) => self.signed_float(float, format),
            Val::Complex(real, imaginary) => {
                self.write(b"(");
                self.signed_float(real, format);
                let plus = std::mem::replace(&mut self.flags.plus, true);
                self.signed_float(imaginary, format);
                self.flags.plus = plus;
                self.write(b"i)");
            }
            _ => self.bad_verb(value, verb),
        }
    }

    fn signed_float(&mut self, float: f64, format: char) {
        let magnitude = float.abs();
        let precision = self.flags.precision;
        let digits = match format {
            'e' | 'E' => exponential(magnitude, precision.or(Some(6))),
            'f' => fixed(magnitude, precision.unwrap_or(6)),
            'g' | 'G' => general(magnitude, precision),
            'x' | 'X' => hexadecimal(magnitude, precision, Case::of(format)),
            _ => binary(magnitude),
        };
        let digits = if matches!(format, 'E' | 'G') { digits.to_ascii_uppercase() } else { digits };
        self.signed(float, &digits, format);
    }

    /// Writes sign and digits with padding; zeros go between the two.
    fn signed(&mut self, float: f64, digits: &str, format: char) {
        let flags = self.flags;
        let pointed = (flags.sharp && format != 'b').then(|| with_point(digits, format, flags.precision));
        let digits = pointed.as_deref().unwrap_or(digits);
        let sign = match (float.is_sign_negative(), flags.plus, flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        let length = sign.len() + digits.len();
        if let Some(width) =
            flags.width.filter(|&width| flags.zero && !flags.minus && width > length && !sign.is_empty())
        {
            self.write(sign.as_bytes());
            self.padding(width - length);
            self.write(digits.as_bytes());
        } else {
            self.pad(format!("{sign}{digits}").as_bytes());
        }
    }
}

fn is_whole(float: f64) -> bool {
    float.fract() == 0.0 && float.abs() <= MAX_EXACT
}

/// The significant digits of a decimal number, and where its point stands: 0.digits × 10^point.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// From what Rust's `{:e}` gives, without zeros at the end.
    fn read(exponential: &str) -> Self {
        let (mantissa, exponent) = exponential.split_once('e').unwrap_or((exponential, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = if digits.is_empty() { 0 } else { exponent.parse::<i32>().unwrap_or(0) + 1 };
        Self { digits, point }
    }

    fn shortest(magnitude: f64) -> Self {
        Self::read(&format!("{magnitude:e}"))
    }

    fn digit(&self, at: i32) -> u8 {
        usize::try_from(at).ok().and_then(|at| self.digits.get(at)).copied().unwrap_or(b'0')
    }

    fn exponential(&self, precision: usize) -> String {
        let mut text = String::from(char::from(self.digit(0)));
        if precision > 0 {
            text.push('.');
            text.extend(self.digits.iter().skip(1).take(precision).map(|&digit| char::from(digit)));
            text.extend(std::iter::repeat_n('0', (precision + 2).saturating_sub(text.len())));
        }
        let exponent = if self.digits.is_empty() { 0 } else { self.point - 1 };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{text}e{sign}{:02}", exponent.abs())
    }

    fn fixed(&self, precision: usize) -> String {
        let mut text = String::new();
        for at in 0..self.point.max(0) {
            text.push(char::from(self.digit(at)));
        }
        if text.is_empty() {
            text.push('0');
        }
        if precision > 0 {
            text.push('.');
            text.extend((0..precision as i32).map(|place| char::from(self.digit(self.point + place))));
        }
        text
    }
}

/// `%e`; without a precision as many digits as tell the number from its neighbours.
fn exponential(magnitude: f64, precision: Option<usize>) -> String {
    match precision {
        None => {
            let decimal = Decimal::shortest(magnitude);
            decimal.exponential(decimal.digits.len().saturating_sub(1))
        }
        Some(precision) => {
            Decimal::read(&format!("{magnitude:.0$e}", precision.min(MAX_DIGITS))).exponential(precision)
        }
    }
}

/// `%f`.
fn fixed(magnitude: f64, precision: usize) -> String {
    let mut text = format!("{magnitude:.0$}", precision.min(MAX_DIGITS));
    text.extend(std::iter::repeat_n('0', precision.saturating_sub(MAX_DIGITS)));
    text
}

/// `%g`: the exponential form for exponents below -4 or from the precision on; 6 when none is given.
fn general(magnitude: f64, precision: Option<usize>) -> String {
    let (decimal, limit) = match precision {
        None => (Decimal::shortest(magnitude), 6),
        Some(precision) => {
            let precision = precision.max(1);
            let decimal = Decimal::read(&format!("{magnitude:.0$e}", (precision - 1).min(MAX_DIGITS)));
            let count = decimal.digits.len();
            let limit = if precision > count && decimal.point <= count as i32 { count } else { precision };
            (decimal, limit as i32)
        }
    };
    let count = decimal.digits.len();
    let exponent = decimal.point - 1;
    if exponent < -4 || exponent >= limit {
        decimal.exponential(count.saturating_sub(1))
    } else {
        decimal.fixed(usize::try_from(count as i32 - decimal.point).unwrap_or(0))
    }
}

/// Bits of a fraction: mantissa, and the exponent of two of its first bit, which is bit 52.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match (bits >> 52 & 0x7ff) as i32 {
        0 => (mantissa, -1022),
        exponent => (mantissa | 1 << 52, exponent - 1023),
    }
}

/// `%b`: mantissa and exponent of two.
fn binary(magnitude: f64) -> String {
    let (mantissa, exponent) = parts(magnitude);
    format!("{mantissa}p{:+}", exponent - 52)
}

/// `%x`: `0x1.8p+01`.
fn hexadecimal(magnitude: f64, precision: Option<usize>, case: Case) -> String {
    let (mut mantissa, mut exponent) = parts(magnitude);
    // The leading one goes to bit 60, so that fifteen digits follow it.
    mantissa <<= 8;
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent -= shift as i32;
    }
    if let Some(precision) = precision.filter(|&precision| precision < 15) {
        (mantissa, exponent) = round_hexadecimal(mantissa, exponent, precision);
    }
    let digit = |place: usize| if place < 15 { (mantissa >> (56 - 4 * place) & 15) as usize } else { 0 };
    let count = precision.unwrap_or_else(|| (0..15).rfind(|&place| digit(place) != 0).map_or(0, |last| last + 1));
    let mut text = format!("0{}{}", char::from(case.x()), mantissa >> 60 & 1);
    if count > 0 {
        text.push('.');
        text.extend((0..count).map(|place| char::from(case.digits()[digit(place)])));
    }
    let p = if case == Case::Upper { 'P' } else { 'p' };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{text}{p}{sign}{:02}", exponent.abs())
}

/// Rounds to the nearest, ties to even, keeping the leading one at bit 60.
fn round_hexadecimal(mantissa: u64, exponent: i32, precision: usize) -> (u64, i32) {
    let shift = precision * 4;
    let extra = (mantissa << shift) & ((1 << 60) - 1);
    let mut kept = mantissa >> (60 - shift);
    if extra | (kept & 1) > 1 << 59 {
        kept += 1;
    }
    let rounded = kept << (60 - shift);
    if rounded & 1 << 61 == 0 { (rounded, exponent) } else { (rounded >> 1, exponent + 1) }
}

/// The sharp flag: there is always a point, and `%g` keeps its zeros.
fn with_point(number: &str, format: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(format, 'x' | 'X');
    let tail_at = number.find(|c: char| matches!(c, 'p' | 'P') || !is_hexadecimal && matches!(c, 'e' | 'E'));
    let (mantissa, tail) = number.split_at(tail_at.unwrap_or(number.len()));
    let mut missing = match format {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = mantissa.chars().filter(|&c| c != '.').skip_while(|&c| c == '0').count();
    missing = missing.saturating_sub(significant);
    let mut text = mantissa.to_owned();
    if !text.contains('.') {
        // A lone zero counts as a digit.
        missing = missing.saturating_sub(usize::from(text == "0"));
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', missing));
    text + tail
}
