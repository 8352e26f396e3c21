//! JSON from outside: files, answers, rendered texts.

use serde_json::Value;

/// Why bytes are no JSON that is taken.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// A whole number does not fit 64 bits. Reading it as a fraction would change its digits without a word.
    #[error("the whole number `{0}` has more than 64 bits; write it as a text")]
    TooWide(String),
    /// Lists and mappings stand too deep inside each other to be read at all.
    #[error("it nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// How deep a value of a workflow may nest: 100. Most readers of JSON stop at 128, those of plugins too, and some of it goes to what is
/// around a value.
pub const MAX_DEPTH: usize = 100;

/// Reads a JSON value. Whole numbers stay as they are or are refused.
pub fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
    // Looked at as a whole, texts need not be looked at one by one.
    let value = match str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    let value = value.map_err(|error: serde_json::Error| match error.to_string() {
        text if text.starts_with("recursion limit exceeded") => Unreadable::TooDeep,
        _ => Unreadable::Syntax(error),
    })?;
    match too_wide(bytes) {
        Some(number) => Err(Unreadable::TooWide(number)),
        None => Ok(value),
    }
}

/// The first whole number of a valid JSON text that does not fit 64 bits.
fn too_wide(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let length = match first {
            b'"' => text_length(rest),
            b'-' | b'0'..=b'9' => {
                let length =
                    rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
                let length = length.count();
                let number = str::from_utf8(&rest[..length]).unwrap_or_default();
                let is_whole = !number.contains(['.', 'e', 'E']);
                // Eighteen digits always fit.
                if is_whole && length > 18 && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                    return Some(number.chars().take(40).collect());
                }
                length
            }
            _ => 1,
        };
        rest = &rest[length..];
    }
    None
}

/// How far a text reaches, with its quotes.
fn text_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_deep_to_be_read_is_told_by_its_limit() {
        let text = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), "it nests deeper than 100 levels");
    }

    #[test]
    fn whole_numbers_stay_as_they_are_or_are_refused() {
        let text = format!(r#"{{"a\"9": [{}, {}, -0, 1e30, 123456789012345678901234567890.5]}}"#, u64::MAX, i64::MIN);
        let read_back = read(text.as_bytes()).unwrap();
        assert_eq!(read_back["a\"9"][0], json!(u64::MAX));
        assert_eq!(read_back["a\"9"][1], json!(i64::MIN));
        for number in ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"] {
            let error = read(format!("[\"1\\\\\", {number}]").as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("the whole number `{number}` has more than 64 bits; write it as a text"));
        }
        assert_eq!(read(b"\"123456789012345678901234567890\\\"\"").unwrap(), json!("123456789012345678901234567890\""));
    }
}
