//! `plugin publish`: pack, describe, sign, upload, and see that it can be installed.

use std::path::PathBuf;

use pocket_index::digest::Digest;
use pocket_index::package::{self, Package};
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, Release};
use pocket_index::signature::{PublicKey, SecretKey};
use semver::Version;

use super::announce::sign;
use super::{OpsError, Reach, Workspace, pack};

/// Whether a publish is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// It is.
    Upload,
    /// Everything is checked and signed, nothing is sent.
    DryRun,
}

/// A release that was signed, and perhaps published.
#[derive(Debug, Clone)]
pub struct Published {
    /// What was signed.
    pub release: Release,
    /// Who signed.
    pub keys: Vec<PublicKey>,
    /// The registry it went to.
    pub registry: String,
    /// Its place in the registry's log; none if nothing was sent.
    pub log: Option<u64>,
}

/// What is published.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    /// A folder, a single file, or archives of one version.
    pub sources: &'a [PathBuf],
    /// The version that it must have. A single file without a manifest gets it.
    pub version: Option<&'a Version>,
}

/// Publishes a plugin. Every key signs.
///
/// # Errors
/// It is no plugin, has another version than was said, nobody may sign, or the registry refuses it.
pub async fn publish(
    workspace: &Workspace,
    what: Publish<'_>,
    secrets: impl FnOnce() -> Result<Vec<SecretKey>, OpsError>,
    reach: &Reach,
    sending: Sending,
) -> Result<Published, OpsError> {
    let mut packages = Vec::new();
    for source in what.sources {
        packages.extend(pack::packages_of(source, what.version)?);
    }
    let first = what.sources.first().cloned().unwrap_or_default();
    let release =
        package::release_of(&packages).map_err(|source| OpsError::Package { path: first, source: Box::new(source) })?;
    if let Some(wanted) = what.version.filter(|wanted| **wanted != release.version) {
        let (name, found) = (release.name.clone(), release.version.clone());
        return Err(OpsError::OtherVersion { name, found, wanted: wanted.clone() });
    }
    let registry = workspace.open_registry(reach).await?;
    registry.remember()?;

    // Only now: nobody types a passphrase for what cannot be packed.
    let secrets = secrets()?;
    let header = sign(&Event::from(release.clone()), &secrets);
    let keys = secrets.iter().map(SecretKey::public).collect();
    let mut published = Published { release, keys, registry: registry.location().to_string(), log: None };
    if sending == Sending::Upload {
        let answer = registry.publish(body(&header, &packages, &published.release)).await?;
        published.log = answer["log"].as_u64();
        see_it(workspace, reach, &published.release).await?;
    }
    Ok(published)
}

/// The header, then the archives in the event's order.
fn body(header: &PublishHeader, packages: &[Package], release: &Release) -> Vec<u8> {
    let mut body = header.encode();
    for record in &release.archives {
        let package = packages.iter().find(|package| package.target == record.target);
        body.extend_from_slice(&package.expect("the event was made from these packages").bytes);
    }
    body
}

/// Reads the registry again, as a client would: a publish counts once it can be installed.
async fn see_it(workspace: &Workspace, reach: &Reach, release: &Release) -> Result<(), OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let history = registry.history(&release.name).await?;
    let entry = history.as_ref().and_then(|history| history.release(&release.version));
    let invisible = || OpsError::NotVisible { name: release.name.clone(), version: release.version.clone() };
    let entry = entry.ok_or_else(invisible)?;
    let digests = |release: &Release| release.archives.iter().map(|archive| archive.sha256).collect::<Vec<Digest>>();
    if digests(entry.release()) != digests(release) {
        return Err(invisible());
    }
    registry.release(history.as_ref().expect("its entry was found above"), &release.version).await?;
    Ok(registry.remember()?)
}
