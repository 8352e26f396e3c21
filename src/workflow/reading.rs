//! From a YAML tree to a [`Document`]: every key is known or reported, and reading goes on after a problem.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::document::{At, Connection, DEFAULT_MAX_STEPS, Document, Fallback, NodeEntry, PluginBlock, Retry};
use super::near::nearest;
use super::problem::{Problem, Problems, Severity};
use super::source::SourceText;
use super::value::{Key, Kind, Yaml};
use pocket_index::permissions::parse_duration;

pub(super) const ROOT_KEYS: &[&str] = &[
    "name",
    "start",
    "nodes",
    "connections",
    "description",
    "version",
    "metadata",
    "plugins",
    "vars",
    "timeout",
    "max_steps",
    "finally",
    "journal",
];
pub(super) const NODE_KEYS: &[&str] = &["name", "type", "config", "timeout", "retry", "fallback", "description"];
pub(super) const CONNECTION_KEYS: &[&str] = &["from", "to", "when", "action"];
pub(super) const RETRY_KEYS: &[&str] = &["max_attempts", "delay", "multiplier", "max_delay", "jitter"];
pub(super) const FALLBACK_KEYS: &[&str] = &["value", "node"];

/// The most attempts a node may have: 1,000. More is a loop, not a retry.
const MAX_ATTEMPTS: u64 = 1_000;

/// A document being read, with the problems found so far.
pub(super) struct Reading {
    source: Arc<SourceText>,
    problems: Problems,
    /// The names of nodes that cannot be read.
    unread: HashSet<String>,
}

impl Reading {
    /// `problems` were found before.
    pub(super) fn new(source: Arc<SourceText>, problems: Problems) -> Self {
        Self { source, problems, unread: HashSet::new() }
    }

    pub(super) fn document(mut self, mut tree: Yaml, folder: PathBuf) -> Document {
        self.mapping(&tree, "a workflow", ROOT_KEYS);
        let nodes = self.entries(tree.take("nodes"), "nodes", Self::node);
        if nodes.is_empty() && self.problems.is_empty() {
            let message = "the workflow has no nodes";
            self.error(tree.span.clone(), message, Some("add `nodes:` with at least one `name` and `type`"));
        }
        let connections =
            self.entries(tree.take("connections"), "connections", |reading, tree| reading.connection(&tree));
        let finally = self.finally(tree.take("finally"));
        let tree = &tree;
        let document = Document {
            source: Arc::clone(&self.source),
            folder,
            path: None,
            name: tree.get("name").and_then(|value| self.text(value, "name")),
            description: self.plain_text(tree, "description"),
            version: self.plain_text(tree, "version"),
            metadata: tree.get("metadata").map_or(Value::Null, Yaml::to_value),
            start: tree.get("start").and_then(|value| self.text(value, "start")),
            nodes,
            finally,
            connections,
            vars: self.plain_mapping(tree, "vars"),
            timeout: tree.get("timeout").and_then(|value| self.duration(value, "timeout")),
            max_steps: self.whole(tree, "max_steps", 1..=u64::MAX).unwrap_or(DEFAULT_MAX_STEPS),
            journal: self.truth(tree, "journal"),
            plugins: self.plugins(tree),
            problems: Problems::default(),
            unread: std::mem::take(&mut self.unread),
        };
        Document { problems: self.problems.sorted(), ..document }
    }

    fn node(&mut self, mut tree: Yaml) -> Option<NodeEntry> {
        if self.mapping(&tree, "a node", NODE_KEYS).is_empty() {
            return None;
        }
        let config = tree.take("config").unwrap_or(Yaml { span: tree.span.clone(), kind: Kind::Null });
        let tree = &tree;
        let name = self.required(tree, "name", "a node", NODE_KEYS);
        let node_type = self.required(tree, "type", "a node", NODE_KEYS);
        if !matches!(config.kind, Kind::Map(_) | Kind::Null) {
            let message = format!("`config` must be a mapping, found {}", config.describe());
            self.error(config.span.clone(), message, None::<&str>);
        }
        let timeout = tree.get("timeout").and_then(|value| self.duration(value, "timeout"));
        let retry = tree.get("retry").and_then(|value| self.retry(value)).map(Arc::new);
        let fallback = tree.get("fallback").and_then(|value| self.fallback(value)).map(Box::new);
        let description = self.plain_text(tree, "description");
        let (Some(name), Some(node_type)) = (name, node_type) else {
            self.unread.extend(meant_names(tree));
            return None;
        };
        Some(NodeEntry {
            span: tree.head(),
            name,
            node_type,
            description,
            config: Arc::new(config),
            timeout,
            retry,
            fallback,
        })
    }

