//! Signed notes: a text, an empty line, and signature lines. Format: C2SP `signed-note`.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};

use crate::digest::Digest;
use crate::signature::{PublicKey, SecretKey};

/// 64 KiB. A checkpoint with a hundred witnesses has 15.
const MAX_NOTE_BYTES: usize = 64 * 1024;
/// 100 signatures, the limit of the reference implementation.
const MAX_SIGNATURES: usize = 100;
/// C2SP's number for Ed25519, in the key and in what its ID is computed from.
const ED25519: u8 = 1;

/// A key that signs notes under a name; written as a C2SP vkey, `<name>+<8 hex>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

/// Signs notes.
#[derive(Debug)]
pub struct NoteSigner {
    key: NoteKey,
    secret: SecretKey,
}

/// Why a text is no key for notes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteKeyError {
    /// Another shape, or another algorithm than Ed25519.
    #[error("`{}` is no log key: expected `<name>+<8 hex digits>+<base64 of 0x01 and an ed25519 key>`", value.escape_debug())]
    Shape {
        /// What was given.
        value: String,
    },
    /// Names stand in signature lines between spaces, and before a `+` in keys.
    #[error("`{}` cannot name a log: expected 1 to 255 bytes without spaces, control characters and `+`", name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// The number in the middle is not the one that name and key give.
    #[error("the log key `{name}` has ID {found}, but its name and bytes give {expected}")]
    Id {
        /// The name.
        name: String,
        /// What name and bytes give.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// Why a note does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than 64 KiB.
    #[error("the signed note has {bytes} bytes, at most {MAX_NOTE_BYTES} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not a text, an empty line and signature lines.
    #[error("the signed note is malformed: {what}")]
    Malformed {
        /// What is wrong, in words.
        what: &'static str,
    },
    /// Nobody whom we know signed it.
    #[error("the note is not signed by {expected}; it is signed by [{}]", found.join(", ").escape_debug())]
    NotSigned {
        /// The key that should have.
        expected: NoteKey,
        /// The names and key IDs on its signature lines.
        found: Vec<String>,
    },
    /// The right key's signature is not over this text.
    #[error("the signature of {key} does not verify over the note's text")]
    Mismatch {
        /// The key.
        key: NoteKey,
    },
}

/// The text of a note, with its newline, if `key` signed it. Signatures of others, such as witnesses, are passed over.
pub(super) fn open<'a>(note: &'a str, key: &NoteKey) -> Result<&'a str, NoteError> {
    let (text, lines) = split(note)?;
    let mut names = Vec::new();
    let mut signed = false;
    for line in lines {
        let (name, bytes) = signature_line(line)?;
        let Some((id, signature)) = bytes.split_at_checked(4) else {
            return Err(NoteError::Malformed { what: "a signature is shorter than a key ID" });
        };
        names.push(format!("{name}+{}", HEXLOWER.encode(id)));
        if name == key.name && id == key.id {
            let signature = signature.try_into().map_err(|_| NoteError::Mismatch { key: key.clone() })?;
            if !key.key.verifies(text.as_bytes(), signature) {
                return Err(NoteError::Mismatch { key: key.clone() });
            }
            signed = true;
        }
    }
    if signed { Ok(text) } else { Err(NoteError::NotSigned { expected: key.clone(), found: names }) }
}

/// The text with its newline, and the signature lines.
pub(super) fn split(note: &str) -> Result<(&str, Vec<&str>), NoteError> {
    let malformed = |what| NoteError::Malformed { what };
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge { bytes: note.len() });
    }
    if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(malformed("it contains a control character"));
    }
    // The last empty line counts: the text may have empty lines of its own.
    let middle = note.rfind("\n\n").ok_or_else(|| malformed("no empty line stands before the signatures"))?;
    let (text, rest) = (&note[..=middle], &note[middle + 2..]);
    let lines = rest.strip_suffix('\n').ok_or_else(|| malformed("the last signature line has no newline"))?;
    let lines: Vec<_> = lines.split('\n').collect();
    if lines.len() > MAX_SIGNATURES {
        return Err(malformed("it has more than 100 signatures"));
    }
    Ok((text, lines))
}

fn signature_line(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let malformed = NoteError::Malformed { what: "a signature line is not `— <name> <base64>`" };
    let parts = line.strip_prefix("— ").and_then(|rest| rest.split_once(' '));
    let Some((name, base64)) = parts.filter(|(name, _)| is_name(name)) else { return Err(malformed) };
    BASE64.decode(base64.as_bytes()).map(|bytes| (name, bytes)).map_err(|_| malformed)
}

/// 255 bytes: as long as a host name.
fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

impl NoteKey {
    /// A key under a name. For a log, the name is its origin.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, NoteKeyError> {
        if !is_name(name) {
            return Err(NoteKeyError::Name { name: name.to_owned() });
        }
        let mut message = format!("{name}\n").into_bytes();
        message.push(ED25519);
        message.extend_from_slice(key.as_bytes());
        let [a, b, c, d, ..] = *Digest::of(&message).as_bytes();
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], key })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself.
    pub fn public(&self) -> PublicKey {
        self.key
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&bytes))
    }
}

impl FromStr for NoteKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let shape = || NoteKeyError::Shape { value: text.to_owned() };
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(shape());
        };
        let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| shape())?;
        let [ED25519, key @ ..] = bytes.as_slice() else { return Err(shape()) };
        let key = Self::new(name, PublicKey::from_bytes(key.try_into().map_err(|_| shape())?))?;
        let expected = HEXLOWER.encode(&key.id);
        if id != expected {
            return Err(NoteKeyError::Id { name: name.to_owned(), expected, found: id.to_owned() });
        }
        Ok(key)
    }
}

impl NoteSigner {
    /// Signs under `name` with `secret`.
    pub fn new(name: &str, secret: SecretKey) -> Result<Self, NoteKeyError> {
        Ok(Self { key: NoteKey::new(name, secret.public())?, secret })
    }

    /// The public half.
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// The signed note of a text, which must end with a newline.
    pub(super) fn sign(&self, text: &str) -> String {
        let mut bytes = self.key.id.to_vec();
        bytes.extend_from_slice(&self.secret.sign(text.as_bytes()));
        format!("{text}\n— {} {}\n", self.key.name, BASE64.encode(&bytes))
    }
}
