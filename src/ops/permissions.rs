//! `plugin permissions`: what a plugin asks for, what the lock approved, what the configuration grants, and what comes of it.

use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};
use semver::Version;

use super::info::{self, Info};
use super::install::{Entry, entries};
use super::{OpsError, Reach, Workspace, plugins};
use crate::engine::GrantedWords;
use crate::project::{LockedPlugin, Security};

/// What one plugin may do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginPermissions {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// How the plugin stands here.
    pub standing: Standing,
    /// What speaks for the grants.
    pub grant_origin: GrantOrigin,
    /// Every single thing that is asked for or approved, and each word that nothing asks for.
    pub rows: Vec<Row>,
    /// The limits that the manifest sets.
    pub limits: Limits,
}

/// The limits that a manifest sets for its own plugin, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most memory a call may use.
    pub memory: Option<String>,
    /// The longest a call may take.
    pub timeout: Option<String>,
}

/// How a plugin stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is in the lock, and its files are there.
    Installed,
    /// It is in the lock; what it asks for is taken from there.
    Locked,
    /// It is in this registry only.
    Published {
        /// The registry.
        registry: String,
    },
}

/// Where the configuration says what a plugin is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantOrigin {
    /// Nowhere: what was approved at the install is granted.
    Approval,
    /// `plugins.security.default_permissions`.
    Default,
    /// `plugins.security.permissions.<name>`.
    Plugin,
}

/// One permission and its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The word that grants it.
    pub word: Word,
    /// What exactly, as the manifest writes it; none for a word that the manifest does not use.
    pub what: Option<String>,
    /// The same in plain words.
    pub sentence: String,
    /// Whether the manifest asks for it.
    pub asked: bool,
    /// Whether the lock approves it.
    pub approved: bool,
    /// Whether the configuration grants its word.
    pub granted: bool,
}

/// What an action lacks. The first that is missing, in the order in which a plugin comes by a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The manifest does not ask.
    Asked,
    /// The lock does not approve.
    Approved,
    /// The configuration does not grant.
    Granted,
}

impl Row {
    /// What is missing; none where the plugin may.
    pub fn missing(&self) -> Option<Missing> {
        match (self.asked, self.approved, self.granted) {
            (false, ..) => Some(Missing::Asked),
            (_, false, _) => Some(Missing::Approved),
            (.., false) => Some(Missing::Granted),
            _ => None,
        }
    }
}

/// What the plugin of that name may do: the one in the lock, else the newest one that its registry has.
///
/// # Errors
/// Neither lock nor registry know it, or its files were changed.
pub async fn permissions(
    workspace: &Workspace,
    name: &PluginName,
    reach: &Reach,
) -> Result<PluginPermissions, OpsError> {
    let nothing = Permissions::default();
    match plugins::named(workspace, name) {
        Ok(plugin) => {
            let locked = &plugin.locked;
            let Some(installed) = &plugin.installed else {
                let asked = &locked.permissions;
                return Ok(table(workspace, name, &locked.version, Standing::Locked, asked, asked));
            };
            installed.verify()?;
            let asked = plugin.manifest()?.permissions;
            Ok(table(workspace, name, &locked.version, Standing::Installed, &asked, &locked.permissions))
        }
        Err(OpsError::NoPlugin { .. }) => match info::published(workspace, name, reach).await? {
            Info::Published { registry, newest, .. } => {
                let standing = Standing::Published { registry };
                Ok(table(workspace, name, &newest.version, standing, &newest.permissions, &nothing))
            }
            Info::Installed(_) => unreachable!("a registry answers with what is published"),
        },
        Err(error) => Err(error),
    }
}