    /// One node, or a list of them.
    fn finally(&mut self, tree: Option<Yaml>) -> Vec<NodeEntry> {
        match tree {
            Some(node @ Yaml { kind: Kind::Map(_), .. }) => self.node(node).into_iter().collect(),
            list => self.entries(list, "finally", Self::node),
        }
    }

    fn truth(&mut self, tree: &Yaml, key: &str) -> bool {
        match tree.get(key).map(|value| (&value.kind, value)) {
            None => false,
            Some((Kind::Bool(word), _)) => *word,
            Some((_, value)) => {
                self.expected(value, key, "`true` or `false`");
                false
            }
        }
    }

    fn connection(&mut self, tree: &Yaml) -> Option<Connection> {
        let entries = self.mapping(tree, "a connection", CONNECTION_KEYS);
        if entries.is_empty() {
            return None;
        }
        let from = self.required(tree, "from", "a connection", CONNECTION_KEYS);
        let to = self.required(tree, "to", "a connection", CONNECTION_KEYS);
        if let (Some(_), Some(action)) = (tree.get("when"), tree.get("action")) {
            self.error(action.span.clone(), "`when` and `action` mean the same: keep one", None::<&str>);
        }
        let action = tree.get("when").or(tree.get("action")).and_then(|value| self.text(value, "when"));
        Some(Connection { from: from?, to: to?, action })
    }

    fn retry(&mut self, tree: &Yaml) -> Option<Retry> {
        if self.mapping(tree, "`retry`", RETRY_KEYS).is_empty() {
            return None;
        }
        let default = Retry::default();
        let attempts = self.whole(tree, "max_attempts", 1..=MAX_ATTEMPTS).unwrap_or(default.max_attempts.into());
        Some(Retry {
            max_attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            delay: tree.get("delay").and_then(|value| self.duration(value, "delay")).unwrap_or(default.delay),
            multiplier: self.number(tree, "multiplier", 1.0, 100.0).unwrap_or(default.multiplier),
            max_delay: tree
                .get("max_delay")
                .and_then(|value| self.duration(value, "max_delay"))
                .unwrap_or(default.max_delay),
            jitter: match tree.get("jitter").map(|value| &value.kind) {
                Some(Kind::Bool(true)) => 0.5,
                Some(Kind::Bool(false)) => 0.0,
                _ => self.number(tree, "jitter", 0.0, 1.0).unwrap_or(default.jitter),
            },
        })
    }

    fn fallback(&mut self, tree: &Yaml) -> Option<Fallback> {
        let entries = self.mapping(tree, "`fallback`", FALLBACK_KEYS);
        match (tree.get("value"), tree.get("node")) {
            (Some(value), None) => Some(Fallback::Value(value.to_value())),
            (None, Some(node)) => self.text(node, "node").map(Fallback::Node),
            // A word that is none was told.
            (None, None) if entries.iter().any(|(key, _)| !FALLBACK_KEYS.contains(&key.text.as_str())) => None,
            _ if entries.is_empty() => None,
            _ => {
                let help = Some("write `fallback: {value: …}` or `fallback: {node: name}`");
                self.error(tree.span.clone(), "`fallback` takes either `value` or `node`", help);
                None
            }
        }
    }

    fn plugins(&mut self, tree: &Yaml) -> Vec<PluginBlock> {
        let Some(block) = tree.get("plugins") else { return Vec::new() };
        let Kind::Map(entries) = &block.kind else {
            self.expected(block, "plugins", "a mapping of plugin names to settings");
            return Vec::new();
        };
        for (key, value) in entries {
            if !matches!(value.kind, Kind::Map(_) | Kind::Null) {
                self.expected(value, &key.text, "a mapping of settings");
            }
        }
        let block = |(key, value): &(Key, Yaml)| PluginBlock {
            name: At { value: key.text.to_string(), span: key.span.clone() },
            settings: value.clone(),
            values: value.to_map(),
        };
        entries.iter().map(block).collect()
    }

    /// Each entry of a list that could be read.
    fn entries<T>(&mut self, list: Option<Yaml>, key: &str, read: impl Fn(&mut Self, Yaml) -> Option<T>) -> Vec<T> {
        match list {
            None | Some(Yaml { kind: Kind::Null, .. }) => Vec::new(),
            Some(Yaml { kind: Kind::List(items), .. }) => {
                // Not one vector made of the other: it would keep the room of the larger items.
                let mut entries = Vec::with_capacity(items.len());
                entries.extend(items.into_iter().filter_map(|item| read(self, item)));
                entries
            }
            Some(list) => {
                self.expected(&list, key, "a list");
                Vec::new()
            }
        }
    }

