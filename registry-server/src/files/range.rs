//! Parts of a file: `Range`, `If-Range` (RFC 9110, section 14). One range is answered; a request for several gets the whole.

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

/// What a request wants of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// From the first to the last byte, both included.
    Between(u64, u64),
    /// Something that the file does not have.
    Outside,
}

/// The part that the headers ask for. A range of another version of the file, or one that is not understood, means the whole.
pub(super) fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Part {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A weak tag or a date does not vouch for every byte.
    if header(IF_RANGE).is_some_and(|version| version.trim() != etag) {
        return Part::Whole;
    }
    header(RANGE).and_then(|range| parse(range, length)).unwrap_or(Part::Whole)
}

/// `bytes=10-19`, `bytes=10-`, `bytes=-10`; none if it is something else.
fn parse(range: &str, length: u64) -> Option<Part> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    let (first, last): (u64, u64) = match (first, last) {
        ("", "") => return None,
        ("", count) => {
            let count: u64 = number(count)?;
            if count == 0 {
                return Some(Part::Outside);
            }
            (length.saturating_sub(count), u64::MAX)
        }
        (first, "") => (number(first)?, u64::MAX),
        (first, last) => (number(first)?, number(last)?),
    };
    if first > last {
        return None;
    }
    Some(if first >= length { Part::Outside } else { Part::Between(first, last.min(length - 1)) })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of_100(range: &str, if_range: Option<&str>) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(version) = if_range {
            headers.insert(IF_RANGE, HeaderValue::from_str(version).unwrap());
        }
        wanted(&headers, "\"tag\"", 100)
    }

    #[test]
    fn one_range_is_understood() {
        for (range, part) in [
            ("bytes=0-9", Part::Between(0, 9)),
            ("bytes=90-", Part::Between(90, 99)),
            ("bytes=90-1000", Part::Between(90, 99)),
            ("bytes=-10", Part::Between(90, 99)),
            ("bytes=-1000", Part::Between(0, 99)),
            ("bytes=100-", Part::Outside),
            ("bytes=-0", Part::Outside),
        ] {
            assert_eq!(of_100(range, None), part, "{range}");
            assert_eq!(of_100(range, Some("\"tag\"")), part, "{range}");
        }
    }

    #[test]
    fn everything_else_means_the_whole() {
        for range in ["bytes=", "bytes=-", "bytes=9-0", "bytes=a-", "bytes=+1-2", "lines=0-9", "bytes=0-1,5-6", "0-9"] {
            assert_eq!(of_100(range, None), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_means_the_whole() {
        for version in ["\"other\"", "W/\"tag\"", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(of_100("bytes=0-9", Some(version)), Part::Whole, "{version}");
        }
    }
}
