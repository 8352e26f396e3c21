//! A release whose publisher signed it: one signature binds the archives of all targets.

use pocket_index::digest::Digest;
use pocket_index::publish::MAX_HEADER_BYTES;
use pocket_index::record::ArchiveRecord;
use pocket_index::verify::{SignedRelease, VerifyError};

use super::error::DirectError;
use super::release::Found;
use super::{Direct, DirectArchive};
use crate::ops::OpsError;
use crate::ops::install::records::World;
use crate::project::{Basis, LockedArchive};
use crate::registry::forge::Asset;

impl Direct<'_> {
    /// Checks the signature, who made it, and the archive for this machine. The others are fetched where they are needed.
    pub(super) async fn add_signed(
        &self,
        world: &World<'_>,
        found: &Found,
        signature: &Asset,
        digests: &[Digest],
    ) -> Result<DirectArchive, OpsError> {
        let content = found.download(signature, MAX_HEADER_BYTES as u64).await?;
        let asset = || signature.name.clone();
        let signed =
            SignedRelease::check(&content).map_err(|source| DirectError::Signature { asset: asset(), source })?;
        let release = signed.release();
        // Another release's signature under this one's name would bring back an old version, or another plugin.
        if (&release.name, &release.version) != (&found.plugin, &found.version) {
            let reason = format!("it signs `{}` {}", release.name, release.version);
            return Err(DirectError::OtherContent { asset: asset(), reason }.into());
        }
        let refused = |archive: &str, source: VerifyError| OpsError::Unverified {
            archive: archive.to_owned(),
            source: Box::new(source),
        };
        let record = signed.archive_for(&self.target).map_err(|error| refused(&signature.name, error))?;
        let archive_asset = found.asset(&record.file)?;
        let content = found.download(archive_asset, record.size + 1).await?;
        let archive = signed
            .verify_archive(&self.target, &content, &self.limits)
            .map_err(|error| refused(&record.file, error))?;
        check_typed(&record.file, archive.digest(), digests)?;
        let archives =
            release.archives.iter().map(|record| locked_record(found, record)).collect::<Result<_, OpsError>>()?;
        self.check_signers(world, &found.repository, signed.signers())?;
        self.keep(&archive_asset.url, archive.digest(), &content)?;
        Ok(DirectArchive { archive, archives, basis: Basis::Signature, signers: signed.signers().to_vec() })
    }
}

/// What the lock says of an archive that was signed for.
fn locked_record(found: &Found, record: &ArchiveRecord) -> Result<LockedArchive, OpsError> {
    let asset = found.asset(&record.file)?;
    let archive =
        LockedArchive::new(record.target.clone(), record.file.clone(), record.size, record.sha256, record.tree);
    Ok(archive.at(asset.url.to_string()))
}

/// A digest that was typed counts beside every other evidence.
pub(super) fn check_typed(file: &str, found: Digest, typed: &[Digest]) -> Result<(), OpsError> {
    match typed.first() {
        Some(expected) if !typed.contains(&found) => {
            let source = Box::new(VerifyError::Digest { expected: *expected, found });
            Err(OpsError::Unverified { archive: file.to_owned(), source })
        }
        _ => Ok(()),
    }
}
