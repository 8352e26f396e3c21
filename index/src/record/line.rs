//! One line of an index file, byte for byte.
//!
//! The frame has exactly one spelling: it is written anew after parsing and compared, so that two readers cannot see two
//! things in it. The event inside is taken verbatim, for these are the bytes that were signed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::check::{EventError, check_event};
use super::{Event, Line};
use crate::digest::Digest;
use crate::json::parse_object;
use crate::signature::Signature;

/// 256 KiB. Real lines have 1 to 3; 64 archives with long lists of permissions stay under 64.
pub const MAX_LINE_BYTES: usize = 256 * 1024;
/// 16 signatures: as many as a plugin can have owners.
pub const MAX_SIGNATURES: usize = 16;
/// 2^53 - 1: the largest number that every JSON reader keeps exactly (RFC 8259, section 6).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a text is not a line of an index file.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is longer than [`MAX_LINE_BYTES`].
    #[error("the line has {bytes} bytes, at most {MAX_LINE_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A byte below 0x20: a line break would end the line, others have no place in JSON.
    #[error("byte {byte:#04x} at offset {offset} is a control character")]
    Control {
        /// Where it stands.
        offset: usize,
        /// The byte.
        byte: u8,
    },
    /// The line is not a JSON object of the expected fields.
    #[error("the line is no index line")]
    Frame(#[source] serde_json::Error),
    /// The line says the right thing in another spelling: spaces, another order of fields, extra fields.
    #[error(
        "the line is written another way from offset {offset} on: expected `{}`, found `{}`",
        expected.escape_debug(), found.escape_debug()
    )]
    Spelling {
        /// The first byte that differs.
        offset: usize,
        /// What the one spelling has there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A number above [`MAX_INTEGER`].
    #[error("`{field}` is {value}, at most {MAX_INTEGER} is allowed")]
    Integer {
        /// Which number.
        field: &'static str,
        /// The number.
        value: u64,
    },
    /// Nobody signed: absence of evidence is an error.
    #[error("the line has no signature")]
    NoSignatures,
    /// More signatures than [`MAX_SIGNATURES`].
    #[error("the line has {count} signatures, at most {MAX_SIGNATURES} are allowed")]
    TooManySignatures {
        /// How many it has.
        count: usize,
    },
    /// The event repeats a key, nests too deep, or has no `kind`.
    #[error("the event is not the JSON object it must be")]
    EventJson(#[source] serde_json::Error),
    /// The kind could break out of the domain that is signed with it.
    #[error("`{}` is no kind of event: expected lower-case letters and hyphens", value.escape_debug())]
    Kind {
        /// The kind.
        value: String,
    },
    /// The event lacks a field of its kind, or a field has another type.
    #[error("the event is no `{kind}` event")]
    EventFields {
        /// The kind it says it is.
        kind: String,
        /// What is missing or different.
        #[source]
        source: serde_json::Error,
    },
    /// The event's fields contradict each other or exceed a limit.
    #[error("the `{kind}` event is refused")]
    Event {
        /// Its kind.
        kind: String,
        /// Why.
        #[source]
        source: EventError,
    },
}

#[derive(Deserialize, Serialize)]
struct Frame<'a> {
    seq: u64,
    prev: Option<Digest>,
    log: u64,
    at: u64,
    #[serde(borrow)]
    event: &'a RawValue,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl Line {
    /// Reads a line, without its newline. Checks its form and limits, but no signature: [`super::History`] does that, for it
    /// takes the lines before to know who may sign.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        check_bytes(text)?;
        let frame: Frame<'_> = serde_json::from_str(text).map_err(LineError::Frame)?;
        check_spelling(&frame, text)?;
        for (field, value) in [("seq", frame.seq), ("log", frame.log), ("at", frame.at)] {
            if value > MAX_INTEGER {
                return Err(LineError::Integer { field, value });
            }
        }
        check_signature_count(frame.signatures.len())?;
        let (kind, event) = parse_event(frame.event.get())?;
        Ok(Self {
            seq: frame.seq,
            prev: frame.prev,
            log: frame.log,
            at: frame.at,
            kind,
            event_bytes: frame.event.get().to_owned(),
            event,
            signatures: frame.signatures,
            digest: Digest::of(text.as_bytes()),
        })
    }

    /// Frames a signed event. The result is parsed again, so that nothing is written that [`Line::parse`] would refuse.
    pub fn frame(place: Place, event: &str, signatures: Vec<Signature>) -> Result<Self, LineError> {
        check_bytes(event)?;
        let Place { seq, prev, log, at } = place;
        let raw: &RawValue = serde_json::from_str(event).map_err(LineError::EventJson)?;
        Self::parse(&write(&Frame { seq, prev, log, at, event: raw, signatures }))
    }

    /// The line as it stands in the file, without its newline.
    pub fn to_text(&self) -> String {
        let event = serde_json::from_str(&self.event_bytes).expect("a line's event was parsed as JSON");
        write(&Frame {
            seq: self.seq,
            prev: self.prev,
            log: self.log,
            at: self.at,
            event,
            signatures: self.signatures.clone(),
        })
    }
}

/// Where a line stands: in its file, in the log, in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 0 for the file's first line, then one more for each.
    pub seq: u64,
    /// The digest of the line before; none for the first.
    pub prev: Option<Digest>,
    /// The index of the line's leaf in the log.
    pub log: u64,
    /// Seconds since 1970-01-01 UTC.
    pub at: u64,
}

/// The event in a text that is about to be signed or was just received: form, limits and fields, no signatures.
pub(crate) fn parse_event(text: &str) -> Result<(String, Option<Event>), LineError> {
    let Kind { kind } = parse_object(text).map_err(LineError::EventJson)?;
    // The kind goes into the signed bytes in front of a newline: `x/v1\n…` would reach into another domain.
    if kind.is_empty() || kind.len() > 64 || !kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        return Err(LineError::Kind { value: kind });
    }
    if !is_known(&kind) {
        return Ok((kind, None));
    }
    let event = serde_json::from_str(text).map_err(|source| LineError::EventFields { kind: kind.clone(), source })?;
    check_event(&event).map_err(|source| LineError::Event { kind: kind.clone(), source })?;
    Ok((kind, Some(event)))
}

fn is_known(kind: &str) -> bool {
    matches!(kind, "release" | "yank" | "unyank" | "revoke" | "deprecate" | "owner-keys" | "owner-recovery")
}

fn check_bytes(text: &str) -> Result<(), LineError> {
    if text.len() > MAX_LINE_BYTES {
        return Err(LineError::TooLong { bytes: text.len() });
    }
    match text.bytes().enumerate().find(|(_, byte)| *byte < 0x20) {
        Some((offset, byte)) => Err(LineError::Control { offset, byte }),
        None => Ok(()),
    }
}

fn check_spelling(frame: &Frame<'_>, text: &str) -> Result<(), LineError> {
    let expected = write(frame);
    if expected == text {
        return Ok(());
    }
    let same = expected.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let offset = (0..=same).rev().find(|at| expected.is_char_boundary(*at)).unwrap_or(0);
    let excerpt = |text: &str| text[offset..].chars().take(24).collect();
    Err(LineError::Spelling { offset, expected: excerpt(&expected), found: excerpt(text) })
}

fn check_signature_count(count: usize) -> Result<(), LineError> {
    match count {
        0 => Err(LineError::NoSignatures),
        1..=MAX_SIGNATURES => Ok(()),
        _ => Err(LineError::TooManySignatures { count }),
    }
}

fn write(frame: &Frame<'_>) -> String {
    serde_json::to_string(frame).expect("a frame has text keys and whole numbers only")
}
