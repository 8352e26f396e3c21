//! The body of `PUT <api>publish`: a length, a JSON header with the signed event, and the archives' bytes.
//!
//! ```text
//! 4 bytes            length of the header, big-endian
//! header             {"event":"<the event's JSON as a string>","signatures":[{"key":"ed25519:…","sig":"…"}]}
//! archives           the bytes of each archive, in the order in which the event lists them, nothing between them
//! ```

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::{objects, parse_object};
use crate::record::{Event, LineError, MAX_LINE_BYTES, parse_event};
use crate::signature::Signature;

/// 1 MiB: a line's limit, four times, for the event stands in it as an escaped string.
pub const MAX_HEADER_BYTES: usize = 4 * MAX_LINE_BYTES;

/// The signed event that a publisher sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishHeader {
    /// The event's bytes, verbatim, as they were signed.
    pub event: String,
    /// Who signed them.
    #[serde(deserialize_with = "objects")]
    pub signatures: Vec<Signature>,
}

/// What the registry answers with status 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishReceipt {
    /// The index of the line's leaf in the log.
    pub log: u64,
    /// The line's digest.
    pub digest: Digest,
}

/// What the registry answers with any other status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// A word that programs may rely on.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Why bytes are no header.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The body ends before its header does.
    #[error("the body ends after {found} bytes, its header needs {expected}")]
    Truncated {
        /// 4 and the length that they state.
        expected: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// The header is longer than [`MAX_HEADER_BYTES`].
    #[error("the header has {bytes} bytes, at most {MAX_HEADER_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The header is not the expected JSON.
    #[error("the header is malformed")]
    Json(#[source] serde_json::Error),
    /// The event inside is malformed.
    #[error("the event is refused")]
    Event(#[from] LineError),
    /// An event of a kind that this registry does not know: it could not check it.
    #[error("this registry does not know events of kind `{kind}`")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
}

impl PublishHeader {
    /// The header with its length in front: the body's first part.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a header has text keys only");
        let length = u32::try_from(json.len()).expect("a header stays under a MiB");
        [&length.to_be_bytes(), json.as_slice()].concat()
    }

    /// The length of the header that the body's first four bytes state.
    pub fn length(first: [u8; 4]) -> Result<usize, PublishError> {
        let bytes = u32::from_be_bytes(first) as usize;
        if bytes > MAX_HEADER_BYTES { Err(PublishError::TooLong { bytes }) } else { Ok(bytes) }
    }

    /// Reads the header at the start of a body, and gives the bytes after it.
    pub fn decode(body: &[u8]) -> Result<(Self, &[u8]), PublishError> {
        let truncated = |expected| PublishError::Truncated { expected, found: body.len() };
        let (first, rest) = body.split_first_chunk::<4>().ok_or_else(|| truncated(4))?;
        let length = Self::length(*first)?;
        let (json, archives) = rest.split_at_checked(length).ok_or_else(|| truncated(4 + length))?;
        let text = str::from_utf8(json).map_err(|error| PublishError::Json(serde_json::Error::custom(error)))?;
        Ok((parse_object(text).map_err(PublishError::Json)?, archives))
    }

    /// The event inside, with its form and limits checked. Its signatures are checked where it is appended.
    pub fn event(&self) -> Result<Event, PublishError> {
        let (kind, event) = parse_event(&self.event)?;
        event.ok_or(PublishError::UnknownKind { kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SecretKey;

    fn header() -> PublishHeader {
        let event = r#"{"kind":"yank","name":"redis","version":"1.0.0","reason":"a \"quoted\" reason"}"#.to_owned();
        let signatures = vec![SecretKey::from_seed(&[1; 32]).sign_event("yank", &event)];
        PublishHeader { event, signatures }
    }

    #[test]
    fn a_header_keeps_the_events_bytes_and_gives_the_rest() {
        let body = [header().encode(), b"archive".to_vec()].concat();
        let (back, rest) = PublishHeader::decode(&body).expect("just encoded");
        assert_eq!((back, rest), (header(), b"archive".as_slice()));
        assert_eq!(header().event().expect("a yank").kind(), "yank");
    }

    #[test]
    fn header_and_signatures_are_objects() {
        let decode = |json: &str| {
            let length = u32::try_from(json.len()).expect("it is short").to_be_bytes();
            PublishHeader::decode(&[&length, json.as_bytes()].concat()).map(|(header, _)| header)
        };
        assert!(decode(r#"{"event":"","signatures":[]}"#).is_ok());
        let key = SecretKey::from_seed(&[1; 32]).public();
        for bad in [
            r#"["",[]]"#.to_owned(),
            format!(r#"{{"event":"","signatures":[["{key}",""]]}}"#),
            r#"{"event":"","signatures":[],"more":1,"more":2}"#.to_owned(),
        ] {
            assert!(matches!(decode(&bad), Err(PublishError::Json(_))), "{bad}");
        }
    }

    #[test]
    fn every_cut_of_a_header_is_refused() {
        let body = header().encode();
        for end in 0..body.len() {
            assert!(matches!(PublishHeader::decode(&body[..end]), Err(PublishError::Truncated { .. })), "{end}");
        }
    }

    #[test]
    fn a_header_that_claims_four_gigabytes_is_refused_before_it_is_read() {
        assert!(matches!(PublishHeader::decode(&[0xff; 8]), Err(PublishError::TooLong { .. })));
    }

    #[test]
    fn an_event_of_an_unknown_kind_is_not_published() {
        let header = PublishHeader { event: r#"{"kind":"party"}"#.to_owned(), signatures: Vec::new() };
        assert!(matches!(header.event(), Err(PublishError::UnknownKind { .. })));
    }
}
