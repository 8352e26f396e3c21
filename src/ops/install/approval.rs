//! Nothing gains a permission without a yes: what a plugin asks for beyond what the lock approved is put to the user.

use pocket_index::name::PluginName;
use pocket_index::permissions::Permissions;
use semver::Version;

use super::direct::Unvouched;
use super::label;
use super::locking::Planned;
use crate::ops::OpsError;
use crate::ops::recovery::Notice;
use crate::project::Lockfile;

pub use pocket_index::permissions::{Entry, entries, sentences};

/// What one plugin asks for that nobody approved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// What it may do then, in plain words.
    pub sentences: Vec<String>,
}

/// Says yes or no.
pub trait Approver {
    /// Whether all of this is granted.
    ///
    /// # Errors
    /// It was declined, or nobody can be asked.
    fn approve(&self, asks: &[Ask]) -> Result<(), OpsError>;

    /// Whether archives that nobody vouches for are taken this once. A yes to permissions is none to this.
    ///
    /// # Errors
    /// The question cannot be put.
    fn trust_once(&self, unvouched: &Unvouched) -> Result<Consent, OpsError> {
        let _ = unvouched;
        Ok(Consent::NobodyThere)
    }

    /// Whether releases are taken from owners whom the registry named in place of those who signed what is locked. A yes to
    /// permissions is none to this.
    ///
    /// # Errors
    /// The question cannot be put.
    fn accept_owners(&self, notice: &Notice) -> Result<Consent, OpsError> {
        let _ = notice;
        Ok(Consent::NobodyThere)
    }
}

/// An answer to the question whether to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Given,
    /// No.
    Refused,
    /// Nobody sits there to be asked.
    NobodyThere,
}

/// Puts what is new to the approver.
pub fn approve(planned: &[Planned], old: Option<&Lockfile>, approver: &dyn Approver) -> Result<(), OpsError> {
    let asks: Vec<Ask> = planned.iter().filter_map(|one| ask(one, old)).collect();
    if asks.is_empty() { Ok(()) } else { approver.approve(&asks) }
}

fn ask(planned: &Planned, old: Option<&Lockfile>) -> Option<Ask> {
    let (name, version) = label(planned);
    let same = |plugin: &&crate::project::LockedPlugin| plugin.name == *name && plugin.source == planned.locked.source;
    let approved: Vec<&Permissions> =
        old.iter().flat_map(|old| old.plugins.iter().filter(same)).map(|plugin| &plugin.permissions).collect();
    let asked = sentences(&planned.locked.permissions);
    let known: Vec<String> = approved.into_iter().flat_map(sentences).collect();
    let sentences: Vec<String> = asked.into_iter().filter(|sentence| !known.contains(sentence)).collect();
    (!sentences.is_empty()).then(|| Ask { name: name.clone(), version: version.clone(), sentences })
}