fn table(
    workspace: &Workspace,
    name: &PluginName,
    version: &Version,
    standing: Standing,
    asked: &Permissions,
    approved: &Permissions,
) -> PluginPermissions {
    let (words, grant_origin) = granted(&workspace.project().plugins.security, name);
    PluginPermissions {
        name: name.clone(),
        version: version.clone(),
        standing,
        grant_origin,
        rows: rows(&entries(asked), &entries(approved), &words),
        limits: Limits { memory: asked.memory.clone(), timeout: asked.timeout.clone() },
    }
}

fn rows(asked: &[Entry], approved: &[Entry], words: &GrantedWords) -> Vec<Row> {
    let beyond = approved.iter().filter(|entry| !asked.contains(entry));
    let mut rows: Vec<Row> = asked
        .iter()
        .chain(beyond)
        .map(|entry| Row {
            word: entry.word,
            what: Some(entry.what.clone()),
            sentence: entry.sentence.clone(),
            asked: asked.contains(entry),
            approved: approved.contains(entry),
            granted: words.has(entry.word),
        })
        .collect();
    let unused = Word::ALL.into_iter().filter(|word| !rows.iter().any(|row| row.word == *word));
    let unused: Vec<Row> = unused
        .map(|word| Row {
            word,
            what: None,
            sentence: in_general(word).to_owned(),
            asked: false,
            approved: false,
            granted: words.has(word),
        })
        .collect();
    rows.extend(unused);
    rows
}

fn in_general(word: Word) -> &'static str {
    match word {
        Word::ReadEnv => "may read environment variables",
        Word::HttpClient => "may send HTTP requests",
        Word::NetworkAccess => "may connect to other machines",
        Word::ReadFiles => "may read files",
        Word::WriteFiles => "may write files",
    }
}

/// What the configuration grants. Where it says nothing, what was approved is granted.
pub fn granted(security: &Security, plugin: &PluginName) -> (GrantedWords, GrantOrigin) {
    let of = |words: &std::collections::BTreeSet<Word>| GrantedWords::of(words.iter().copied());
    match (security.permissions.get(plugin), &security.default_permissions) {
        (Some(words), _) => (of(words), GrantOrigin::Plugin),
        (None, Some(words)) => (of(words), GrantOrigin::Default),
        (None, None) => (GrantedWords::all(), GrantOrigin::Approval),
    }
}

/// The lock is what somebody said yes to. A manifest that asks for more comes from an edited lock.
///
/// # Errors
/// Names the first thing that is not approved.
pub fn refuse_unapproved(locked: &LockedPlugin, asked: &Permissions) -> Result<(), OpsError> {
    let approved = entries(&locked.permissions);
    match entries(asked).into_iter().find(|entry| !approved.contains(entry)) {
        None => Ok(()),
        Some(entry) => Err(OpsError::Unapproved {
            name: locked.name.clone(),
            version: locked.version.clone(),
            asked: entry.sentence,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(names: &[&str]) -> Vec<Entry> {
        entries(&Permissions { env: names.iter().map(|&name| name.to_owned()).collect(), ..Permissions::default() })
    }

    #[test]
    fn the_first_thing_that_is_missing_is_named() {
        let (all, none) = (GrantedWords::all(), GrantedWords::none());
        let missing = |asked: &[&str], approved: &[&str], words| rows(&env(asked), &env(approved), words)[0].missing();
        assert_eq!(missing(&["A"], &["A"], &all), None);
        assert_eq!(missing(&["A"], &["B"], &all), Some(Missing::Approved));
        assert_eq!(missing(&["A"], &["A"], &none), Some(Missing::Granted));
        assert_eq!(missing(&[], &["A"], &all), Some(Missing::Asked));
    }

    #[test]
    fn every_word_has_a_row() {
        let rows = rows(&env(&["A", "B"]), &[], &GrantedWords::all());
        let words: Vec<Word> = rows.iter().map(|row| row.word).collect();
        let expected =
            [Word::ReadEnv, Word::ReadEnv, Word::HttpClient, Word::NetworkAccess, Word::ReadFiles, Word::WriteFiles];
        assert_eq!(words, expected);
    }
}
