//! Private keys in PKCS#8 (RFC 5958, RFC 8410), as OpenSSL and other tools read and write them; with a passphrase in PBES2 with
//! scrypt and AES-256 (RFC 8018).

use pkcs8::der::Decode as _;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::pem::PemLabel as _;
use pkcs8::{
    AlgorithmIdentifierRef, EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
};
use pocket_index::signature::SecretKey;
use zeroize::Zeroizing;

/// `id-Ed25519` (RFC 8410).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// An OCTET STRING of 32 bytes, which stands inside another one (RFC 8410, section 7).
const SEED_HEAD: [u8; 2] = [0x04, 0x20];

/// Why a text is no private key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// Not PEM, or not PKCS#8 in it.
    #[error("this is no private key: expected `ed25519-secret:` and 64 hexadecimal digits, or PKCS#8 in PEM")]
    Shape,
    /// A key of another kind.
    #[error("this is a private key of another kind (object identifier {0}), expected Ed25519")]
    Algorithm(ObjectIdentifier),
    /// It cannot be decrypted: almost always the passphrase.
    #[error("the passphrase does not open the key")]
    Passphrase,
    /// It cannot be encoded.
    #[error("the key cannot be encoded")]
    Encode(#[source] pkcs8::Error),
}

/// A private key's text, with or without a passphrase.
pub fn write(key: &SecretKey, passphrase: Option<&str>) -> Result<Zeroizing<String>, PemError> {
    let mut octets = Zeroizing::new([0; 34]);
    octets[..2].copy_from_slice(&SEED_HEAD);
    octets[2..].copy_from_slice(key.expose_seed().as_slice());
    let octets = OctetStringRef::new(octets.as_slice()).map_err(|error| PemError::Encode(error.into()))?;
    let algorithm = AlgorithmIdentifierRef { oid: ED25519, parameters: None };
    let info = PrivateKeyInfoRef::new(algorithm, octets);
    let (document, label) = match passphrase {
        Some(passphrase) => (info.encrypt(passphrase), EncryptedPrivateKeyInfoRef::PEM_LABEL),
        None => (SecretDocument::encode_msg(&info).map_err(pkcs8::Error::from), PrivateKeyInfoRef::PEM_LABEL),
    };
    let text = document.and_then(|document| Ok(document.to_pem(label, LineEnding::LF)?));
    text.map_err(PemError::Encode)
}

/// Whether a text is a private key that needs a passphrase.
pub fn is_encrypted(text: &str) -> bool {
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

/// Reads a private key in PEM. The passphrase is asked for only if there is one.
pub fn read<E: From<PemError>>(
    text: &str,
    passphrase: impl FnOnce() -> Result<Zeroizing<String>, E>,
) -> Result<SecretKey, E> {
    let start = text.find("-----BEGIN ").ok_or(PemError::Shape)?;
    let (label, document) = SecretDocument::from_pem(&text[start..]).map_err(|_| PemError::Shape)?;
    let document = match label {
        EncryptedPrivateKeyInfoRef::PEM_LABEL => {
            let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| PemError::Shape)?;
            info.decrypt(passphrase()?.as_bytes()).map_err(|_| PemError::Passphrase)?
        }
        PrivateKeyInfoRef::PEM_LABEL => document,
        _ => return Err(PemError::Shape.into()),
    };
    Ok(seed(&document)?)
}

fn seed(document: &SecretDocument) -> Result<SecretKey, PemError> {
    let info = PrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|_| PemError::Shape)?;
    if info.algorithm.oid != ED25519 {
        return Err(PemError::Algorithm(info.algorithm.oid));
    }
    let seed = info.private_key.as_bytes().strip_prefix(&SEED_HEAD).ok_or(PemError::Shape)?;
    let seed: &[u8; 32] = seed.try_into().map_err(|_| PemError::Shape)?;
    Ok(SecretKey::from_seed(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519`; the seed is that of RFC 8032, test 1.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

    fn no_passphrase() -> Result<Zeroizing<String>, PemError> {
        panic!("nothing is encrypted")
    }

    #[test]
    fn a_key_has_the_bytes_that_openssl_writes() {
        let key = read(OPENSSL, no_passphrase).expect("a key");
        assert_eq!(
            key.public().to_string(),
            "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(write(&key, None).expect("it is encoded").as_str(), OPENSSL);
    }

    #[test]
    fn a_passphrase_opens_its_key_and_another_one_does_not() {
        let key = read(OPENSSL, no_passphrase).expect("a key");
        let text = write(&key, Some("correct horse")).expect("it is encrypted");
        assert!(is_encrypted(&text) && !is_encrypted(OPENSSL));
        let with = |passphrase: &str| {
            let passphrase = Zeroizing::new(passphrase.to_owned());
            read::<PemError>(&text, || Ok(passphrase))
        };
        assert_eq!(with("correct horse").expect("it opens").public(), key.public());
        assert!(matches!(with("battery staple"), Err(PemError::Passphrase)));
    }

    #[test]
    fn other_keys_and_damaged_texts_are_refused() {
        let rsa_like = OPENSSL.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu");
        assert!(matches!(read(&rsa_like, no_passphrase), Err(PemError::Algorithm(_))));
        for end in 0..OPENSSL.len() - 2 {
            assert!(read(&OPENSSL[..end], no_passphrase).is_err(), "{end} bytes");
        }
        assert!(matches!(read(&OPENSSL.replace("PRIVATE", "PUBLIC"), no_passphrase), Err(PemError::Shape)));
    }
}
