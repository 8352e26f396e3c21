//! A release line at first sight: where it stands, what it is about and who is said to have signed it.
//!
//! Most lines of a file are releases that nobody will install. Reading one in full takes a JSON parser several times and a
//! signature check; a sketch takes a look at the line's two ends, which have one spelling.

use semver::Version;

use super::line::{MAX_INTEGER, MAX_LINE_BYTES, MAX_SIGNATURES, Place};
use crate::signature::PublicKey;

/// What a release line says without having been read in full. Nothing in it is proven.
pub(super) struct Sketch<'a> {
    pub place: Place,
    pub name: &'a str,
    pub version: Version,
    /// In the order of the line.
    pub signers: Vec<PublicKey>,
}

impl<'a> Sketch<'a> {
    /// None for whatever is not a release spelled in the plainest way: that line has to be read in full, which finds
    /// out whether it is right.
    pub fn of(line: &'a str) -> Option<Self> {
        if line.len() > MAX_LINE_BYTES || has_control_character(line) {
            return None;
        }
        let (place, rest) = place(line)?;
        let (event, signers) = split_signatures(rest.strip_prefix(r#","event":"#)?)?;
        let rest = event.strip_prefix(r#"{"kind":"release","name":""#)?;
        let (name, rest) = rest.split_once('"')?;
        let (version, rest) = rest.strip_prefix(r#","version":""#)?.split_once('"')?;
        let version: Version = version.parse().ok().filter(|version: &Version| version.build.is_empty())?;
        let goes_on = rest.starts_with(',') && rest.ends_with('}');
        goes_on.then_some(Self { place, name, version, signers })
    }
}

/// Looks at every byte whatever it finds, which compilers turn into vector instructions.
fn has_control_character(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte < 0x20))
}

fn place(line: &str) -> Option<(Place, &str)> {
    let (seq, rest) = number(line.strip_prefix(r#"{"seq":"#)?)?;
    let rest = rest.strip_prefix(r#","prev":"#)?;
    let (prev, rest) = match rest.strip_prefix("null") {
        Some(rest) => (None, rest),
        None => {
            let (digest, rest) = rest.strip_prefix('"')?.split_once('"')?;
            (Some(digest.parse().ok()?), rest)
        }
    };
    let (log, rest) = number(rest.strip_prefix(r#","log":"#)?)?;
    let (at, rest) = number(rest.strip_prefix(r#","at":"#)?)?;
    Some((Place { seq, prev, log, at }, rest))
}

/// A number in its one spelling.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let is_plain = digits == "0" || !digits.starts_with('0');
    let value = digits.parse().ok().filter(|value| is_plain && *value <= MAX_INTEGER)?;
    Some((value, rest))
}

const SIGNATURES: &str = r#","signatures":["#;
const KEY: &str = r#"{"key":""#;
const SIG: &str = r#"","sig":""#;
/// `ed25519:` and 64 digits.
const KEY_BYTES: usize = 72;
const SIG_BYTES: usize = 128;
const SIGNATURE_BYTES: usize = KEY.len() + KEY_BYTES + SIG.len() + SIG_BYTES + r#""}"#.len();

/// Takes the signatures off a line's end: each has the same length. What is left is the event.
fn split_signatures(rest: &str) -> Option<(&str, Vec<PublicKey>)> {
    let mut rest = rest.strip_suffix("]}")?;
    let mut signers = Vec::with_capacity(1);
    loop {
        let (before, signature) = rest.split_at_checked(rest.len().checked_sub(SIGNATURE_BYTES)?)?;
        signers.push(signer(signature)?);
        if let Some(event) = before.strip_suffix(SIGNATURES) {
            signers.reverse();
            return (signers.len() <= MAX_SIGNATURES).then_some((event, signers));
        }
        rest = before.strip_suffix(',')?;
    }
}

fn signer(signature: &str) -> Option<PublicKey> {
    let (key, rest) = signature.strip_prefix(KEY)?.split_at_checked(KEY_BYTES)?;
    let digits = rest.strip_prefix(SIG)?.strip_suffix(r#""}"#)?;
    let is_hex = digits.bytes().fold(true, |all, byte| all & matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex { key.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Event, Line};
    use crate::testing::{key, release};

    fn line(signers: &[u8]) -> String {
        let event = Event::from(release("redis", "1.0.0-rc.1")).to_text();
        let prev = Some(crate::digest::Digest::of(b"before"));
        let place = Place { seq: 7, prev, log: 70, at: 1_790_000_000 };
        let signatures = signers.iter().map(|seed| key(*seed).sign_event("release", &event)).collect();
        Line::frame(place, &event, signatures).expect("well-formed").to_text()
    }

    #[test]
    fn a_sketch_sees_what_the_full_line_says() {
        for signers in [&[1][..], &[2, 1, 3]] {
            let text = line(signers);
            let full = Line::parse(&text).expect("just framed");
            let sketch = Sketch::of(&text).expect("the plainest spelling");
            let Place { seq, prev, log, at } = sketch.place;
            assert_eq!((seq, prev, log, at), (full.seq, full.prev, full.log, full.at));
            assert_eq!((sketch.name, sketch.version.to_string().as_str()), ("redis", "1.0.0-rc.1"));
            assert_eq!(sketch.signers, full.signatures.iter().map(|one| one.key).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_spelled_in_another_way_is_left_to_the_full_reader() {
        let text = line(&[1]);
        for (from, to) in [
            ("{\"seq\":7", "{\"seq\":07"),
            ("{\"seq\":7", "{\"seq\": 7"),
            ("{\"seq\":7", "{\"seq\":9007199254740992"),
            ("\"sha256:", "\"SHA256:"),
            ("\"kind\":\"release\"", "\"kind\":\"yank\""),
            ("{\"kind\"", "{ \"kind\""),
            ("\"1.0.0-rc.1\"", "\"1.0.0+build\""),
            ("\"signatures\":[", "\"signatures\":[ "),
            ("ed25519:", "ed25518:"),
            ("A plugin", "A\u{1}plugin"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Sketch::of(&text.replacen(from, to, 1)).is_none(), "{to}");
        }
        for end in 0..text.len() {
            assert!(Sketch::of(&text[..end]).is_none(), "cut at {end}");
        }
    }

    #[test]
    fn a_sketch_is_made_of_nothing_that_the_full_reader_reads_differently() {
        let text = line(&[1, 2]);
        for at in 0..text.len() {
            for bit in [0x01, 0x04, 0x10, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= bit;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                let (Some(sketch), Ok(full)) = (Sketch::of(&changed), Line::parse(&changed)) else { continue };
                let Some(Event::Release(release)) = full.event else { panic!("byte {at}: {changed}") };
                assert_eq!((sketch.name, &sketch.version), (release.name.as_str(), &release.version), "byte {at}");
                assert_eq!((sketch.place.seq, sketch.place.prev), (full.seq, full.prev), "byte {at}");
                assert_eq!((sketch.place.log, sketch.place.at), (full.log, full.at), "byte {at}");
                assert_eq!(sketch.signers, full.signatures.iter().map(|one| one.key).collect::<Vec<_>>());
            }
        }
    }
}
