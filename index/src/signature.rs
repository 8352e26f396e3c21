//! Ed25519 keys and signatures: written `ed25519:<64 hex>`, verified strictly, separated by domain.
//!
//! What is signed is never the event alone but `pocket/<kind>/v1`, a newline and the event's bytes, so that a signature
//! for one purpose cannot be shown for another.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::Digest;

/// Public keys whose private halves are published with the source, for the bundled example plugins.
///
/// Anybody can sign with them. An event with such a signature counts only if its line is compiled into the program; see
/// [`crate::record::Policy`].
pub const DEVELOPMENT_KEYS: &[&str] = &[
    "ed25519:85b97bdb5aa0b5e30b66329a560a4421e4ab5e67058fd3f36ee7d7dfd93f15e7",
    "ed25519:27ad3d67963495e60866879248569cde3f782c6dca1dbd961ab24c305a978c5e",
];

const PUBLIC_PREFIX: &str = "ed25519:";
const SECRET_PREFIX: &str = "ed25519-secret:";

/// A public key; written `ed25519:<64 hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

/// Why a text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no public key: expected `ed25519:` and 64 lower-case hexadecimal digits", value.escape_debug())]
pub struct PublicKeyError {
    value: String,
}

/// A signature over an event, with the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Who signed.
    pub key: PublicKey,
    /// 128 lower-case hexadecimal digits.
    pub sig: String,
}

/// What people compare: `SHA256:` and the base64 of the key's digest, as `ssh-keygen -l` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// A private key; written `ed25519-secret:<64 hex>`. Wiped from memory when dropped, never shown by `Debug`.
pub struct SecretKey(SigningKey);

/// Why there is no private key.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The text has another shape. It is not repeated: it may be a mistyped secret.
    #[error("this is no private key: expected `ed25519-secret:` and 64 lower-case hexadecimal digits")]
    Shape,
    /// The system has no randomness to give.
    #[error("the system gave no random bytes for a new key")]
    Random(#[source] getrandom::Error),
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is not written as 128 lower-case hexadecimal digits.
    #[error("the signature `{}` of {key} is malformed: expected 128 lower-case hexadecimal digits", value.escape_debug())]
    Shape {
        /// Who is said to have signed.
        key: PublicKey,
        /// What stands there.
        value: String,
    },
    /// The key's 32 bytes are no point of the curve.
    #[error("{key} cannot be a public key: its bytes are no point of the curve")]
    NoPoint {
        /// The key.
        key: PublicKey,
    },
    /// The signature is not the key's over these bytes.
    #[error("the signature of {key} ({}) does not verify over this `{kind}` event", key.fingerprint())]
    Mismatch {
        /// Who is said to have signed.
        key: PublicKey,
        /// The kind of event that was said to be signed.
        kind: String,
    },
}

/// Checks one signature over an event's bytes.
///
/// Strict as of RFC 8032 and more: keys and signatures of small order, which would verify over more than one message, are
/// refused.
pub fn verify(kind: &str, event: &str, signature: &Signature) -> Result<(), SignatureError> {
    let key = signature.key;
    let shape = || SignatureError::Shape { key, value: signature.sig.clone() };
    let bytes = HEXLOWER.decode(signature.sig.as_bytes()).map_err(|_| shape())?;
    let bytes: [u8; 64] = bytes.try_into().map_err(|_| shape())?;
    let point = VerifyingKey::from_bytes(&key.0).map_err(|_| SignatureError::NoPoint { key })?;
    point
        .verify_strict(&message(kind, event), &ed25519_dalek::Signature::from_bytes(&bytes))
        .map_err(|_| SignatureError::Mismatch { key, kind: kind.to_owned() })
}

fn message(kind: &str, event: &str) -> Vec<u8> {
    format!("pocket/{kind}/v1\n{event}").into_bytes()
}

impl PublicKey {
    /// A key from its 32 bytes (RFC 8032).
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The short form for people.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*Digest::of(&self.0).as_bytes())
    }

    /// Whether everybody has the private half; see [`DEVELOPMENT_KEYS`].
    pub fn is_development(&self) -> bool {
        DEVELOPMENT_KEYS.contains(&self.to_string().as_str())
    }

    /// Checks a signature over bytes that carry their own domain, such as a signed note.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)))
            .is_ok()
    }
}

impl SecretKey {
    /// A new key from the system's randomness.
    pub fn generate() -> Result<Self, SecretKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(SecretKeyError::Random)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a 32-byte seed (RFC 8032's private key).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The written form, for a file that only its owner can read.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SECRET_PREFIX.len() + 64));
        text.push_str(SECRET_PREFIX);
        HEXLOWER.encode_append(self.0.as_bytes(), &mut text);
        text
    }

