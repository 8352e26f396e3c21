//! The whole of a registry, read and computed anew: what no client does for one plugin, somebody should do for everybody.
//!
//! Nothing comes from the cache. Every difference is reported, not only the first; an error is only what keeps the registry from
//! being read at all. It keeps the log's leaves, in which each has some fifty bytes, and a few files at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::log::{ComputedTile, EntriesPath, Frontier, Leaf, NodeHash, TILE_WIDTH, decode_entries};
use pocket_index::name::PluginName;
use pocket_index::record::{ArchiveRecord, History, Line, Recovery};
use pocket_index::search::{Head, Listing};

use super::client::{INDEX_FILE, Logged, Registry, SEARCH_FILE};
use super::error::{RegistryError, TransportError};
use super::order::{self, Stated};
use super::transport::{Freshness, TILE};

/// 64 KiB: a leaf has at most some 170 bytes, a bundle 256 of them.
const BUNDLE: u64 = 64 << 10;
/// 1 GiB: the list of 1,000,000 plugins.
const SEARCH_INDEX: u64 = 1 << 30;
/// Plugins that are read side by side. A file of each, or one archive, is in memory.
const AT_ONCE: usize = 4;

/// Whether archives are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archives {
    /// Each is digested.
    Digested,
    /// None is.
    Skipped,
}

/// What a registry holds, and what in it does not fit together.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Leaves of the log that were read.
    pub leaves: u64,
    /// Plugins that they name.
    pub plugins: u64,
    /// Releases of those.
    pub releases: u64,
    /// Archives that were digested.
    pub archives: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Every time the registry named other owners for a plugin.
    pub recoveries: Vec<(PluginName, Recovery)>,
    /// What does not fit.
    pub differences: Vec<Difference>,
    /// When each line says that the registry took it, until they are compared.
    stated: Vec<Stated>,
}

/// A file that is not what the rest of the registry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The file, relative to the registry's root.
    pub file: String,
    /// What is wrong, with both values.
    pub problem: String,
}

/// The leaves by plugin.
#[derive(Default)]
struct Log {
    plugins: BTreeMap<PluginName, Vec<LoggedLine>>,
    /// Whether every leaf could be read.
    is_complete: bool,
}

/// What a leaf says of a line.
struct LoggedLine {
    seq: u64,
    line: Digest,
    leaf: u64,
}

impl Audit {
    fn differ(&mut self, file: impl Into<String>, problem: impl Into<String>) {
        self.differences.push(Difference { file: file.into(), problem: problem.into() });
    }

    /// What is listed must be in the log.
    fn is_logged(&mut self, log: &Log, file: &str, name: &str) {
        if log.is_complete && !log.plugins.contains_key(name) {
            self.differ(file, format!("it lists `{name}`, of which the log has no event"));
        }
    }

    fn add(&mut self, part: Self) {
        self.plugins += part.plugins;
        self.releases += part.releases;
        self.archives += part.archives;
        self.bytes += part.bytes;
        self.recoveries.extend(part.recoveries);
        self.differences.extend(part.differences);
        self.stated.extend(part.stated);
    }
}

impl Registry {
    /// Reads everything that the checkpoint covers and compares each thing with the others.
    ///
    /// # Errors
    /// A file cannot be read for a reason that may pass. What is missing or wrong is a difference.
    pub async fn audit(&self, archives: Archives) -> Result<Audit, RegistryError> {
        let mut audit = Audit::default();
        let log = self.audit_log(&mut audit).await?;
        self.audit_search(&log, &mut audit).await?;
        let parts = log.plugins.iter().map(|(name, lines)| self.audit_plugin(name, lines, log.is_complete, archives));
        let mut parts = stream::iter(parts).buffered(AT_ONCE);
        while let Some(part) = parts.next().await {
            audit.add(part?);
        }
        audit.differences.extend(order::backdated(std::mem::take(&mut audit.stated)));
        Ok(audit)
    }

    /// Every bundle of leaves, the tiles and the root that they give.
    async fn audit_log(&self, audit: &mut Audit) -> Result<Log, RegistryError> {
        let size = self.checkpoint().size();
        let (mut log, mut frontier) = (Log::default(), Frontier::default());
        while frontier.size() < size {
            let path = EntriesPath::holding(frontier.size(), size);
            let leaves = match self.bundle(path).await? {
                Ok(leaves) => leaves,
                Err(problem) => {
                    audit.differ(path.to_string(), problem);
                    return Ok(log);
                }
            };
            for leaf in leaves {
                let place = LoggedLine { seq: leaf.seq, line: leaf.line, leaf: frontier.size() };
                for tile in frontier.push(leaf.hash()) {
                    self.audit_tile(&tile, audit).await?;
                }
                log.plugins.entry(leaf.name).or_default().push(place);
            }
        }
        for tile in frontier.partial_tiles() {
            self.audit_tile(&tile, audit).await?;
        }
        let (signed, computed) = (self.checkpoint().head().root, frontier.root());
        if signed != computed {
            audit.differ(
                layout::CHECKPOINT,
                format!("the root of {size} leaves is {signed}, the leaves give {computed}"),
            );
        }
        audit.leaves = frontier.size();
        log.is_complete = true;
        Ok(log)
    }

