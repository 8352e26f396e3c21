//! Copies of a registry: whole or of some plugins, into a folder, a bucket or one file; and out of such a file.
//!
//! A copy is checked while it is made: the log is computed from its leaves, and every line and archive is compared with it. It has the whole log and so every proof, is
//! that of one checkpoint whatever is published meanwhile, and takes no publishes: it has no key.

mod check;
mod http;
mod pack;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use pocket_index::bundled;
use pocket_index::config::{Config, LogRequirement};
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::log::{Checkpoint, NoteKey};
use pocket_index::name::PluginName;
use pocket_index::record::{Event, History, Line, Policy};
use pocket_index::search::{self, SearchEntry};

use crate::RegistryError;
use crate::config::Source;
use crate::error::chain;
use crate::listing::clear;
use crate::storage::{Condition, Folder, Storage, in_tree};
use check::{Log, read_log};
pub(crate) use http::Remote;

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
    /// A registry of one's own, or a copy in a folder.
    Place(Source),
    /// A registry or a static tree that a web server serves.
    Url(reqwest::Url),
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Events in the log.
    pub events: u64,
    /// Plugins whose files were copied.
    pub plugins: usize,
    /// Archives that were not there before.
    pub archives: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The key of the log.
    pub key: NoteKey,
}

/// Copies a registry's static tree into `to`, a folder that a web server can serve: `to` is the tree itself. What is there of an
/// earlier copy is kept, and must be the beginning of the same log. With `key`, the log must be this one's.
///
/// # Errors
/// Something does not fit together, or cannot be read or written.
pub async fn mirror(from: &From, to: &Path, wanted: &Wanted, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
    let from = open(from)?;
    let to = Folder::plain(to.to_owned());
    Copy { from: &*from, to: &to, below: "" }.run(wanted, key).await
}

/// Copies a registry's static tree into one file, which [`import`] unpacks elsewhere.
///
/// # Errors
/// As [`mirror`]; or the file exists.
pub async fn export(from: &From, to: &Path, wanted: &Wanted) -> Result<Copied, RegistryError> {
    pack::export(&*open(from)?, to, wanted).await
}

/// Unpacks what [`export`] wrote into a folder, checking all of it again.
///
/// # Errors
/// As [`mirror`].
pub async fn import(from: &Path, to: &Path, key: Option<&NoteKey>) -> Result<Copied, RegistryError> {
    pack::import(from, to, key).await
}

/// Copies a registry that goes on working into a folder from which it can be restored: tree and, with a folder, the private key.
///
/// # Errors
/// As [`mirror`].
pub async fn backup(from: &Source, to: &Path) -> Result<Copied, RegistryError> {
    let storage = crate::registry::storage_to_read(from)?;
    let folder = Folder::plain(to.to_owned());
    let copied = Copy { from: &*storage, to: &folder, below: "tree/" }.with_api().run(&Wanted::All, None).await?;
    crate::registry::copy_key(from, to)?;
    Ok(copied)
}

fn open(from: &From) -> Result<Box<dyn Storage>, RegistryError> {
    match from {
        From::Place(source) => crate::registry::storage_to_read(source),
        From::Url(url) => Ok(Box::new(Remote::new(url.clone())?)),
    }
}

