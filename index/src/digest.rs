//! Digests: SHA-256 of bytes (`sha256:<64 hex>`) and of an unpacked tree (`t1:<64 hex>`).

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no digest: expected `{prefix}` and 64 lower-case hexadecimal digits", value.escape_debug())]
pub struct DigestError {
    prefix: &'static str,
    value: String,
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $type:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type([u8; 32]);

        impl $type {
            /// A digest that was computed elsewhere.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The 64 lower-case hexadecimal digits without the prefix.
            pub fn hex(&self) -> String {
                HEXLOWER.encode(&self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.hex())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let error = || DigestError { prefix: $prefix, value: text.to_owned() };
                let hex = text.strip_prefix($prefix).ok_or_else(error)?;
                let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(|_| error())?;
                Ok(Self(bytes.try_into().map_err(|_| error())?))
            }
        }

        impl TryFrom<String> for $type {
            type Error = DigestError;

            fn try_from(text: String) -> Result<Self, DigestError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(digest: $type) -> String {
                digest.to_string()
            }
        }
    };
}

digest_type!(
    /// The SHA-256 of some bytes; written `sha256:<64 hex>`.
    Digest,
    "sha256:"
);
digest_type!(
    /// The digest of an unpacked plugin's files; written `t1:<64 hex>`. See [`crate::tree`].
    TreeDigest,
    "t1:"
);

impl Digest {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

/// Computes a [`Digest`] over bytes that arrive in pieces.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Starts with no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes everything that is left in `reader`, by way of `piece`: 128 KiB are enough, more is not faster.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_all(&mut self, mut reader: impl Read, piece: &mut [u8]) -> io::Result<()> {
        loop {
            match reader.read(piece) {
                Ok(0) => return Ok(()),
                Ok(length) => self.update(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest of everything taken.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Bytes together with the digest that they have. Only digesting them makes one.
#[derive(Debug, Clone)]
pub struct Digested<'a> {
    bytes: Cow<'a, [u8]>,
    digest: Digest,
}

impl<'a> Digested<'a> {
    /// Digests `bytes`.
    pub fn of(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        Self { bytes, digest }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Bytes that arrive in pieces, kept and digested as they come.
#[derive(Clone, Default)]
pub struct Gathering {
    bytes: Vec<u8>,
    hasher: Hasher,
}

impl Gathering {
    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes were taken.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether none was taken yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The digest of what was taken so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// All of them, with their digest.
    pub fn finish(self) -> Digested<'static> {
        Digested { bytes: Cow::Owned(self.bytes), digest: self.hasher.finish() }
    }
}

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        assert_eq!(expected.parse::<Digest>(), Ok(Digest::of(b"abc")));
    }

    #[test]
    fn bytes_in_pieces_have_the_digest_of_the_whole() {
        let mut gathering = Gathering::default();
        gathering.take(b"a");
        gathering.take(b"bc");
        let digested = gathering.finish();
        assert_eq!((digested.bytes(), digested.digest()), (&b"abc"[..], Digest::of(b"abc")));
    }

    #[test]
    fn other_texts_are_refused() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for bad in
            [hex.to_owned(), format!("sha256:{}", hex.to_uppercase()), format!("sha256:{hex}0"), format!("t1:{hex}")]
        {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
