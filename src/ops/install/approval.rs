//! Nothing gains a permission without a yes: what a plugin asks for beyond what the lock approved is put to the user.

use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};
use semver::Version;

use super::direct::Unvouched;
use super::label;
use super::locking::Planned;
use crate::ops::OpsError;
use crate::ops::recovery::Notice;
use crate::project::Lockfile;

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

/// One thing that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The word that grants it.
    pub word: Word,
    /// What is asked for, as the manifest writes it.
    pub what: String,
    /// What it allows, in plain words.
    pub sentence: String,
}

/// What the permissions allow, a sentence each. Limits a plugin sets itself are no permissions.
pub fn sentences(permissions: &Permissions) -> Vec<String> {
    entries(permissions).into_iter().map(|entry| entry.sentence).collect()
}

/// What the permissions allow, one by one.
pub fn entries(permissions: &Permissions) -> Vec<Entry> {
    let entry = |word, what: &String, sentence| Entry { word, what: what.clone(), sentence };
    let env = permissions.env.iter();
    let env = env.map(|name| entry(Word::ReadEnv, name, format!("may read the environment variable {name}")));
    let http = permissions.http.iter();
    let http = http.map(|place| entry(Word::HttpClient, place, format!("may send HTTP requests to {place}")));
    let network = permissions
        .network
        .iter()
        .map(|place| entry(Word::NetworkAccess, place, format!("may connect to {}", network_place(place))));
    let files = permissions.filesystem.iter().map(|what| match what.split_once(':') {
        Some(("write", folder)) => entry(Word::WriteFiles, what, format!("may write files in {folder}")),
        Some((_, folder)) => entry(Word::ReadFiles, what, format!("may read files in {folder}")),
        None => entry(Word::WriteFiles, what, format!("may use files: {what}")),
    });
    env.chain(http).chain(network).chain(files).collect()
}

/// `{host}:{port}` are the plugin's own settings, which only the user sets.
fn network_place(place: &str) -> String {
    if place.contains('{') { format!("{place}, as its settings say") } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_sentences() {
        let permissions = Permissions {
            env: vec!["HOME".to_owned()],
            http: vec!["api.example.com:443".to_owned()],
            network: vec!["{host}:{port}".to_owned()],
            filesystem: vec!["read:./data".to_owned(), "write:./out".to_owned()],
            memory: Some("64MB".to_owned()),
            timeout: None,
        };
        let expected = [
            "may read the environment variable HOME",
            "may send HTTP requests to api.example.com:443",
            "may connect to {host}:{port}, as its settings say",
            "may read files in ./data",
            "may write files in ./out",
        ];
        assert_eq!(sentences(&permissions), expected);
    }
}
