//! `plugin publish`: pack, describe, sign, upload, and see that it can be installed; or let it wait for other people's signatures.

mod approve;
mod error;
mod reject;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pocket_index::digest::Digest;
use pocket_index::package::{self, Package};
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, Release};
use pocket_index::signature::{PublicKey, SecretKey};
use pocket_index::staged::StagedRelease;
use semver::Version;

use super::announce::sign;
use super::{OpsError, Reach, Workspace, pack};
use crate::registry::{RegistryError, TransportError};

pub use approve::{Approval, Approve, Review, approve, staged};
pub use error::PublishError;
pub use reject::{Rejected, reject};

/// The first pause before a registry is asked whether it shows a release; they get longer.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What becomes of a release that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// It is published.
    Upload,
    /// It waits at the registry for the signatures that are missing.
    Stage,
    /// Everything is checked and signed, nothing is sent.
    DryRun,
}

/// How far a publish is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many bytes were sent, of so many.
    Sending {
        /// Bytes that were sent.
        sent: u64,
        /// All of them.
        total: u64,
    },
    /// The registry took it, and does not show it yet.
    Waiting,
}

/// Hears how far a publish is.
pub type Watch<'a> = &'a mut dyn FnMut(Step);

/// A release that was signed, and perhaps published.
#[derive(Debug, Clone)]
pub struct Published {
    /// What was signed.
    pub release: Release,
    /// Who signed.
    pub keys: Vec<PublicKey>,
    /// The registry it went to.
    pub registry: String,
    /// Its place in the registry's log; none if it is not published.
    pub log: Option<u64>,
    /// What is missing, if it waits.
    pub staged: Option<StagedRelease>,
}

/// What is published.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    /// A folder, a single file, or archives of one version.
    pub sources: &'a [PathBuf],
    /// The version that it must have. A single file without a manifest gets it.
    pub version: Option<&'a Version>,
    /// What becomes of it.
    pub sending: Sending,
    /// How long to wait until it can be installed.
    pub patience: Duration,
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
    watch: Watch<'_>,
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
    let mut published = Published { release, keys, registry: registry.location().to_string(), log: None, staged: None };
    let body = || body(&header, &packages, &published.release);
    match what.sending {
        Sending::DryRun => {}
        Sending::Stage => {
            let staged = registry.stage(body(), &mut |sent, total| tell(watch, sent, total)).await?;
            published.staged = Some(staged);
        }
        Sending::Upload => {
            let receipt = registry.publish(body(), &mut |sent, total| tell(watch, sent, total)).await?;
            published.log = Some(receipt.log);
            wait_until_visible(workspace, reach, &published.release, what.patience, watch).await?;
        }
    }
    Ok(published)
}

fn tell(watch: &mut dyn FnMut(Step), sent: u64, total: Option<u64>) {
    watch(Step::Sending { sent, total: total.unwrap_or(sent) });
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

/// Reads the registry again, as a client would, until the release can be installed: it may stand behind a cache, or behind other
/// servers. A publish counts once it can be installed.
async fn wait_until_visible(
    workspace: &Workspace,
    reach: &Reach,
    release: &Release,
    patience: Duration,
    watch: Watch<'_>,
) -> Result<(), OpsError> {
    let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let waited = begun.elapsed();
        match see_it(workspace, reach, release, waited).await {
            Err(error) if may_come(&error) && waited < patience => {
                watch(Step::Waiting);
                tokio::time::sleep(pause.min(patience - waited)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            seen => return seen,
        }
    }
}

async fn see_it(workspace: &Workspace, reach: &Reach, release: &Release, waited: Duration) -> Result<(), OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let history = registry.history(&release.name).await?;
    let entry = history.as_ref().and_then(|history| history.release(&release.version));
    let invisible =
        || PublishError::NotVisible { name: release.name.clone(), version: release.version.clone(), waited };
    let entry = entry.ok_or_else(invisible)?;
    let digests = |release: &Release| release.archives.iter().map(|archive| archive.sha256).collect::<Vec<Digest>>();
    if digests(entry.release()) != digests(release) {
        return Err(invisible().into());
    }
    registry.release(history.as_ref().expect("its entry was found above"), &release.version).await?;
    Ok(registry.remember()?)
}

/// Whether the release may be seen a little later.
fn may_come(error: &OpsError) -> bool {
    match error {
        OpsError::Publish(PublishError::NotVisible { .. }) => true,
        OpsError::Registry(error) => matches!(
            **error,
            RegistryError::NoProof { .. } | RegistryError::Transport { source: TransportError::NotFound { .. }, .. }
        ),
        _ => false,
    }
}
