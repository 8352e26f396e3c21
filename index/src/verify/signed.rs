//! A release that stands alone: signed by its publisher, in no registry's index. `<name>-<version>.release.json` beside
//! the archives, for releases on a forge.
//!
//! The signatures are checked here; whether their keys are those of the plugin's publisher is the caller's to know.

use super::{Promise, VerifiedArchive, VerifyError, check_release_archive};
use crate::digest::Digested;
use crate::limits::Limits;
use crate::name::Target;
use crate::publish::{MAX_HEADER_BYTES, PublishError, PublishHeader};
use crate::record::{ArchiveRecord, Event, MAX_SIGNATURES, Release};
use crate::signature::{PublicKey, SignatureError, verify};

/// A release whose signatures hold.
#[derive(Debug, Clone)]
pub struct SignedRelease {
    release: Release,
    signers: Vec<PublicKey>,
}

/// Why bytes are no signed release.
#[derive(Debug, thiserror::Error)]
pub enum SignedReleaseError {
    /// The bytes are not what a publisher would send.
    #[error(transparent)]
    Header(#[from] PublishError),
    /// Another event than a release.
    #[error("it is a `{kind}` event, expected a `release`")]
    OtherKind {
        /// Its kind.
        kind: &'static str,
    },
    /// Nobody signed, or too many did.
    #[error("it has {count} signatures, expected 1 to {MAX_SIGNATURES}")]
    SignatureCount {
        /// How many it has.
        count: usize,
    },
    /// A signature that does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A key that everybody has.
    #[error("{key} is a development key that anybody can sign with")]
    DevelopmentKey {
        /// The key.
        key: PublicKey,
    },
}

impl SignedRelease {
    /// Checks the bytes of a `.release.json`: form, limits, and every signature.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(bytes: &[u8]) -> Result<Self, SignedReleaseError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(PublishError::TooLong { bytes: bytes.len() }.into());
        }
        let header: PublishHeader = serde_json::from_slice(bytes).map_err(PublishError::Json)?;
        let release = match header.event()? {
            Event::Release(release) => *release,
            other => return Err(SignedReleaseError::OtherKind { kind: other.kind() }),
        };
        let count = header.signatures.len();
        if !(1..=MAX_SIGNATURES).contains(&count) {
            return Err(SignedReleaseError::SignatureCount { count });
        }
        let mut signers = Vec::new();
        for signature in &header.signatures {
            // Its private half is published: with such a key anybody could have signed.
            if signature.key.is_development() {
                return Err(SignedReleaseError::DevelopmentKey { key: signature.key });
            }
            verify("release", &header.event, signature)?;
            signers.push(signature.key);
        }
        signers.sort();
        signers.dedup();
        Ok(Self { release, signers })
    }

    /// What was signed.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Who signed, sorted.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// The archive to fetch for a target.
    ///
    /// # Errors
    /// The release has none for the target, and none that runs everywhere.
    pub fn archive_for(&self, target: &Target) -> Result<&ArchiveRecord, VerifyError> {
        super::record_for(&self.release, target)
    }

    /// Checks an archive's bytes and everything in them against the release.
    ///
    /// # Errors
    /// Names the first thing that differs, with both values.
    pub fn verify_archive(
        &self,
        target: &Target,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<VerifiedArchive, VerifyError> {
        let promise = Promise::Signatures(self.signers.clone());
        check_release_archive(&self.release, self.archive_for(target)?, &Digested::of(bytes), limits, promise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Entry, pack};
    use crate::package::{Package, release_of};
    use crate::signature::{DEVELOPMENT_KEYS, SecretKey};

    const MANIFEST: &[u8] = b"name: geo\nversion: 1.0.0\nruntime: lua\nbinary: main.lua\nnodes:\n- type: geo\n";

    fn archive(script: &[u8]) -> Vec<u8> {
        let entry = |path: &str, content: &[u8]| Entry {
            path: path.parse().expect("a path"),
            executable: false,
            content: content.to_vec(),
        };
        pack(&[entry("main.lua", script), entry("manifest.yaml", MANIFEST)], &Limits::default()).expect("it packs")
    }

    fn header() -> PublishHeader {
        let package = Package::of_archive(archive(b"return 1"), &Limits::default()).expect("a package");
        let event = Event::from(release_of(&[package]).expect("one release")).to_text();
        let signatures = vec![SecretKey::from_seed(&[7; 32]).sign_event("release", &event)];
        PublishHeader { event, signatures }
    }

    fn check(header: &PublishHeader) -> Result<SignedRelease, SignedReleaseError> {
        SignedRelease::check(&serde_json::to_vec(header).expect("it is JSON"))
    }

    #[test]
    fn an_archive_counts_only_if_it_is_the_one_that_was_signed() {
        let signed = check(&header()).expect("it is signed");
        assert_eq!(signed.signers(), [SecretKey::from_seed(&[7; 32]).public()]);
        let verify = |bytes: &[u8]| signed.verify_archive(&Target::host(), bytes, &Limits::default());
        let good = verify(&archive(b"return 1")).expect("it is the archive");
        assert!(matches!(good.promise(), Promise::Signatures(_)));
        assert!(matches!(verify(&archive(b"return 2")), Err(VerifyError::Digest { .. })));
    }

    #[test]
    fn every_flipped_byte_is_refused() {
        let bytes = serde_json::to_vec(&header()).expect("it is JSON");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // A key's name or a space may change without a change of meaning; what was signed must not.
            let expected = SignedRelease::check(&bytes).expect("it is signed");
            if let Ok(taken) = SignedRelease::check(&changed) {
                assert_eq!((taken.release(), taken.signers()), (expected.release(), expected.signers()), "byte {at}");
            }
        }
    }

    #[test]
    fn what_nobody_signed_is_refused() {
        let unsigned = PublishHeader { signatures: Vec::new(), ..header() };
        assert!(matches!(check(&unsigned), Err(SignedReleaseError::SignatureCount { count: 0 })));
        let mut claimed = header();
        claimed.signatures[0].key = DEVELOPMENT_KEYS[0].parse().expect("a key");
        assert!(matches!(check(&claimed), Err(SignedReleaseError::DevelopmentKey { .. })));
        let event = r#"{"kind":"yank","name":"geo","version":"1.0.0","reason":"x"}"#.to_owned();
        let yank = PublishHeader { event, ..header() };
        assert!(matches!(check(&yank), Err(SignedReleaseError::OtherKind { kind: "yank" })));
    }
}
