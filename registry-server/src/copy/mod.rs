//! Copies of a registry: whole or of some plugins, into a folder, a bucket or one file; and out of such a file.
//!
//! A copy is checked while it is made: the log is computed from its leaves, and every line and archive is compared with it. It has the whole log and so every proof, is
//! that of one checkpoint whatever is published meanwhile, and takes no publishes: it has no key. A plugin that does not fit together is left out of it and told,
//! or ends it where it must be whole.

mod check;
mod http;
mod left_out;
mod pack;
mod packed;
mod plugin;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use pocket_index::bundled;
use pocket_index::config::{Config, LogRequirement};
use pocket_index::layout;
use pocket_index::log::{Checkpoint, NoteKey};
use pocket_index::name::PluginName;
use pocket_index::record::Policy;
use pocket_index::search::{self, SearchEntry};
use pocket_index::stats::Downloads;

use crate::RegistryError;
use crate::config::Source;
use crate::error::chain;
use crate::listing::clear;
use crate::storage::{Condition, Folder, Storage, TREE, in_tree};
use check::{Lines, Log, read_log};
pub(crate) use http::Remote;
pub use http::Secret;
pub use left_out::LeftOut;
use left_out::Unsound;
use plugin::Plugin;

/// How many files are fetched at once.
const AT_ONCE: usize = 16;

/// Which plugins are copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Wanted {
    /// All.
    #[default]
    All,
    /// These.
    Named(Vec<PluginName>),
}

/// Where a copy is taken from.
#[derive(Debug, Clone)]
pub enum From {
    /// A registry of one's own, or a backup of it.
    Place(Source),
    /// A registry or a static tree that a web server serves, and the token for a private one.
    Url(reqwest::Url, Option<Secret>),
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Events in the log.
    pub events: u64,
    /// Plugins whose files were copied.
    pub plugins: usize,
    /// Plugins that the log has.
    pub of: usize,
    /// Archives that were not there before.
    pub archives: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The key of the log.
    pub key: NoteKey,
    /// Plugins that do not fit together, and are not copied.
    pub left_out: Vec<LeftOut>,
}

/// Copies a registry's static tree into `to`, a folder that a web server can serve: `to` is the tree itself. What is there of an
/// earlier copy is checked and kept, must be the beginning of the same log, and all its plugins are brought up to date. With `key`, the
/// log must be this one's. Plugins that do not fit together are left out, and named.
///
/// # Errors
/// The log or what the registry says of itself does not fit together, or something cannot be read or written.
pub async fn mirror(from: &From, to: &Path, wanted: &Wanted, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
    let (unsound, from) = (Unsound::of(from), open(from)?);
    let to = Folder::plain(to.to_owned());
    Copy { from: &*from, to: &to, below: "", unsound }.run(wanted, key).await
}

/// Copies a registry's static tree into one file, which [`import`] unpacks elsewhere.
///
/// # Errors
/// As [`mirror`]; or the file exists.
pub async fn export(from: &From, to: &Path, wanted: &Wanted) -> Result<Copied, RegistryError> {
    pack::export(&*open(from)?, to, wanted, Unsound::of(from)).await
}

/// Unpacks what [`export`] wrote into a folder, checking all of it again.
///
/// # Errors
/// As [`mirror`]; or a plugin of it does not fit together, as none does that was changed on the way.
pub async fn import(from: &Path, to: &Path, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
    pack::import(from, to, key).await
}

/// Copies a registry that goes on working into a folder from which it can be restored: tree, tokens (their digests, as they are kept) and, with
/// a folder, the private key.
///
/// # Errors
/// As [`mirror`]; or a plugin does not fit together: a registry cannot be restored without its events.
pub async fn backup(from: &Source, to: &Path) -> Result<Copied, RegistryError> {
    let storage = crate::registry::storage_to_read(from)?;
    let folder = Folder::plain(to.to_owned());
    let copy = Copy { from: &*storage, to: &folder, below: TREE, unsound: Unsound::Ends };
    copy.put_downloads().await?;
    let copied = copy.with_api().run(&Wanted::All, None).await?;
    crate::accounts::copy(&*storage, &folder).await?;
    crate::registry::copy_key(from, to)?;
    Ok(copied)
}

