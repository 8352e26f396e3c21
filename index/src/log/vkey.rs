//! Names and numbers of keys that sign notes, in the form of C2SP `signed-note`: `<name>+<8 hex>+<base64>`.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};

use crate::digest::Digest;
use crate::signature::PublicKey;

/// What a key's signature says; C2SP's number for it, in the key and in what its ID is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The text of a note, and nothing else.
    Ed25519 = 0x01,
    /// The text of a checkpoint, and when it was seen.
    CosignatureV1 = 0x04,
}

/// A key under a name, for one algorithm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamedKey {
    pub(super) name: String,
    pub(super) id: [u8; 4],
    pub(super) key: PublicKey,
}

/// Why a text is no key for notes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteKeyError {
    /// Another shape, or another algorithm.
    #[error(
        "`{}` is no key of a {owner}: expected `<name>+<8 hex digits>+<base64 of {algorithm:#04x} and an ed25519 key>`",
        value.escape_debug()
    )]
    Shape {
        /// What was given.
        value: String,
        /// Whose key it should be, in words.
        owner: &'static str,
        /// The byte before the key.
        algorithm: u8,
    },
    /// Names stand in signature lines between spaces, and before a `+` in keys.
    #[error("`{}` cannot name a key: expected 1 to 255 bytes without spaces, control characters and `+`", name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// The number in the middle is not the one that name and key give.
    #[error("the key of `{name}` has ID {found}, but its name and bytes give {expected}")]
    Id {
        /// The name.
        name: String,
        /// What name and bytes give.
        expected: String,
        /// What stands there.
        found: String,
    },
}

impl Algorithm {
    fn owner(self) -> &'static str {
        match self {
            Self::Ed25519 => "log",
            Self::CosignatureV1 => "witness",
        }
    }
}

impl NamedKey {
    pub(super) fn new(name: &str, key: PublicKey, algorithm: Algorithm) -> Result<Self, NoteKeyError> {
        if !is_name(name) {
            return Err(NoteKeyError::Name { name: name.to_owned() });
        }
        let mut message = format!("{name}\n").into_bytes();
        message.push(algorithm as u8);
        message.extend_from_slice(key.as_bytes());
        let [a, b, c, d, ..] = *Digest::of(&message).as_bytes();
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], key })
    }

    pub(super) fn parse(text: &str, algorithm: Algorithm) -> Result<Self, NoteKeyError> {
        let owner = algorithm.owner();
        let shape = || NoteKeyError::Shape { value: text.to_owned(), owner, algorithm: algorithm as u8 };
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(shape());
        };
        let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| shape())?;
        let key = bytes.strip_prefix(&[algorithm as u8]).ok_or_else(shape)?;
        let key = Self::new(name, PublicKey::from_bytes(key.try_into().map_err(|_| shape())?), algorithm)?;
        let expected = HEXLOWER.encode(&key.id);
        if id != expected {
            return Err(NoteKeyError::Id { name: name.to_owned(), expected, found: id.to_owned() });
        }
        Ok(key)
    }

    pub(super) fn write(&self, algorithm: Algorithm, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![algorithm as u8];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&bytes))
    }
}

/// 255 bytes: as long as a host name.
pub(super) fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}
