//! A release without a signature: every archive is fetched and shown, and its digest must be known or be trusted.

use bytes::Bytes;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::manifest::Manifest;
use pocket_index::name::Target;
use pocket_index::verify::VerifiedArchive;

use super::error::{DirectError, Unvouched};
use super::release::Found;
use super::signed::check_typed;
use super::{Direct, DirectArchive, locked_archive, verify};
use crate::ops::OpsError;
use crate::ops::install::Step;
use crate::ops::install::records::World;
use crate::project::{Basis, LockedArchive};
use crate::registry::forge::Asset;

/// 32 archives: one for each target of a release are rarely more than ten.
const MOST_ARCHIVES: usize = 32;
/// 512 MiB for all of them together.
const MOST_BYTES: u64 = 512 << 20;

/// One archive of the release, read.
struct Fetched<'f> {
    target: &'f Target,
    asset: &'f Asset,
    content: Bytes,
    archive: VerifiedArchive,
}

impl Direct<'_> {
    /// Fetches all archives, so that the lock serves every target, and asks for the evidence.
    pub(super) async fn add_unsigned(
        &self,
        world: &World<'_>,
        found: &Found,
        digests: &[Digest],
    ) -> Result<DirectArchive, OpsError> {
        if digests.is_empty()
            && let Some(pinned) = self.pinned(world, &found.repository)?.pop()
        {
            let (source_name, tag) = (found.repository.to_string(), found.tag.clone());
            return Err(DirectError::SignatureGone { source_name, tag, pinned }.into());
        }
        let host = &found.archive_for(&self.target)?.0;
        let mut fetched = fetch_all(found, &self.limits).await?;
        let basis = if digests.is_empty() {
            self.trust_once(unvouched(found, &fetched))?
        } else {
            let own = fetched.iter().find(|one| one.target == host).expect("the host's archive is among all");
            check_typed(&own.asset.name, own.archive.digest(), digests)?;
            leave_out_unknown(world, &mut fetched, digests);
            Basis::Digest
        };
        let archives = fetched.iter().map(locked).collect();
        let own = fetched.into_iter().find(|one| one.target == host).expect("the host's archive is kept");
        self.keep(&own.asset.url, own.archive.digest(), &own.content)?;
        Ok(DirectArchive { archive: own.archive, archives, basis, signers: Vec::new() })
    }
}

async fn fetch_all<'f>(found: &'f Found, limits: &Limits) -> Result<Vec<Fetched<'f>>, OpsError> {
    let bytes = found.archives.iter().map(|(_, asset)| asset.size).fold(0, u64::saturating_add);
    let count = found.archives.len();
    if count > MOST_ARCHIVES || bytes > MOST_BYTES {
        let (repository, tag) = (found.repository.clone(), found.tag.clone());
        return Err(DirectError::TooMuch { repository, tag, count, bytes }.into());
    }
    let mut fetched: Vec<Fetched<'f>> = Vec::new();
    for (target, asset) in &found.archives {
        let content = found.download(asset, limits.archive.min(MOST_BYTES)).await?;
        let archive = verify(&asset.name, &content, Digest::of(&content), limits)?;
        check_content(found, asset, &archive, fetched.first().map(|one| one.archive.manifest()))?;
        fetched.push(Fetched { target, asset, content, archive });
    }
    Ok(fetched)
}

/// The archive must be of the plugin, version and target that its name says, with the same manifest as the others: what is
/// resolved and approved for one target holds for all.
fn check_content(
    found: &Found,
    asset: &Asset,
    archive: &VerifiedArchive,
    first: Option<&Manifest>,
) -> Result<(), OpsError> {
    let other = |reason: String| Err(DirectError::OtherContent { asset: asset.name.clone(), reason }.into());
    let manifest = archive.manifest();
    if (&manifest.name, &manifest.version) != (&found.plugin, &found.version) {
        return other(format!("it is `{}` {}", manifest.name, manifest.version));
    }
    let named = locked_archive(archive).file;
    if named != asset.name {
        return other(format!("its contents make it `{named}`"));
    }
    match first.filter(|first| *first != manifest) {
        Some(_) => other("its manifest differs from that of another target's archive".to_owned()),
        None => Ok(()),
    }
}

/// Without a digest of its own, another target's archive does not get into the lock.
fn leave_out_unknown(world: &World<'_>, fetched: &mut Vec<Fetched<'_>>, digests: &[Digest]) {
    fetched.retain(|one| {
        let is_known = digests.contains(&one.archive.digest());
        if !is_known {
            let text = format!(
                "`{}` is not locked: its digest {} was not given; add it after a comma",
                one.asset.name,
                one.archive.digest().hex()
            );
            world.observer().step(Step::Warning { text });
        }
        is_known
    });
}

fn locked(fetched: &Fetched<'_>) -> LockedArchive {
    locked_archive(&fetched.archive).at(fetched.asset.url.to_string())
}

fn unvouched(found: &Found, fetched: &[Fetched<'_>]) -> Unvouched {
    let archives: Vec<_> = fetched.iter().map(|one| (one.asset.name.clone(), one.archive.digest())).collect();
    let digests: Vec<String> = archives.iter().map(|(_, digest)| digest.hex()).collect();
    let (repository, version) = (&found.repository, &found.version);
    Unvouched {
        source: format!("`{repository}` {version}"),
        archives,
        command: format!("pocket plugin install {repository}@{version}#sha256={}", digests.join(",")),
    }
}