    /// The entries of a mapping, after reporting unknown keys; empty when it is none.
    fn mapping<'a>(&mut self, tree: &'a Yaml, what: &str, known: &[&str]) -> &'a [(Key, Yaml)] {
        let Kind::Map(entries) = &tree.kind else {
            let keys = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let message = format!("{what} must be a mapping, found {}", tree.describe());
            self.error(tree.span.clone(), message, Some(format!("its keys are {keys}")));
            return &[];
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let help = nearest(&key.text, known.iter().copied())
                .map_or_else(|| format!("known keys: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            self.error(key.span.clone(), format!("{what} has no key `{}`", key.text), Some(help));
        }
        entries
    }

    fn required(&mut self, tree: &Yaml, key: &str, what: &str, known: &[&str]) -> Option<At<String>> {
        match tree.get(key) {
            Some(value) => self.text(value, key),
            // That there is no such key was told.
            None if is_misspelt(tree, key, known) => None,
            None => {
                self.error(tree.head(), format!("{what} needs `{key}`"), None::<&str>);
                None
            }
        }
    }

    /// Text that is not empty. Numbers are taken as they would be written: `version: 1.2`.
    fn text(&mut self, value: &Yaml, key: &str) -> Option<At<String>> {
        let text = match &value.kind {
            Kind::Text(text) if !text.is_empty() => text.to_string(),
            Kind::Number(number) => number.to_string(),
            Kind::Bool(word) => word.to_string(),
            _ => {
                self.expected(value, key, "a name");
                return None;
            }
        };
        Some(At { value: text, span: value.span.clone() })
    }

    fn plain_text(&mut self, tree: &Yaml, key: &str) -> Option<String> {
        let value = tree.get(key)?;
        match &value.kind {
            Kind::Text(text) => Some(text.to_string()),
            Kind::Number(number) => Some(number.to_string()),
            Kind::Null => None,
            _ => {
                self.expected(value, key, "text");
                None
            }
        }
    }

    fn plain_mapping(&mut self, tree: &Yaml, key: &str) -> Map<String, Value> {
        let Some(value) = tree.get(key) else { return Map::new() };
        if !matches!(value.kind, Kind::Map(_) | Kind::Null) {
            self.expected(value, key, "a mapping");
        }
        value.to_map()
    }

    fn duration(&mut self, value: &Yaml, key: &str) -> Option<Duration> {
        match &value.kind {
            Kind::Text(text) => match parse_duration(text) {
                // No time at all would fail every call.
                Ok(duration) if duration.is_zero() && key != "delay" => {
                    self.expected(value, key, "above zero");
                    None
                }
                Ok(duration) => Some(duration),
                Err(error) => {
                    self.error(value.span.clone(), format!("`{key}`: {error}"), None::<&str>);
                    None
                }
            },
            _ => {
                self.expected(value, key, "a duration such as `3s`, `500ms` or `1m30s`");
                None
            }
        }
    }

    fn whole(&mut self, tree: &Yaml, key: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let value = tree.get(key)?;
        let number = if let Kind::Number(number) = &value.kind { number.as_u64() } else { None };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let most = if *range.end() == u64::MAX { "up".to_owned() } else { format!("to {}", range.end()) };
            self.expected(value, key, &format!("a whole number from {} {most}", range.start()));
        }
        number
    }

    fn number(&mut self, tree: &Yaml, key: &str, least: f64, most: f64) -> Option<f64> {
        let value = tree.get(key)?;
        let number = if let Kind::Number(number) = &value.kind { number.as_f64() } else { None };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.expected(value, key, &format!("a number from {least} to {most}"));
        }
        number
    }

    fn expected(&mut self, value: &Yaml, key: &str, wanted: &str) {
        let message = format!("`{key}` must be {wanted}, found {}", value.describe());
        self.error(value.span.clone(), message, None::<&str>);
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<impl Into<String>>) {
        let source = &self.source;
        self.problems.add(Severity::Error, || Problem::new(Severity::Error, source, span, message).help(help));
    }
}

/// Whether the key is there under a name that is nearest to it.
fn is_misspelt(tree: &Yaml, key: &str, known: &[&str]) -> bool {
    let Kind::Map(entries) = &tree.kind else { return false };
    let mut strange = entries.iter().map(|(key, _)| key.text.as_str()).filter(|text| !known.contains(text));
    strange.any(|text| nearest(text, known.iter().copied()) == Some(key))
}

/// What a node that cannot be read is probably called.
fn meant_names(tree: &Yaml) -> impl Iterator<Item = String> {
    let entries = if let Kind::Map(entries) = &tree.kind { entries.as_slice() } else { &[] };
    let names = entries.iter().filter(|(key, _)| nearest(&key.text, NODE_KEYS.iter().copied()) == Some("name"));
    names.filter_map(|(_, value)| if let Kind::Text(name) = &value.kind { Some(name.to_string()) } else { None })
}
