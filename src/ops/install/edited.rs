//! A lock that says something else of a version than what was signed: somebody edited it, or the version is another one now.

use crate::ops::OpsError;
use crate::project::{Basis, LockedArchive, LockedPlugin, Lockfile};

use super::approval::sentences;

/// What the lock says, and what is true.
type Difference = (String, String);

/// Refuses a version of which the lock says something that is not so. A version never changes, so there is nothing to bring up
/// to date; what a reviewer read in the lock must be what is installed.
pub fn refuse(new: &LockedPlugin, old: Option<&Lockfile>) -> Result<(), OpsError> {
    // The project's own files are free to change.
    let same = old.and_then(|old| old.plugin(&new.name, &new.version, &new.source));
    let Some(old) = same.filter(|_| new.basis != Basis::Local) else { return Ok(()) };
    let difference = in_evidence(old, new)
        .or_else(|| in_archives(&old.archives, &new.archives))
        .or_else(|| in_claims(old, new))
        .or_else(|| in_permissions(old, new));
    match difference {
        None => Ok(()),
        Some((locked, found)) => {
            Err(OpsError::LockDiffers { name: new.name.clone(), version: new.version.clone(), locked, found })
        }
    }
}

/// The event, and its place in the log.
fn in_evidence(old: &LockedPlugin, new: &LockedPlugin) -> Option<Difference> {
    match (old.basis, new.basis) {
        (Basis::Log(old), Basis::Log(new)) if old.digest != new.digest => {
            Some((old.digest.to_string(), new.digest.to_string()))
        }
        (Basis::Log(old), Basis::Log(new)) => differ(old.log, new.log, |log| format!("entry {log} of the log")),
        (Basis::Log(_), _) | (_, Basis::Log(_)) => Some((trust(old), trust(new))),
        // What vouches for an archive from elsewhere may be another thing each time: a digest, a signature, a word.
        _ => None,
    }
}

fn trust(plugin: &LockedPlugin) -> String {
    format!("`trust = \"{}\"`", plugin.basis.as_str())
}

fn in_archives(old: &[LockedArchive], new: &[LockedArchive]) -> Option<Difference> {
    let targets = |archives: &[LockedArchive]| {
        let mut targets: Vec<String> = archives.iter().map(|one| format!("`{}`", one.target)).collect();
        targets.sort();
        targets.join(", ")
    };
    differ(targets(old), targets(new), |targets| format!("there are archives for {targets}"))
        .or_else(|| old.iter().find_map(|old| in_archive(old, new.iter().find(|new| new.target == old.target)?)))
}

fn in_archive(old: &LockedArchive, new: &LockedArchive) -> Option<Difference> {
    differ(old.sha256, new.sha256, |digest| digest.to_string())
        .or_else(|| differ(old.tree, new.tree, |tree| tree.to_string()))
        .or_else(|| differ(old.size, new.size, |size| format!("the archive has {size} bytes")))
        .or_else(|| differ(&old.file, &new.file, |file| format!("the archive is `{file}`")))
}

/// What else the event fixes.
fn in_claims(old: &LockedPlugin, new: &LockedPlugin) -> Option<Difference> {
    if !matches!(new.basis, Basis::Log(_)) {
        return None;
    }
    let signers = |plugin: &LockedPlugin| -> Vec<String> {
        let mut signers: Vec<_> = plugin.signers.iter().map(|key| key.fingerprint().to_string()).collect();
        signers.sort();
        signers
    };
    let signed = |signers: &Vec<String>| match signers.as_slice() {
        [] => "nobody signed it".to_owned(),
        signers => format!("it is signed by {}", signers.join(" and ")),
    };
    let engine = |engine: &Option<semver::VersionReq>| match engine {
        Some(engine) => format!("it works with Pocket `{engine}`"),
        None => "it works with every Pocket".to_owned(),
    };
    differ(signers(old), signers(new), |signers| signed(signers))
        .or_else(|| differ(old.runtime, new.runtime, |runtime| format!("its runtime is `{runtime}`")))
        .or_else(|| differ(&old.engine, &new.engine, |one| engine(one)))
}

/// A permission in the lock is one that somebody approved. What the version does not even ask for, nobody was asked about; it would be
/// approved beforehand for a version to come.
fn in_permissions(old: &LockedPlugin, new: &LockedPlugin) -> Option<Difference> {
    let asked = sentences(&new.permissions);
    let more = sentences(&old.permissions).into_iter().find(|sentence| !asked.contains(sentence))?;
    Some((format!("it {more}"), "it does not ask for that".to_owned()))
}

fn differ<T: PartialEq>(old: T, new: T, say: impl Fn(&T) -> String) -> Option<Difference> {
    (old != new).then(|| (say(&old), say(&new)))
}