/// A copy under way. Paths of `from` are those of a registry's storage; `below` stands before those of `to`.
struct Copy<'a> {
    from: &'a dyn Storage,
    to: &'a dyn Storage,
    below: &'a str,
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
        self.put_log(&log).await?;
        let plugins = log.plugins(wanted).map_err(|name| RegistryError::NoPlugin { name })?;
        let policy = Policy::new(config.keys.iter().copied()).with_development_lines(bundled::line_digests());
        let copies = plugins.iter().map(|(name, lines)| self.plugin(name, lines, &policy));
        let done: Vec<_> = stream::iter(copies).buffered(AT_ONCE).try_collect().await?;
        let entries = done.iter().filter_map(|done: &Plugin| done.entry.clone()).collect::<Vec<_>>();
        self.put_list(entries).await?;
        let config = Config { api: config.api.filter(|_| api == Api::Kept), ..config };
        self.put(layout::CONFIG, config.to_text().into_bytes(), Condition::Always).await?;
        self.put(layout::CHECKPOINT, note, Condition::Always).await?;
        Ok(Copied {
            events: checkpoint.size(),
            plugins: done.len(),
            archives: done.iter().map(|done| done.archives).sum(),
            bytes: done.iter().map(|done| done.bytes).sum(),
            key: log_key,
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
        let path = format!("{}{}", self.below, layout::CHECKPOINT);
        let Some(stored) = self.to.read(&path).await? else { return Ok(None) };
        let place = || Path::new(&self.to.place()).join(&path);
        let opened = Checkpoint::open(&stored.bytes, key);
        opened.map(Some).map_err(|error| RegistryError::Damaged { path: place(), message: chain(&error) })
    }

    async fn put_log(&self, log: &Log) -> Result<(), RegistryError> {
        let writes = log.files.iter().map(async |(path, bytes)| {
            // A full tile that is there is the one that was checked then; a partial one has its width in its name.
            self.put(path, bytes.clone(), Condition::Absent).await
        });
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// A plugin's lines up to the checkpoint, and the archives of its releases.
    async fn plugin(
        &self,
        name: &PluginName,
        leaves: &BTreeMap<u64, Digest>,
        policy: &Policy,
    ) -> Result<Plugin, RegistryError> {
        let path = layout::index_file(name);
        let text = self.text(&path).await?;
        let wrong = |message: String| self.wrong(&path, message);
        let mut kept = String::new();
        let mut events = Vec::new();
        for (line, (seq, digest)) in text.lines().zip(leaves) {
            let line = Line::parse(line).map_err(|error| wrong(chain(&error)))?;
            if line.digest != *digest {
                return Err(wrong(format!("line {} has the digest {}, the log says {digest}", seq + 1, line.digest)));
            }
            kept.push_str(&line.to_text());
            kept.push('\n');
            events.extend(line.event);
        }
        let found = kept.lines().count();
        if found != leaves.len() {
            return Err(wrong(format!("it has {found} lines, the log {} of them", leaves.len())));
        }
        let history = History::replay(name, &kept, policy).map_err(|error| wrong(chain(&error)))?;
        let mut done = Plugin { entry: SearchEntry::of(&history), archives: 0, bytes: 0 };
        for event in &events {
            let Event::Release(release) = event else { continue };
            for record in &release.archives {
                if self.archive(&record.sha256, record.size).await? {
                    done.archives += 1;
                    done.bytes += record.size;
                }
            }
        }
        self.put(&path, kept.into_bytes(), Condition::Always).await?;
        Ok(done)
    }

    /// Copies an archive, unless it is there.
    async fn archive(&self, digest: &Digest, size: u64) -> Result<bool, RegistryError> {
        let path = layout::archive(digest);
        let there = self.to.entry(&format!("{}{path}", self.below)).await?;
        if there.is_some_and(|there| there.length == size) {
            return Ok(false);
        }
        let bytes = self.read(&path).await?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(self.wrong(&path, format!("its digest is {found}, the index says {digest}")));
        }
        self.put(&path, bytes, Condition::Always).await?;
        Ok(true)
    }

    async fn put(&self, path: &str, bytes: Vec<u8>, condition: Condition) -> Result<(), RegistryError> {
        self.to.put(&format!("{}{path}", self.below), bytes.into(), condition).await?;
        Ok(())
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, RegistryError> {
        let stored = self.from.read(&in_tree(path)).await?;
        let stored = stored.ok_or_else(|| self.wrong(path, "it is missing".to_owned()))?;
        Ok(stored.bytes.to_vec())
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

/// A plugin that was copied.
struct Plugin {
    entry: Option<SearchEntry>,
    archives: usize,
    bytes: u64,
}