fn open(from: &From) -> Result<Box<dyn Storage>, RegistryError> {
    match from {
        From::Place(source) => crate::registry::storage_to_read(source),
        From::Url(url, token) => Ok(Box::new(Remote::new(url.clone(), token.as_ref())?.patient())),
    }
}

/// A copy under way. Paths of `from` are those of a registry's storage; `below` stands before those of `to`.
struct Copy<'a> {
    from: &'a dyn Storage,
    to: &'a dyn Storage,
    below: &'a str,
    unsound: Unsound,
}

/// A copy that keeps where clients publish.
struct WithApi<'a>(Copy<'a>);

/// Whether clients are told where to publish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Kept,
    Left,
}

impl<'a> Copy<'a> {
    fn with_api(self) -> WithApi<'a> {
        WithApi(self)
    }

    async fn run(&self, wanted: &Wanted, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
        self.copy(wanted, key, Api::Left).await
    }

    async fn copy(&self, wanted: &Wanted, key: Option<&NoteKey>, api: Api) -> Result<Copied, RegistryError> {
        let text = self.text(layout::CONFIG).await?;
        let config = Config::parse(&text, LogRequirement::Required);
        let config = config.map_err(|error| self.wrong(layout::CONFIG, chain(&error)))?;
        let log_key = config.log.clone().ok_or_else(|| self.wrong(layout::CONFIG, "it has no log key".to_owned()))?;
        if let Some(key) = key.filter(|key| **key != log_key) {
            return Err(self.wrong(layout::CONFIG, format!("its log is {log_key}, expected {key}")));
        }
        let note = self.read(layout::CHECKPOINT).await?;
        let checkpoint =
            Checkpoint::open(&note, &log_key).map_err(|error| self.wrong(layout::CHECKPOINT, chain(&error)))?;
        config.check_keys(&checkpoint).map_err(|error| self.wrong(layout::CONFIG, chain(&error)))?;
        let earlier = self.earlier(&log_key).await?;
        let log = read_log(self, &checkpoint, earlier.as_ref()).await?;
        let checkpoint = self.newer(&checkpoint, earlier.as_ref(), &config, &log_key)?;
        self.put_log(&log).await?;
        let plugins = self.plugins(&log, wanted).await?;
        let policy = Policy::new(config.keys.iter().copied()).with_development_lines(bundled::line_digests());
        let copies = plugins.iter().map(|(name, lines)| self.plugin(name, lines, &policy));
        let mut done: Vec<_> = stream::iter(copies).buffered(AT_ONCE).try_collect().await?;
        self.give_another_chance(&mut done, &plugins, &policy).await?;
        let entries = done.iter().filter_map(|done: &Plugin| done.entry.clone()).collect::<Vec<_>>();
        let left_out: Vec<_> = done.iter().filter_map(|done| done.left_out.clone()).collect();
        self.put_list(entries).await?;
        self.clear_partial(&left_out).await?;
        let config = Config { api: config.api.filter(|_| api == Api::Kept), ..config };
        self.put(layout::CONFIG, config.to_text().into_bytes(), Condition::Always).await?;
        self.put(layout::CHECKPOINT, checkpoint.note().as_bytes().to_vec(), Condition::Always).await?;
        Ok(Copied {
            events: checkpoint.size(),
            plugins: done.len() - left_out.len(),
            of: log.count(),
            archives: done.iter().map(|done| done.archives).sum(),
            bytes: done.iter().map(|done| done.bytes).sum(),
            key: log_key,
            left_out,
        })
    }

    async fn put_list(&self, entries: Vec<SearchEntry>) -> Result<(), RegistryError> {
        let search::Files { listing, index } = search::files(entries);
        let file = index.as_ref().map(|(file, _)| file.clone());
        if let Some((file, bytes)) = index {
            self.put(&layout::search_index(&file.sha256), bytes, Condition::Absent).await?;
        }
        self.put(layout::SEARCH, listing.into_bytes(), Condition::Always).await?;
        clear(self.to, self.below, file.as_ref()).await
    }

    /// The checkpoint of the copy that is there.
    async fn earlier(&self, key: &NoteKey) -> Result<Option<Checkpoint>, RegistryError> {
        let path = self.there(layout::CHECKPOINT);
        let Some(stored) = self.to.read(&path).await? else { return Ok(None) };
        let place = || Path::new(&self.to.place()).join(&path);
        let opened = Checkpoint::open(&stored.bytes, key);
        opened.map(Some).map_err(|error| RegistryError::Damaged { path: place(), message: chain(&error) })
    }

    /// Of two checkpoints of one tree, the one that was signed later: a cache on the way may be older than the copy.
    fn newer<'c>(
        &self,
        read: &'c Checkpoint,
        earlier: Option<&'c Checkpoint>,
        config: &Config,
        key: &NoteKey,
    ) -> Result<&'c Checkpoint, RegistryError> {
        let wrong = |message: String| self.wrong(layout::CHECKPOINT, message);
        let signed = |checkpoint: &Checkpoint| checkpoint.signed_at(key).map_err(|error| wrong(chain(&error)));
        let Some(earlier) = earlier.filter(|earlier| earlier.size() == read.size()) else { return Ok(read) };
        let (old, new) = (signed(earlier)?, signed(read)?);
        if old <= new {
            return Ok(read);
        }
        let other = |error| {
            let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
            wrong(format!("it was signed at {new}, the copy that is there at {old}, for other keys: {}", chain(&error)))
        };
        config.check_keys(earlier).map_err(other)?;
        Ok(earlier)
    }

    /// The wanted plugins, and those that an earlier copy left in the same place: no old file may stand beside a new checkpoint, which
    /// would vouch for it.
    async fn plugins<'l>(
        &self,
        log: &'l Log,
        wanted: &Wanted,
    ) -> Result<BTreeMap<&'l PluginName, &'l Lines>, RegistryError> {
        let mut plugins = log.plugins(wanted).map_err(|name| RegistryError::NoPlugin { name })?;
        for entry in self.to.list(&self.there("index/")).await? {
            let name = entry.path.rsplit('/').next().and_then(|name| name.parse::<PluginName>().ok());
            let known = name.as_ref().and_then(|name| log.plugin(name));
            let (name, lines) = known.ok_or_else(|| RegistryError::Damaged {
                path: Path::new(&self.to.place()).join(&entry.path),
                message: "it is of no plugin that the log has".to_owned(),
            })?;
            plugins.insert(name, lines);
        }
        Ok(plugins)
    }

    async fn put_log(&self, log: &Log) -> Result<(), RegistryError> {
        let writes = log.files.iter().map(async |(path, bytes)| self.put_once(path, bytes).await);
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// What was counted, which is of no event: the copy goes on from there.
    async fn put_downloads(&self) -> Result<(), RegistryError> {
        let Some(stored) = self.from.read(&in_tree(layout::DOWNLOADS)).await? else { return Ok(()) };
        if let Err(error) = Downloads::parse(&String::from_utf8_lossy(&stored.bytes)) {
            tracing::warn!("`{}` cannot be read, and is not copied: {error}", layout::DOWNLOADS);
            return Ok(());
        }
        self.put(layout::DOWNLOADS, stored.bytes.to_vec(), Condition::Always).await
    }

    /// Where a file of the tree stands in the copy.
    fn there(&self, path: &str) -> String {
        format!("{}{path}", self.below)
    }

    async fn put(&self, path: &str, bytes: Vec<u8>, condition: Condition) -> Result<(), RegistryError> {
        self.to.put(&self.there(path), bytes.into(), condition).await?;
        Ok(())
    }

    async fn find(&self, path: &str) -> Result<Option<Vec<u8>>, RegistryError> {
        Ok(self.from.read(&in_tree(path)).await?.map(|stored| stored.bytes.to_vec()))
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, RegistryError> {
        self.find(path).await?.ok_or_else(|| self.wrong(path, "it is missing".to_owned()))
    }

    async fn text(&self, path: &str) -> Result<String, RegistryError> {
        String::from_utf8(self.read(path).await?).map_err(|error| self.wrong(path, error.to_string()))
    }

    fn wrong(&self, path: &str, message: String) -> RegistryError {
        RegistryError::NoCopy { path: format!("{}/{path}", self.from.place().trim_end_matches('/')), message }
    }
}

impl WithApi<'_> {
    async fn run(&self, wanted: &Wanted, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
        self.0.copy(wanted, key, Api::Kept).await
    }
}
