//! `plugin approve`: a person looks at a release that waits, and signs it. Nothing is signed that was not downloaded and checked here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pocket_index::limits::Limits;
use pocket_index::name::PluginName;
use pocket_index::package;
use pocket_index::permissions::sentences;
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, Release};
use pocket_index::signature::SecretKey;
use pocket_index::staged::StagedRelease;
use pocket_index::verify::check_submission;
use semver::Version;

use super::{PublishError, Watch, wait_until_visible};
use crate::ops::{OpsError, Reach, Workspace, pack};
use crate::registry::{Approved, Registry};

/// What is to be approved.
#[derive(Debug, Clone, Copy)]
pub struct Approve<'a> {
    /// The plugin.
    pub name: &'a PluginName,
    /// Its version.
    pub version: &'a Version,
    /// What the plugin is made of here: what is packed of it must be what waits.
    pub source: Option<&'a PathBuf>,
    /// How long to wait until it can be installed.
    pub patience: Duration,
}

/// What a person looks at before they sign.
#[derive(Debug, Clone)]
pub struct Review {
    /// What waits.
    pub staged: StagedRelease,
    /// The release that would be signed.
    pub release: Release,
    /// The newest version that is published.
    pub before: Option<Version>,
    /// What it asks for and that version does not, in plain words.
    pub gains: Vec<String>,
    /// Whether it is what was packed here.
    pub is_own_build: bool,
}

/// What became of a release that was signed.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The registry.
    pub registry: String,
    /// What was signed.
    pub release: Release,
    /// Its place in the log, if it is published.
    pub log: Option<u64>,
    /// What it waits for, if it is not.
    pub staged: Option<StagedRelease>,
}

/// The releases that wait for signatures.
///
/// # Errors
/// The registry does not say.
pub async fn staged(workspace: &Workspace, reach: &Reach) -> Result<Vec<StagedRelease>, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    registry.remember()?;
    Ok(registry.staged().await?)
}

/// Signs a release that waits, if `consent` says so to what was downloaded and checked. Every key signs.
///
/// # Errors
/// It does not wait, is not what it says, or the registry does not take a signature.
pub async fn approve(
    workspace: &Workspace,
    what: Approve<'_>,
    consent: impl FnOnce(&Review) -> Result<(), OpsError>,
    secrets: impl FnOnce() -> Result<Vec<SecretKey>, OpsError>,
    reach: &Reach,
    watch: Watch<'_>,
) -> Result<Approval, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let review = review(&registry, what).await?;
    registry.remember()?;
    consent(&review)?;
    let Review { staged, release, .. } = review;
    let mut approval = Approval { registry: registry.location().to_string(), release, log: None, staged: Some(staged) };
    let text = approval.staged.as_ref().map(|staged| staged.event.clone()).unwrap_or_default();
    for secret in secrets()? {
        match registry.approve(what.name, what.version, &secret.sign_event("release", &text)).await? {
            Approved::Waits(staged) => approval.staged = Some(*staged),
            Approved::Published(receipt) => {
                (approval.log, approval.staged) = (Some(receipt.log), None);
                wait_until_visible(workspace, reach, &approval.release, what.patience, watch).await?;
                break;
            }
        }
    }
    Ok(approval)
}

async fn review(registry: &Registry, what: Approve<'_>) -> Result<Review, OpsError> {
    let Approve { name, version, source, .. } = what;
    let (staged, release) = waiting(registry, name, version).await?;
    check_archives(registry, &release).await?;
    if let Some(source) = source {
        compare(&release, source)?;
    }
    let history = registry.history(name).await?;
    let before = history.as_ref().and_then(|history| history.releases().next_back()).map(|entry| entry.release());
    let asked = before.map(|before| sentences(&before.permissions)).unwrap_or_default();
    let mut gains = sentences(&release.permissions);
    gains.retain(|sentence| !asked.contains(sentence));
    let before = before.map(|before| before.version.clone());
    Ok(Review { staged, release, before, gains, is_own_build: source.is_some() })
}

/// What waits, which is what it stands under.
pub(super) async fn waiting(
    registry: &Registry,
    name: &PluginName,
    version: &Version,
) -> Result<(StagedRelease, Release), OpsError> {
    let location = || registry.location().to_string();
    let staged = registry.staged_release(name, version).await?;
    let staged = staged.ok_or_else(|| PublishError::NotStaged {
        name: name.clone(),
        version: version.clone(),
        registry: location(),
    })?;
    let release = release_of(&staged).filter(|release| release.name == *name && release.version == *version);
    let release = release.ok_or_else(|| PublishError::OtherRelease {
        name: name.clone(),
        version: version.clone(),
        registry: location(),
        found: staged.event.chars().take(200).collect(),
    })?;
    Ok((staged, release))
}

fn release_of(staged: &StagedRelease) -> Option<Release> {
    let header = PublishHeader { event: staged.event.clone(), signatures: Vec::new() };
    match header.event().ok()? {
        Event::Release(release) => Some(*release),
        _ => None,
    }
}

/// Each archive is what the event says of it, by the checks of a publish.
async fn check_archives(registry: &Registry, release: &Release) -> Result<(), OpsError> {
    for record in &release.archives {
        let limit = record.size.saturating_add(1);
        let bytes = registry.staged_archive(&release.name, &release.version, record.sha256, limit).await?;
        check_submission(release, record, &bytes, &Limits::default())
            .map_err(|source| PublishError::Archive { file: record.file.clone(), source: Box::new(source) })?;
    }
    Ok(())
}

/// What is packed here must be what waits.
fn compare(release: &Release, source: &Path) -> Result<(), OpsError> {
    let packages = pack::packages_of(source, Some(&release.version))?;
    let own = package::release_of(&packages)
        .map_err(|error| OpsError::Package { path: source.to_owned(), source: Box::new(error) })?;
    for record in &release.archives {
        let same = own.archives.iter().find(|own| own.target == record.target);
        if same.is_none_or(|same| same.sha256 != record.sha256) {
            let own = same.map_or_else(|| "not there".to_owned(), |same| same.sha256.to_string());
            let (file, staged) = (record.file.clone(), record.sha256.to_string());
            return Err(PublishError::OtherBuild { file, staged, own }.into());
        }
    }
    Ok(())
}
