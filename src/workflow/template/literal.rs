//! Reads literals of a template: numbers and quoted texts, by the rules of Go's `strconv`.

/// The value of a number as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Int(i64),
    Float(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// Fits 64 bits without sign only: an error when it is evaluated, not before.
    Overflow,
}

/// Reads a number such as `12`, `1_000`, `0x1F`, `017`, `1e3`, `0x1p-2` or `2i`.
pub(super) fn number(text: &str) -> Result<Constant, String> {
    if let Some(imaginary) = text.strip_suffix('i').and_then(float) {
        return Ok(Constant::Complex(0.0, imaginary));
    }
    let (magnitude, negative) = (unsigned(text.trim_start_matches(['+', '-'])), text.starts_with('-'));
    match magnitude {
        // The shape decides the type, as in Go: a hexadecimal number with sign and an `e` in it is a fraction there.
        Some(value) if has_float_shape(text) => {
            Ok(Constant::Float(if negative { -(value as f64) } else { value as f64 }))
        }
        Some(value) => signed(value, negative)
            .map(Constant::Int)
            .or((!text.starts_with(['+', '-'])).then_some(Constant::Overflow))
            .ok_or_else(|| overflow(text)),
        None => match float(text) {
            Some(_) if !text.contains(['.', 'e', 'E', 'p', 'P']) => Err(overflow(text)),
            Some(value) => Ok(Constant::Float(value)),
            None => Err(format!("illegal number syntax: `{text}`")),
        },
    }
}

/// Reads a complex number with both parts, such as `1+2i`.
pub(super) fn complex(text: &str) -> Result<Constant, String> {
    let parts = text.strip_suffix('i').and_then(|text| {
        // The sign between the parts is the last one that does not belong to an exponent.
        let exponents: &[u8] = if text.contains(['x', 'X']) { b"pP" } else { b"eE" };
        let bytes = text.as_bytes();
        let sign = (1..bytes.len()).rfind(|&at| b"+-".contains(&bytes[at]) && !exponents.contains(&bytes[at - 1]))?;
        Some((float(&text[..sign])?, float(&text[sign..])?))
    });
    let (real, imaginary) = parts.ok_or_else(|| format!("illegal number syntax: `{text}`"))?;
    Ok(Constant::Complex(real, imaginary))
}

/// Reads a character constant such as `'a'` or `'\n'` as its number.
pub(super) fn character(text: &str) -> Result<Constant, String> {
    let malformed = || format!("malformed character constant: {text}");
    let inside = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).ok_or_else(malformed)?;
    let (piece, rest) = piece(inside, '\'').ok_or_else(malformed)?;
    if !rest.is_empty() {
        return Err(malformed());
    }
    Ok(Constant::Int(match piece {
        Piece::Character(c) => c as i64,
        Piece::Byte(byte) => byte.into(),
    }))
}

/// Reads a text in double quotes or backquotes.
pub(super) fn text(quoted: &str) -> Result<Box<[u8]>, String> {
    let malformed = || format!("invalid syntax in text {quoted}");
    if let Some(raw) = quoted.strip_prefix('`') {
        // As in Go's source, a raw text has no carriage returns.
        return Ok(raw.trim_end_matches('`').bytes().filter(|&byte| byte != b'\r').collect());
    }
    let mut rest = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(malformed)?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (piece, after) = piece(rest, '"').ok_or_else(malformed)?;
        match piece {
            Piece::Character(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Piece::Byte(byte) => bytes.push(byte),
        }
        rest = after;
    }
    Ok(bytes.into())
}

/// What one character or escape of a quoted text stands for.
enum Piece {
    Character(char),
    Byte(u8),
}

/// Takes one character or escape; the bare quote is none.
fn piece(text: &str, quote: char) -> Option<(Piece, &str)> {
    let mut rest = text.chars();
    let first = rest.next().filter(|&c| c != quote)?;
    if first != '\\' {
        return Some((Piece::Character(first), rest.as_str()));
    }
    let escape = rest.next()?;
    let rest = rest.as_str();
    let simple = match escape {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        _ if escape == quote => quote,
        'x' => return coded(rest, 2, 16).and_then(|(code, rest)| Some((Piece::Byte(code.try_into().ok()?), rest))),
        'u' | 'U' => {
            let digits = if escape == 'u' { 4 } else { 8 };
            return coded(rest, digits, 16)
                .and_then(|(code, rest)| Some((Piece::Character(code.try_into().ok()?), rest)));
        }
        '0'..='7' => {
            // Three octal digits, of which the first is behind us.
            let (code, rest) = coded(&text[1..], 3, 8)?;
            return Some((Piece::Byte(code.try_into().ok()?), rest));
        }
        _ => return None,
    };
    Some((Piece::Character(simple), rest))
}

fn coded(text: &str, digits: usize, radix: u32) -> Option<(u32, &str)> {
    let (code, rest) = text.split_at_checked(digits)?;
    code.chars().all(|c| c.is_digit(radix)).then_some(())?;
    Some((u32::from_str_radix(code, radix).ok()?, rest))
}

