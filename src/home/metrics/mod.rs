//! What was counted of plugins' calls, in one file for all projects: `metrics.json`.
//!
//! Every run adds what it counted, in one turn: processes that end at the same moment lose nothing of each other, and one that is
//! killed leaves the old numbers or the new ones.

mod histogram;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Home, HomeError, atomic, io_error};

pub use histogram::Histogram;

/// 1,000 pairs of plugin and node are kept, those that were used last: the file stays below some megabytes.
const MAX_NODES: usize = 1_000;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// When counting began, in seconds since 1970; 0 if nothing was counted.
    pub since: u64,
    /// By plugin.
    pub plugins: BTreeMap<String, PluginMetrics>,
}

/// What was counted of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginMetrics {
    /// The most bytes of memory that were seen in use; none where the runtime does not tell.
    pub memory_peak: Option<u64>,
    /// How often its process was started again after it died.
    pub restarts: u64,
    /// By node type.
    pub nodes: BTreeMap<String, NodeMetrics>,
}

/// What was counted of one node type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeMetrics {
    /// Calls, those that failed too.
    pub calls: u64,
    /// Failed calls by kind.
    pub errors: BTreeMap<String, u64>,
    /// All calls' time together, in microseconds.
    pub total_micros: u64,
    /// The longest call, in microseconds.
    pub max_micros: u64,
    /// When it was called last, in seconds since 1970.
    pub last: u64,
    /// How long calls took.
    pub times: Histogram,
}

impl Metrics {
    /// Counts one call; `error` is its kind if it failed.
    pub fn count(&mut self, plugin: &str, node: &str, elapsed: Duration, error: Option<&str>) {
        let now = now();
        if self.since == 0 {
            self.since = now;
        }
        let node = entry(&mut entry(&mut self.plugins, plugin).nodes, node);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        node.calls += 1;
        if let Some(kind) = error {
            *entry(&mut node.errors, kind) += 1;
        }
        node.total_micros = node.total_micros.saturating_add(micros);
        node.max_micros = node.max_micros.max(micros);
        node.last = now;
        node.times.count(micros);
    }

    /// Adds what another process counted.
    pub fn merge(&mut self, other: &Self) {
        self.since = [self.since, other.since].into_iter().filter(|since| *since > 0).min().unwrap_or(0);
        for (name, theirs) in &other.plugins {
            let ours = entry(&mut self.plugins, name);
            ours.memory_peak = ours.memory_peak.max(theirs.memory_peak);
            ours.restarts = ours.restarts.saturating_add(theirs.restarts);
            theirs.nodes.iter().for_each(|(name, node)| entry(&mut ours.nodes, name).merge(node));
        }
        self.forget_oldest();
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }

    fn forget_oldest(&mut self) {
        let nodes = self.plugins.values().flat_map(|plugin| plugin.nodes.values());
        let mut ages: Vec<u64> = nodes.map(|node| node.last).collect();
        if ages.len() <= MAX_NODES {
            return;
        }
        ages.sort_unstable_by(|one, other| other.cmp(one));
        let (oldest, mut left) = (ages[MAX_NODES - 1], MAX_NODES);
        for plugin in self.plugins.values_mut() {
            plugin.nodes.retain(|_, node| {
                let stays = node.last >= oldest && left > 0;
                left -= usize::from(stays);
                stays
            });
        }
        self.plugins.retain(|_, plugin| !plugin.nodes.is_empty());
    }
}

impl NodeMetrics {
    fn merge(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        for (kind, count) in &other.errors {
            *entry(&mut self.errors, kind) += count;
        }
        self.total_micros = self.total_micros.saturating_add(other.total_micros);
        self.max_micros = self.max_micros.max(other.max_micros);
        self.last = self.last.max(other.last);
        self.times.merge(&other.times);
    }
}

/// The value of a key, without a new key where there is one.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, key: &str) -> &'a mut T {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), T::default());
    }
    map.get_mut(key).expect("it was just put there")
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What was counted so far; nothing if there is no file.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn read(home: &Home) -> Result<Metrics, HomeError> {
    let path = path(home);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Metrics::default()),
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    serde_json::from_slice(&text).map_err(|error| HomeError::Damaged { path, message: error.to_string() })
}

/// Adds what a run counted.
///
/// # Errors
/// The file cannot be read or written, or is damaged; it is as it was then.
pub fn add(home: &Home, counted: &Metrics) -> Result<(), HomeError> {
    change(home, |metrics| metrics.merge(counted))
}

/// Forgets what was counted of one plugin, or of all. A damaged file is replaced.
///
/// # Errors
/// The file cannot be written.
pub fn reset(home: &Home, plugin: Option<&str>) -> Result<(), HomeError> {
    let Some(name) = plugin else {
        let _turn = lock(home)?;
        return write(home, &Metrics::default());
    };
    change(home, |metrics| drop(metrics.plugins.remove(name)))
}

fn change(home: &Home, change: impl FnOnce(&mut Metrics)) -> Result<(), HomeError> {
    let _turn = lock(home)?;
    let mut metrics = read(home)?;
    change(&mut metrics);
    write(home, &metrics)
}

fn write(home: &Home, metrics: &Metrics) -> Result<(), HomeError> {
    let path = path(home);
    let text = serde_json::to_vec(metrics).expect("numbers under names are JSON");
    atomic::replace_file(&path, &text).map(drop).map_err(io_error("write", &path))
}

fn path(home: &Home) -> PathBuf {
    home.root().join("metrics.json")
}

/// Held while the file changes; given up by the kernel if the process dies.
fn lock(home: &Home) -> Result<File, HomeError> {
    let path: &Path = &home.root().join("metrics.lock");
    fs::create_dir_all(home.root()).map_err(io_error("create", home.root()))?;
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io_error("open", path))?;
    file.lock().map_err(io_error("lock", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(plugin: &str, node: &str) -> Metrics {
        let mut metrics = Metrics::default();
        metrics.count(plugin, node, Duration::from_millis(3), None);
        metrics.count(plugin, node, Duration::from_millis(5), Some("timeout"));
        metrics
    }

    #[test]
    fn runs_that_end_together_lose_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| add(&home, &counted("cache", "get")).expect("it is written"));
            }
        });
        let node = &read(&home).expect("it is read").plugins["cache"].nodes["get"];
        assert_eq!((node.calls, node.errors["timeout"], node.max_micros), (16, 8, 5_000));
        assert_eq!(node.total_micros, 64_000);
    }

    #[test]
    fn only_so_many_nodes_are_kept() {
        let mut metrics = Metrics::default();
        for number in 0..MAX_NODES + 50 {
            metrics.merge(&counted(&format!("plugin-{number}"), "node"));
        }
        assert_eq!(metrics.plugins.len(), MAX_NODES);
    }

    #[test]
    fn a_damaged_file_is_not_overwritten_by_a_run_but_by_a_reset() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        fs::write(path(&home), "{\"plugins\": 7}").expect("it is written");
        assert!(matches!(add(&home, &counted("a", "b")), Err(HomeError::Damaged { .. })));
        reset(&home, None).expect("it is replaced");
        add(&home, &counted("a", "b")).expect("it is written");
        reset(&home, Some("a")).expect("it is written");
        assert!(read(&home).expect("it is read").is_empty());
    }
}
