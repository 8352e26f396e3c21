//! A workflow document as it was written: names, settings and places, nothing checked against the world yet.

use std::collections::{BTreeSet, HashSet};
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::problem::{Problem, Problems, Severity};
use super::reading::Reading;
use super::source::SourceText;
use super::value::{self, Yaml};

/// How many node runs a workflow may make when it does not say: 100,000. Far above real loops, reached in a second by a runaway.
pub const DEFAULT_MAX_STEPS: u64 = 100_000;

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
}

/// A parsed workflow file.
#[derive(Debug, Clone)]
pub struct Document {
    /// The text it came from.
    pub source: Arc<SourceText>,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
    /// The file it was read from.
    pub path: Option<PathBuf>,
    /// What the workflow is called.
    pub name: Option<At<String>>,
    /// One line about it.
    pub description: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// Anything else its author keeps with it.
    pub metadata: Value,
    /// The node it starts at; absent means the first.
    pub start: Option<At<String>>,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<NodeEntry>,
    /// The nodes that run when it has ended, however it did, in this order.
    pub finally: Vec<NodeEntry>,
    /// Its connections, in the order of the file. None at all: nodes run in the order of the file.
    pub connections: Vec<Connection>,
    /// Values that every template can see.
    pub vars: Map<String, Value>,
    /// The longest a run may take.
    pub timeout: Option<Duration>,
    /// How many node runs a run may make.
    pub max_steps: u64,
    /// Whether each run has a journal.
    pub journal: bool,
    /// What is already known to be wrong with it; [`super::plan::Plan::new`] reports it with its own findings.
    pub problems: Problems,
    pub(super) plugins: Vec<PluginBlock>,
    /// The names of nodes that are wrong in themselves, so that they are not among its nodes.
    pub(super) unread: HashSet<String>,
}

/// The settings that a document gives to a plugin.
#[derive(Debug, Clone)]
pub(super) struct PluginBlock {
    /// The plugin.
    pub name: At<String>,
    /// Its settings with their places; `${NAME}` is left as written.
    pub settings: Yaml,
    /// The same without places.
    pub values: Map<String, Value>,
}

/// One node as it was written.
#[derive(Debug, Clone)]
pub struct NodeEntry {
    /// Where the entry stands.
    pub span: Range<usize>,
    /// Its name.
    pub name: At<String>,
    /// Its type: `http`, `redis-get` or `redis-cache/redis-get`.
    pub node_type: At<String>,
    /// One line about it.
    pub description: Option<String>,
    /// Its settings; `Null` when it has none.
    pub config: Arc<Yaml>,
    /// The longest one attempt may take.
    pub timeout: Option<Duration>,
    /// Whether and how a failure is tried again.
    pub retry: Option<Arc<Retry>>,
    /// What happens when every attempt failed.
    pub fallback: Option<Box<Fallback>>,
}

/// Whether and how a failure is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// How many attempts there are in all, the first included.
    pub max_attempts: u32,
    /// The pause before the second attempt.
    pub delay: Duration,
    /// What each further pause is multiplied by.
    pub multiplier: f64,
    /// The longest pause.
    pub max_delay: Duration,
    /// The share of a pause that chance takes away, 0 to 1: keeps many runs from trying again at the same moment.
    pub jitter: f64,
}

impl Default for Retry {
    /// Three attempts, the pause doubling from 1 s to at most 30 s.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            delay: Duration::from_secs(1),
            multiplier: 2.0,
            max_delay: Duration::from_secs(30),
            jitter: 0.0,
        }
    }
}

impl Retry {
    /// The pause after the given failed attempt, counted from 1, before chance shortens it.
    pub fn pause(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.delay.as_secs_f64() * self.multiplier.powi(exponent);
        Duration::try_from_secs_f64(seconds).map_or(self.max_delay, |pause| pause.min(self.max_delay))
    }
}

/// What happens when every attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Fallback {
    /// The node's output is this value, as if it had succeeded.
    Value(Value),
    /// The run goes on at this node, which receives `{error, input}`.
    Node(At<String>),
}

/// One connection as it was written.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The node it leaves.
    pub from: At<String>,
    /// The node it enters.
    pub to: At<String>,
    /// The action it carries; absent means `default`.
    pub action: Option<At<String>>,
}