fn overflow(text: &str) -> String {
    format!("number `{text}` is too large for 64 bits")
}

fn signed(magnitude: u64, negative: bool) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Whether Go takes an integer written like this for a fraction: only `-0x1e`, as a leading sign hides the `0x`.
fn has_float_shape(text: &str) -> bool {
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    !is_hexadecimal && text.contains(['.', 'e', 'E', 'p', 'P'])
}

/// Reads a whole number without sign in any base, with underscores between digits.
fn unsigned(text: &str) -> Option<u64> {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (digits, radix) = match lower.as_deref() {
        Some("0b") => (&text[2..], 2),
        Some("0o") => (&text[2..], 8),
        Some("0x") => (&text[2..], 16),
        _ if text.starts_with('0') && text.len() > 1 => (&text[1..], 8),
        _ => (text, 10),
    };
    if !underscores_separate_digits(text) || digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// Reads a fraction, decimal or hexadecimal.
fn float(text: &str) -> Option<f64> {
    let (unsigned, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    if !underscores_separate_digits(unsigned) {
        return None;
    }
    let plain = unsigned.replace('_', "").to_ascii_lowercase();
    let value = match plain.strip_prefix("0x") {
        Some(hexadecimal) => hexadecimal_float(hexadecimal)?,
        None if plain.starts_with(|c: char| c == '.' || c.is_ascii_digit()) => plain.parse().ok()?,
        None => return None,
    };
    value.is_finite().then_some(if negative { -value } else { value })
}

/// Reads `1.8p3`, the part of a hexadecimal fraction after its `0x`. The exponent must be there.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // `parse` takes a sign, which must be followed by digits; anything above this is infinite or zero anyway.
    let mut exponent: i64 = exponent.parse::<i64>().ok()?.clamp(-100_000, 100_000);
    let mut bits: u128 = 0;
    let mut has_digit = false;
    for (place, c) in whole.chars().map(|c| (0, c)).chain(fraction.chars().map(|c| (-4, c))) {
        has_digit = true;
        exponent += place;
        let digit = u128::from(c.to_digit(16)?);
        if bits >> 120 == 0 {
            bits = bits << 4 | digit;
        } else {
            // Further digits only tell that there is something more.
            bits |= u128::from(digit != 0);
            exponent += 4;
        }
    }
    has_digit.then_some(())?;
    // Two steps, since 2^exponent alone may be out of range where the product is not.
    let half = i32::try_from(exponent / 2).ok()?;
    let other = i32::try_from(exponent).ok()? - half;
    Some(bits as f64 * 2f64.powi(half) * 2f64.powi(other))
}

/// Whether each underscore stands between digits, or between a base prefix and a digit.
fn underscores_separate_digits(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let prefix = ["0b", "0o", "0x"].into_iter().find(|prefix| lower.starts_with(prefix));
    let is_hexadecimal = prefix == Some("0x");
    let digits = &lower[prefix.map_or(0, str::len)..];
    let mut previous = if prefix.is_some() { '0' } else { '^' };
    for c in digits.chars() {
        let class = match c {
            '_' => '_',
            '0'..='9' => '0',
            'a'..='f' if is_hexadecimal => '0',
            _ => '!',
        };
        if class == '_' && previous != '0' || previous == '_' && class != '0' {
            return false;
        }
        previous = class;
    }
    previous != '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_base() {
        for (text, value) in
            [("0", 0), ("-0", 0), ("017", 15), ("0b101", 5), ("0o17", 15), ("0x1_F", 31), ("1_000", 1000)]
        {
            assert_eq!(number(text), Ok(Constant::Int(value)), "{text}");
        }
        assert_eq!(number("-9223372036854775808"), Ok(Constant::Int(i64::MIN)));
        assert_eq!(number("9223372036854775808"), Ok(Constant::Overflow));
    }

    #[test]
    fn fractions_are_read_in_both_bases() {
        for (text, value) in
            [("1.", 1.0), (".5", 0.5), ("1_0e-1", 1.0), ("0x1p-2", 0.25), ("0x.8p1", 1.0), ("-1.5", -1.5)]
        {
            assert_eq!(number(text), Ok(Constant::Float(value)), "{text}");
        }
        assert_eq!(complex("1e+2-2i"), Ok(Constant::Complex(100.0, -2.0)));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in ["08", "1__0", "_1", "1_", "0x", "0x1.8", "1e", "1e400", "-", "+", ".", "18446744073709551616"] {
            assert!(number(text).is_err(), "{text}");
        }
        for quoted in [r#""\'""#, r#""\q""#, r#""\x4""#, r#""\ud800""#, r#""\400""#] {
            assert!(text(quoted).is_err(), "{quoted}");
        }
    }

    #[test]
    fn an_escaped_byte_need_not_be_a_character() {
        assert_eq!(text(r#""a\xff\101\u00e9""#).as_deref(), Ok(b"a\xffA\xc3\xa9".as_slice()));
        assert_eq!(text("`a\\n\r`").as_deref(), Ok(b"a\\n".as_slice()));
    }
}