    /// The 32-byte seed, for the formats of other tools.
    pub fn expose_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs an event's bytes, exactly as they will stand in the index.
    pub fn sign_event(&self, kind: &str, event: &str) -> Signature {
        Signature { key: self.public(), sig: HEXLOWER.encode(&self.sign(&message(kind, event))) }
    }

    /// Signs bytes that carry their own domain, such as a signed note.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl FromStr for SecretKey {
    type Err = SecretKeyError;

    fn from_str(text: &str) -> Result<Self, SecretKeyError> {
        let hex = text.strip_prefix(SECRET_PREFIX).ok_or(SecretKeyError::Shape)?;
        let bytes = Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).map_err(|_| SecretKeyError::Shape)?);
        let mut seed = Zeroizing::new([0; 32]);
        if bytes.len() != seed.len() {
            return Err(SecretKeyError::Shape);
        }
        seed.copy_from_slice(&bytes);
        Ok(Self::from_seed(&seed))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({SECRET_PREFIX}…, public {})", self.public())
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let error = || PublicKeyError { value: text.to_owned() };
        let hex = text.strip_prefix(PUBLIC_PREFIX).ok_or_else(error)?;
        let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(|_| error())?;
        Ok(Self(bytes.try_into().map_err(|_| error())?))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, PublicKeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", BASE64_NOPAD.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(&[seed; 32])
    }

    #[test]
    fn a_key_is_the_one_rfc_8032_gives_for_its_seed() {
        let seed = "ed25519-secret:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let secret: SecretKey = seed.parse().expect("test 1 of RFC 8032");
        assert_eq!(secret.public().to_string(), public);
        assert_eq!(secret.to_text().as_str(), seed);
    }

    #[test]
    fn a_signature_counts_for_its_kind_bytes_and_key_alone() {
        let good = key(1).sign_event("yank", r#"{"kind":"yank"}"#);
        assert_eq!(verify("yank", r#"{"kind":"yank"}"#, &good), Ok(()));

        let other_key = Signature { key: key(2).public(), sig: good.sig.clone() };
        for (kind, event, signature) in [
            ("revoke", r#"{"kind":"yank"}"#, &good),
            ("yank", r#"{"kind":"yank" }"#, &good),
            ("yank", r#"{"kind":"yank"}"#, &other_key),
        ] {
            let error = verify(kind, event, signature).expect_err("one of the three differs");
            assert_eq!(error, SignatureError::Mismatch { key: signature.key, kind: kind.to_owned() });
        }
    }

    #[test]
    fn every_changed_digit_of_a_signature_is_refused() {
        let good = key(1).sign_event("yank", "{}");
        for at in 0..good.sig.len() {
            let mut text = good.sig.clone().into_bytes();
            text[at] = if text[at] == b'0' { b'1' } else { b'0' };
            let sig = String::from_utf8(text).expect("still ASCII");
            assert!(verify("yank", "{}", &Signature { key: good.key, sig }).is_err(), "digit {at}");
        }
        let upper = Signature { key: good.key, sig: good.sig.to_uppercase() };
        assert!(matches!(verify("yank", "{}", &upper), Err(SignatureError::Shape { .. })));
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The identity as key and as R with S = 0 satisfies the plain equation for every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut sig = [0; 64];
        sig[0] = 1;
        let forged = Signature { key: PublicKey::from_bytes(identity), sig: HEXLOWER.encode(&sig) };
        assert!(verify("release", "anything", &forged).is_err());
    }

    #[test]
    fn a_private_key_does_not_appear_in_debug_or_errors() {
        let secret = key(7);
        assert!(!format!("{secret:?}").contains(&secret.to_text()[SECRET_PREFIX.len()..]));
        let error = "ed25519-secret:abc".parse::<SecretKey>().expect_err("too short");
        assert!(!error.to_string().contains("abc"), "{error}");
    }

    #[test]
    fn two_generated_keys_differ() {
        let make = || SecretKey::generate().expect("the system has randomness").public();
        assert_ne!(make(), make());
    }

    #[test]
    fn the_fingerprint_is_the_digest_of_the_key_in_base64() {
        let text = key(1).public().fingerprint().to_string();
        assert_eq!(text.len(), "SHA256:".len() + 43);
        assert!(text.starts_with("SHA256:"), "{text}");
    }
}
