//! Signed notes: a text, an empty line, and signature lines. Format: C2SP `signed-note`.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};

use super::cosignature;
use super::vkey::{Algorithm, NamedKey, NoteKeyError, is_name};
use crate::signature::{PublicKey, SecretKey};

/// 64 KiB. A checkpoint with a hundred witnesses has 15.
const MAX_NOTE_BYTES: usize = 64 * 1024;
/// 100 signatures, the limit of the reference implementation.
const MAX_SIGNATURES: usize = 100;

/// A key that signs notes under a name; written as a C2SP vkey, `<name>+<8 hex>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey(NamedKey);

/// Signs notes.
#[derive(Debug)]
pub struct NoteSigner {
    key: NoteKey,
    secret: SecretKey,
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

/// One signature of a note: who, and what.
pub(super) struct SignatureLine<'a> {
    /// The signer's name.
    pub(super) name: &'a str,
    /// The number of its key.
    pub(super) id: [u8; 4],
    /// What follows the number; its form is the algorithm's matter.
    pub(super) signature: Vec<u8>,
}

/// The text of a note, with its newline, if `key` signed it. Signatures of others, such as witnesses, are passed over.
pub(super) fn open<'a>(note: &'a str, key: &NoteKey) -> Result<&'a str, NoteError> {
    let (text, lines) = split(note)?;
    let mut names = Vec::new();
    let mut signed = false;
    for line in &lines {
        names.push(format!("{}+{}", line.name, HEXLOWER.encode(&line.id)));
        if line.is_of(&key.0) {
            let signature = line.signature.as_slice().try_into();
            if !signature.is_ok_and(|signature| key.0.key.verifies(text.as_bytes(), signature)) {
                return Err(NoteError::Mismatch { key: key.clone() });
            }
            signed = true;
        }
    }
    if signed { Ok(text) } else { Err(NoteError::NotSigned { expected: key.clone(), found: names }) }
}

/// The text with its newline, and the signature lines.
pub(super) fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
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
    Ok((text, lines.into_iter().map(signature_line).collect::<Result<_, _>>()?))
}

fn signature_line(line: &str) -> Result<SignatureLine<'_>, NoteError> {
    let malformed = NoteError::Malformed { what: "a signature line is not `— <name> <base64>`" };
    let parts = line.strip_prefix("— ").and_then(|rest| rest.split_once(' '));
    let Some((name, base64)) = parts.filter(|(name, _)| is_name(name)) else { return Err(malformed) };
    let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| malformed)?;
    let (id, signature) =
        bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed { what: "a signature is shorter than a key ID" })?;
    Ok(SignatureLine { name, id: *id, signature: signature.to_vec() })
}

/// A signature as it stands in a note.
pub(super) fn write_signature(key: &NamedKey, signature: &[u8]) -> String {
    SignatureLine { name: &key.name, id: key.id, signature: signature.to_vec() }.to_text()
}

impl SignatureLine<'_> {
    /// The line as it stood in the note, with its newline: base64 has one spelling.
    pub(super) fn to_text(&self) -> String {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        format!("— {} {}\n", self.name, BASE64.encode(&bytes))
    }

    /// Whether it says that it is of this key. Names and numbers are no evidence, they only tell what to try.
    pub(super) fn is_of(&self, key: &NamedKey) -> bool {
        self.name == key.name && self.id == key.id
    }
}

impl NoteKey {
    /// A key under a name. For a log, the name is its origin.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, NoteKeyError> {
        // Under this name, the text of a checkpoint could pass for what a cosigner signs.
        if name == cosignature::DOMAIN {
            return Err(NoteKeyError::Name { name: name.to_owned() });
        }
        NamedKey::new(name, key, Algorithm::Ed25519).map(Self)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The key itself.
    pub fn public(&self) -> PublicKey {
        self.0.key
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(Algorithm::Ed25519, f)
    }
}

impl FromStr for NoteKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let key = NamedKey::parse(text, Algorithm::Ed25519)?;
        Self::new(&key.name, key.key)
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
        format!("{text}\n{}", write_signature(&self.key.0, &self.secret.sign(text.as_bytes())))
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }
}