    /// A bundle's leaves; where a partial one is gone, the first ones of the full one.
    async fn bundle(&self, path: EntriesPath) -> Result<Result<Vec<Leaf>, String>, RegistryError> {
        let full = EntriesPath { width: TILE_WIDTH, ..path };
        let (content, width) = match self.fetch(&path.to_string(), BUNDLE).await? {
            Ok(content) => (content, path.width),
            Err(problem) if path == full => return Ok(Err(problem)),
            Err(problem) => match self.fetch(&full.to_string(), BUNDLE).await? {
                Ok(content) => (content, TILE_WIDTH),
                Err(_) => return Ok(Err(problem)),
            },
        };
        let leaves = decode_entries(&content, width).map_err(|error| told(&error));
        Ok(leaves.map(|mut leaves| {
            leaves.truncate(path.width.into());
            leaves
        }))
    }

    async fn audit_tile(&self, tile: &ComputedTile, audit: &mut Audit) -> Result<(), RegistryError> {
        let path = tile.path;
        let content = match self.fetch(&path.to_string(), TILE).await? {
            Err(_) if path.width < TILE_WIDTH => self.fetch(&path.full().to_string(), TILE).await?,
            content => content,
        };
        let content = match content {
            Ok(content) => content,
            Err(problem) => {
                audit.differ(path.to_string(), problem);
                return Ok(());
            }
        };
        let (found, rest) = content.as_chunks::<32>();
        let is_whole = found.len() == tile.hashes.len() || found.len() == usize::from(TILE_WIDTH);
        if !is_whole || !rest.is_empty() {
            let (bytes, expected) = (content.len(), tile.hashes.len() * 32);
            audit.differ(path.to_string(), format!("the tile has {bytes} bytes, expected {expected}"));
            return Ok(());
        }
        for (number, (computed, found)) in tile.hashes.iter().zip(found).enumerate() {
            let found = NodeHash::from_bytes(*found);
            if *computed != found {
                audit.differ(path.to_string(), format!("hash {number} is {found}, the leaves give {computed}"));
            }
        }
        Ok(())
    }

    /// What is listed for searching must be in the log. (What is not listed is not hidden: clients install by name.)
    async fn audit_search(&self, log: &Log, audit: &mut Audit) -> Result<(), RegistryError> {
        let content = match self.fetch(layout::SEARCH, SEARCH_FILE).await? {
            Ok(content) => content,
            Err(problem) => {
                audit.differ(layout::SEARCH, problem);
                return Ok(());
            }
        };
        let text = str::from_utf8(&content).map_err(|error| told(&error));
        let listing = match text.and_then(|text| Listing::parse(text).map_err(|error| told(&error))) {
            Ok(listing) => listing,
            Err(problem) => {
                audit.differ(layout::SEARCH, problem);
                return Ok(());
            }
        };
        listing.entries.keys().for_each(|name| audit.is_logged(log, layout::SEARCH, name.as_str()));
        let Some(file) = &listing.index else { return Ok(()) };
        let path = layout::search_index(&file.sha256);
        match self.fetch(&path, SEARCH_INDEX).await? {
            Ok(content) if Digest::of(&content) != file.sha256 => {
                audit.differ(path, format!("its digest is {}", Digest::of(&content)));
            }
            Ok(content) => match Head::parse(content.into()) {
                Ok(head) => head.names().for_each(|name| audit.is_logged(log, &path, name)),
                Err(error) => audit.differ(path, told(&error)),
            },
            Err(problem) => audit.differ(path, problem),
        }
        Ok(())
    }

