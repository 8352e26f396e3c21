//! Amounts of memory and of time, as they are written in manifests and configurations.

use std::time::Duration;

use super::PermissionError;

const MEMORY_UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Nanoseconds of a unit. `µ` is written in two ways, U+00B5 and U+03BC.
const TIME_UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads an amount of memory in bytes: a whole number and `B`, `KB`, `MB`, `GB` (powers of 1000) or `KiB`, `MiB`, `GiB`
/// (powers of 1024), without a space: `64MB`.
///
/// # Errors
/// Names the text when it has another shape, is zero, or does not fit 64 bits.
pub fn parse_memory(text: &str) -> Result<u64, PermissionError> {
    let expected = "a whole number above zero and `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, such as `64MB`";
    let error = || PermissionError::new("amount of memory", text, expected);
    let (digits, factor) =
        MEMORY_UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor))).ok_or_else(error)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(error)
}

/// Reads a duration as Go writes it: decimal numbers with the units `h`, `m`, `s`, `ms`, `us` (or `µs`) and `ns` in a
/// row: `3s`, `1m30s`, `1.5h`; or `0`. What is finer than a nanosecond is cut off.
///
/// # Errors
/// Names the text when it has another shape, is negative, or exceeds 292 years (2^63 nanoseconds).
pub fn parse_duration(text: &str) -> Result<Duration, PermissionError> {
    let error = || {
        PermissionError::new(
            "duration",
            text,
            "numbers with `h`, `m`, `s`, `ms`, `us` or `ns`, such as `3s` or `1m30s`",
        )
    };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() || text.is_empty() {
        let (nanoseconds, after) = leading_duration(rest).ok_or_else(error)?;
        total = total.checked_add(nanoseconds).filter(|total| *total <= i64::MAX as u128).ok_or_else(error)?;
        rest = after;
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| error())
}

/// One number with its unit in nanoseconds, and what follows.
fn leading_duration(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = leading_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => leading_digits(rest),
        None => ("", rest),
    };
    // 19 digits are more than 2^63 nanoseconds need, and few enough for every product below.
    if (whole.is_empty() && fraction.is_empty()) || whole.len() > 19 {
        return None;
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let (_, scale) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
    // 15 digits of a fraction: an hour has fewer nanoseconds than that.
    let fraction = &fraction[..fraction.len().min(15)];
    let fraction = decimal(fraction) * scale / 10u128.pow(fraction.len() as u32);
    Some((decimal(whole) * scale + fraction, rest))
}

fn decimal(digits: &str) -> u128 {
    digits.bytes().fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'))
}

fn leading_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_decimal_and_binary_units() {
        for (text, bytes) in
            [("64MB", 64_000_000), ("64MiB", 67_108_864), ("1KB", 1_000), ("2GiB", 2_147_483_648), ("7B", 7)]
        {
            assert_eq!(parse_memory(text), Ok(bytes), "{text}");
        }
        for bad in
            ["", "64", "MB", "64 MB", "-1MB", "1.5MB", "64mb", "64M", "0MB", "99999999999999999999B", "99999999999GiB"]
        {
            assert!(parse_memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_gos() {
        let cases: [(&str, u64); 9] = [
            ("0", 0),
            ("3s", 3_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("250ms", 250_000_000),
            ("2us3ns", 2_003),
            ("1\u{b5}s", 1_000),
            ("0.3333333333333333333333333s", 333_333_333),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for bad in
            ["", "3", "s", "-3s", "+3s", "3 s", "3d", ".s", "1.2.3s", "3S", "9999999999h", "99999999999999999999s", "é"]
        {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