impl Document {
    /// Reads a file; its name in problems is the path as given.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        let unreadable = |source| DocumentError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > value::MAX_BYTES as u64 {
            return Err(DocumentError::TooLarge { path: path.to_owned(), length });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).map_or(0, |length| length + 1));
        // What is no regular file tells no length: one byte more than may be shows that there is too much.
        let mut file = std::fs::File::open(path).map_err(unreadable)?.take(value::MAX_BYTES as u64 + 1);
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > value::MAX_BYTES {
            return Err(DocumentError::TooLarge { path: path.to_owned(), length: bytes.len() as u64 });
        }
        let text = String::from_utf8(bytes).map_err(|error| no_text(path, &error))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let document = Self::parse(SourceText::new(path.display().to_string(), text), folder)?;
        Ok(Self { path: Some(path.to_owned()), ..document })
    }

    /// Parses a text. Only text that is no YAML fails here; everything else that is wrong stands in [`Self::problems`].
    pub fn parse(source: SourceText, folder: impl Into<PathBuf>) -> Result<Self, Problems> {
        let source = Arc::new(source);
        let tree = value::parse(&source).map_err(|problem| Problems::new(vec![*problem]))?;
        let mut problems = Problems::default();
        value::suspicious(&tree, &source, &mut problems);
        Ok(Reading::new(source, problems).document(tree, folder.into()))
    }

    /// A part of a document's text as a document.
    pub(super) fn of_tree(source: &Arc<SourceText>, tree: Yaml, folder: &Path) -> Self {
        Reading::new(Arc::clone(source), Problems::default()).document(tree, folder.to_owned())
    }

    /// The `plugins:` block: settings by plugin, to be merged over those of `pocket.yaml`. `${NAME}` is left as written.
    pub fn plugin_settings(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.plugins.iter().map(|block| (block.name.value.as_str(), &block.values))
    }

    /// Adds what else is known to be wrong with it.
    pub fn add_problems(&mut self, problems: Problems) {
        self.problems.extend(problems);
    }

    /// A problem with a setting of the `plugins:` block, by its keys.
    pub fn setting_problem(&self, plugin: &str, keys: &[&str], message: impl Into<String>) -> Problem {
        let block = self.plugins.iter().find(|block| block.name.value == plugin);
        let pointer =
            keys.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect::<String>();
        let span = block.map_or(0..0, |block| block.settings.place(&pointer));
        Problem::new(Severity::Error, &self.source, span, message)
    }

    /// Its nodes and those of `finally`.
    pub fn entries(&self) -> impl Iterator<Item = &NodeEntry> {
        self.nodes.iter().chain(&self.finally)
    }

    /// Every node type it uses, so that only the plugins that provide them need loading.
    pub fn node_types(&self) -> BTreeSet<&str> {
        let mut types = BTreeSet::new();
        self.entries().for_each(|node| add_types(&node.node_type.value, &node.config, &mut types));
        types
    }
}

/// What is wrong with a file whose bytes are no text, at the first that is none.
fn no_text(path: &Path, error: &std::string::FromUtf8Error) -> Problems {
    let at = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes());
    let source = Arc::new(SourceText::new(path.display().to_string(), text));
    let message = format!("the file is not UTF-8: byte 0x{:02x} begins no character", error.as_bytes()[at]);
    let problem = Problem::new(Severity::Error, &source, at..at + 1, message);
    Problems::new(vec![problem.help(Some("save it as UTF-8"))])
}

/// Adds a node's type and those of the nodes that it runs itself.
fn add_types<'a>(node_type: &'a str, config: &'a Yaml, types: &mut BTreeSet<&'a str>) {
    types.insert(node_type);
    let (list, key) = match node_type {
        "parallel" => ("tasks", "node"),
        "foreach" => ("body", "type"),
        _ => return,
    };
    let inner = match config.get(list) {
        Some(Yaml { kind: value::Kind::List(nodes), .. }) => nodes.as_slice(),
        Some(node) => std::slice::from_ref(node),
        None => &[],
    };
    for node in inner {
        if let Some(value::Kind::Text(node_type)) = node.get(key).map(|value| &value.kind) {
            add_types(node_type, node.get("config").unwrap_or(node), types);
        }
    }
}

