//! `plugin permissions`: what a plugin asks for, what the lock approved, what the configuration grants, and what comes of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};
use semver::Version;

use super::info::{self, Info};
use super::install::{Entry, entries};
use super::offered::{self, Kind, Offer};
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
    /// What the configuration grants, and where.
    pub grant: Grant,
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
    /// It is used where it stands: loaded, or in a folder.
    Local,
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

/// What the configuration grants to one plugin. Each file speaks for itself: a project cannot grant what the user withholds.
/// Where no file says anything, what was approved is granted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// The files that say something, the user's first.
    pub sources: Vec<GrantSource>,
}

/// What one file grants to one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSource {
    /// The file.
    pub file: PathBuf,
    /// The key in it.
    pub key: String,
    words: GrantedWords,
}

impl Grant {
    /// What the user's file and the project's grant to this plugin.
    pub fn of(workspace: &Workspace, plugin: &PluginName) -> Self {
        let sources = workspace.files().into_iter().filter_map(|(file, path)| {
            let (key, words) = granted(&file.plugins.security, plugin)?;
            Some(GrantSource { file: path, key, words: GrantedWords::of(words.iter().copied()) })
        });
        Self { sources: sources.collect() }
    }

    /// What all files grant.
    pub fn words(&self) -> GrantedWords {
        GrantedWords::of(Word::ALL.into_iter().filter(|word| self.withheld(*word).is_none()))
    }

    /// Whether a file grants the word and none withholds it: silence is no yes.
    pub fn says(&self, word: Word) -> bool {
        !self.sources.is_empty() && self.withheld(word).is_none()
    }

    /// The first file that does not grant the word.
    pub fn withheld(&self, word: Word) -> Option<&GrantSource> {
        self.sources.iter().find(|source| !source.words.has(word))
    }
}

/// What one file grants, and its key; none if it says nothing.
fn granted<'a>(security: &'a Security, plugin: &PluginName) -> Option<(String, &'a BTreeSet<Word>)> {
    let of_plugin =
        security.permissions.get(plugin).map(|words| (format!("plugins.security.permissions.{plugin}"), words));
    let default = security.default_permissions.as_ref();
    of_plugin.or_else(|| default.map(|words| ("plugins.security.default_permissions".to_owned(), words)))
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
    let offered = offered::collect(workspace)?;
    if let Some(Offer { kind: Kind::Local(plugin), .. }) = offered.named(name) {
        let manifest = &plugin.manifest;
        let approved = plugin.approved_now(workspace);
        return Ok(table(workspace, name, &manifest.version, Standing::Local, &manifest.permissions, &approved));
    }
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
        Err(OpsError::NoPlugin { .. }) => match info::published(workspace, name, reach, info::Depth::Record).await? {
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
    let grant = Grant::of(workspace, name);
    PluginPermissions {
        name: name.clone(),
        version: version.clone(),
        standing,
        rows: rows(&entries(asked), &entries(approved), &grant.words()),
        grant,
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
