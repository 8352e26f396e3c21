//! Ages and delays as people write them.

/// A whole number with a unit, in seconds: `7d`, `12h`, `30m`, `45s`; `0` alone. None for anything else.
pub fn parse_age(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    let number: u64 = digits.parse().ok()?;
    let seconds = match &text[digits.len()..] {
        "" if number == 0 => 0,
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds)
}

#[cfg(test)]
mod tests {
    use super::parse_age;

    #[test]
    fn an_age_is_a_whole_number_with_a_unit() {
        for (text, seconds) in [("0", 0), ("0d", 0), ("45s", 45), ("30m", 1_800), ("12h", 43_200), ("14d", 1_209_600)] {
            assert_eq!(parse_age(text), Some(seconds), "{text}");
        }
        for text in ["", "7", "d", "7 d", "7w", "1.5d", "-1d", "7D", "99999999999999999999d", "9999999999999999999d"] {
            assert_eq!(parse_age(text), None, "{text}");
        }
    }
}