    async fn audit_plugin(
        &self,
        name: &PluginName,
        logged: &[LoggedLine],
        is_complete: bool,
        archives: Archives,
    ) -> Result<Audit, RegistryError> {
        let mut part = Audit { plugins: 1, ..Audit::default() };
        let file = layout::index_file(name);
        let content = self.fetch(&file, INDEX_FILE).await?;
        let text = content.and_then(|content| String::from_utf8(content.into()).map_err(|error| told(&error)));
        let text = match text {
            Ok(text) => text,
            Err(problem) => {
                part.differ(file, problem);
                return Ok(part);
            }
        };
        let size = self.checkpoint().size();
        let mut compared = Compared::default();
        compared.compare(&text, logged, size, is_complete);
        compared.problems.into_iter().for_each(|problem| part.differ(&file, problem));
        let stated = |(leaf, at, event)| Stated { leaf, at, event, file: file.clone() };
        part.stated.extend(compared.stated.into_iter().map(stated));
        match self.replay(name, &text) {
            Ok(history) => {
                let is_logged = is_complete && part.differences.is_empty();
                let logged = if is_logged { Logged::Whole } else { Logged::Otherwise };
                if let Err(error) = self.check_memory(history.outline(), logged) {
                    part.differ(&file, told(&error));
                }
                let recoveries = history.recoveries().iter().cloned();
                part.recoveries.extend(recoveries.map(|recovery| (name.clone(), recovery)));
                for entry in history.releases() {
                    part.releases += 1;
                    for record in entry.release().archives.iter().filter(|_| archives == Archives::Digested) {
                        self.audit_archive(record, &mut part).await?;
                    }
                }
            }
            Err(problem) => part.differ(&file, problem),
        }
        Ok(part)
    }

    fn replay(&self, name: &PluginName, text: &str) -> Result<History, String> {
        History::replay(name, text, self.policy()).map_err(|error| told(&error))
    }

    async fn audit_archive(&self, record: &ArchiveRecord, part: &mut Audit) -> Result<(), RegistryError> {
        let file = layout::archive(&record.sha256);
        // One byte more than announced is enough to know that it is another file.
        let content = match self.fetch(&file, record.size + 1).await? {
            Ok(content) => content,
            Err(problem) => {
                part.differ(file, format!("{problem}; it is `{}`", record.file));
                return Ok(());
            }
        };
        let found = Digest::of(&content);
        if found != record.sha256 {
            let (bytes, expected) = (content.len(), record.size);
            part.differ(
                file,
                format!(
                    "`{}` has {bytes} bytes and the digest {found}, expected {expected} bytes and {}",
                    record.file, record.sha256
                ),
            );
        }
        part.archives += 1;
        part.bytes += content.len() as u64;
        Ok(())
    }

    /// A file as the registry has it now, or why it has none that could be right.
    async fn fetch(&self, path: &str, limit: u64) -> Result<Result<Bytes, String>, RegistryError> {
        match self.read(path, limit, Freshness::Anew).await {
            Ok(content) => Ok(Ok(content)),
            Err(RegistryError::Transport {
                source: error @ (TransportError::NotFound { .. } | TransportError::TooLarge { .. }),
                ..
            }) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// A file's lines beside the log's leaves.
#[derive(Default)]
struct Compared {
    /// What does not fit.
    problems: Vec<String>,
    /// Leaf, time and number, from 1, of each line that does.
    stated: Vec<(u64, u64, u64)>,
}

impl Compared {
    /// Every line of a file against the log's leaves, and every leaf against the lines.
    fn compare(&mut self, text: &str, logged: &[LoggedLine], size: u64, is_complete: bool) {
        let mut leaves: BTreeMap<u64, Vec<&LoggedLine>> = BTreeMap::new();
        logged.iter().for_each(|line| leaves.entry(line.seq).or_default().push(line));
        for (seq, line) in (0..).zip(text.split_terminator('\n')) {
            let (event, found) = (seq + 1, Digest::of(line.as_bytes()));
            let place = Line::parse(line).ok().map(|line| (line.log, line.at));
            let Some(leaves) = leaves.remove(&seq) else {
                let is_unpublished = place.is_some_and(|(place, _)| place >= size);
                if is_complete && !is_unpublished {
                    self.problems.push(format!("event {event} is {found}, of which the log has no leaf"));
                }
                continue;
            };
            for leaf in leaves {
                self.compare_line(event, found, place, leaf);
            }
        }
        for line in leaves.into_values().flatten() {
            let LoggedLine { seq, line, leaf } = line;
            self.problems.push(format!("event {} is not there, leaf {leaf} of the log says {line}", seq + 1));
        }
    }

    /// One line, of which `place` is the leaf and the time that it states, and a leaf that names it.
    fn compare_line(&mut self, event: u64, found: Digest, place: Option<(u64, u64)>, logged: &LoggedLine) {
        let LoggedLine { line: expected, leaf, .. } = logged;
        match place {
            _ if *expected != found => {
                self.problems.push(format!("event {event} is {found}, leaf {leaf} of the log says {expected}"));
            }
            Some((place, _)) if place != *leaf => {
                self.problems.push(format!("event {event} says that it is leaf {place} of the log, it is leaf {leaf}"));
            }
            Some((_, at)) => self.stated.push((*leaf, at, event)),
            None => {}
        }
    }
}

/// An error with its causes, in one sentence.
fn told(error: &dyn std::error::Error) -> String {
    let mut sentences = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if sentences.last() != Some(&text) {
            sentences.push(text);
        }
        next = cause.source();
    }
    sentences.join(": ")
}
