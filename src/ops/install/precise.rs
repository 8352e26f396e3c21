//! A version that was asked for precisely: it is chosen, or the error says what stands in its way.

use pocket_index::name::PluginName;
use semver::Version;

use super::records::{World, yanked_reason};
use super::rules::Freedom;
use super::wanted::exactly;
use crate::ops::OpsError;
use crate::project::Lockfile;
use crate::resolve::{Need, PackageVersion, Resolution};

/// Refuses a resolution in which another version was chosen than the one that was asked for.
pub async fn refuse_another(
    freedom: &Freedom,
    world: &mut World<'_>,
    needs: &[Need],
    resolution: &Resolution,
    lock: Option<&Lockfile>,
) -> Result<(), OpsError> {
    let Freedom::Precise(name, version) = freedom else { return Ok(()) };
    let chosen = || resolution.plugins.iter().map(|chosen| &chosen.release).filter(|one| one.package.name == *name);
    if let Some(release) = chosen().find(|release| release.version == *version) {
        return refuse_yanked(world, release, lock);
    }
    let Some(PackageVersion { package, .. }) = chosen().next() else {
        return Err(imprecise(name, version, Vec::new()));
    };
    // With the version as a need of its own, the solver says why it does not go together with the others.
    let mut stricter = needs.to_vec();
    stricter.push(Need::required(package.clone(), exactly(version)));
    world.resolve(&stricter).await?;
    Err(imprecise(name, version, chosen().map(|release| release.version.clone()).collect()))
}

/// Asking for a version is no lock: what was yanked is not picked anew.
fn refuse_yanked(world: &World<'_>, release: &PackageVersion, lock: Option<&Lockfile>) -> Result<(), OpsError> {
    let PackageVersion { package, version } = release;
    let is_locked =
        |lock: &Lockfile| lock.plugins.iter().any(|locked| locked.name == package.name && locked.version == *version);
    let reason = world.outline(package).and_then(|outline| yanked_reason(outline, version));
    match reason.filter(|_| !lock.is_some_and(is_locked)) {
        Some(reason) => Err(OpsError::Yanked { name: package.name.clone(), version: version.clone(), reason }),
        None => Ok(()),
    }
}

fn imprecise(name: &PluginName, version: &Version, chosen: Vec<Version>) -> OpsError {
    OpsError::Imprecise { name: name.clone(), version: version.clone(), chosen }
}