/// Why a workflow file gives no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any workflow.
    #[error("`{}` has {length} bytes, a workflow has at most {}", path.display(), value::MAX_BYTES)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        length: u64,
    },
    /// It has problems.
    #[error("{0}")]
    Invalid(#[from] Problems),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(SourceText::new("w.yaml", text), "").unwrap()
    }

    fn problems(text: &str) -> String {
        document(text).problems.to_string()
    }

    #[test]
    fn every_part_of_a_document_is_read() {
        let text = "name: all\nstart: a\ntimeout: 1m30s\nmax_steps: 7\nvars: {x: 1}\nplugins:\n  redis-cache: {host: h}\n\
            nodes:\n  - name: a\n    type: redis-get\n    timeout: 2s\n    retry: {max_attempts: 5, delay: 100ms, jitter: true}\n    \
            fallback: {value: null}\n  - {name: b, type: parallel, config: {tasks: [{node: http}]}}\n\
            connections:\n  - {from: a, to: b, when: found}\n";
        let document = document(text);
        assert!(document.problems.is_empty(), "{}", document.problems);
        assert_eq!(document.timeout, Some(Duration::from_secs(90)));
        assert_eq!(document.max_steps, 7);
        assert_eq!(document.node_types().into_iter().collect::<Vec<_>>(), ["http", "parallel", "redis-get"]);
        let (plugin, settings) = document.plugin_settings().next().unwrap();
        assert_eq!((plugin, &settings["host"]), ("redis-cache", &Value::from("h")));
        assert_eq!(document.nodes[0].fallback.as_deref(), Some(&Fallback::Value(Value::Null)));
        assert_eq!(document.nodes[0].retry.as_ref().unwrap().max_attempts, 5);
        assert_eq!(document.connections[0].action.as_ref().unwrap().value, "found");
    }

    #[test]
    fn bytes_that_are_no_text_are_told_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.yaml");
        std::fs::write(&path, b"nodes:\n- {name: a\xff, type: echo}\n").unwrap();
        let Err(DocumentError::Invalid(problems)) = Document::read(&path) else { panic!("it is refused") };
        let problem = problems.iter().next().unwrap();
        assert_eq!((problem.line, problem.column), (2, 11));
        assert_eq!(problem.message, "the file is not UTF-8: byte 0xff begins no character");
    }

    #[test]
    fn a_pause_grows_up_to_its_limit() {
        let retry = Retry { max_delay: Duration::from_secs(3), ..Retry::default() };
        let pauses: Vec<u64> = [1, 2, 3, 4000].map(|attempt| retry.pause(attempt).as_secs()).to_vec();
        assert_eq!(pauses, [1, 2, 3, 3]);
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let text = "nmae: x\nstart: [a]\nnodes:\n  - name: a\n    tpye: echo\n    timeout: 5\n    retry: {max_attempts: 0}\n\
            \x20   fallback: {value: 1, node: b}\nconnections:\n  - {from: a}\n";
        insta::assert_snapshot!(problems(text), @"
        error: a workflow has no key `nmae`
         --> w.yaml:1:1
          |
        1 | nmae: x
          | ^^^^
          |
          = help: did you mean `name`?

        error: `start` must be a name, found a list
         --> w.yaml:2:8
          |
        2 | start: [a]
          |        ^

        error: a node has no key `tpye`
         --> w.yaml:5:5
          |
        5 |     tpye: echo
          |     ^^^^
          |
          = help: did you mean `type`?

        error: `timeout` must be a duration such as `3s`, `500ms` or `1m30s`, found the number `5`
         --> w.yaml:6:14
          |
        6 |     timeout: 5
          |              ^

        error: `max_attempts` must be a whole number from 1 to 1000, found the number `0`
         --> w.yaml:7:27
          |
        7 |     retry: {max_attempts: 0}
          |                           ^

        error: `fallback` takes either `value` or `node`
         --> w.yaml:8:15
          |
        8 |     fallback: {value: 1, node: b}
          |               ^
          |
          = help: write `fallback: {value: …}` or `fallback: {node: name}`

        error: a connection needs `to`
          --> w.yaml:10:6
           |
        10 |   - {from: a}
           |      ^^^^
        ");
    }
}
