//! Nodes inside nodes: another document run as one node, and the bodies of `parallel` and `foreach`.

mod inner;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pocket_index::digest::Digest;
use serde_json::{Map, Value};
use smol_str::{SmolStr, format_smolstr};

use super::catalog::NodeCatalog;
use super::document::{Document, DocumentError};
use super::plan::Plan;
use super::planner::{Planner, Types};
use super::problem::Problems;
use super::value::{Key, Kind, Yaml};
use crate::nodes::{Allowed, Host, Node, Spelling, Told};
use inner::{Inner, Reach};

/// How many documents may run inside each other: 16. Each takes a thread while it runs.
const MAX_DEPTH: usize = 16;
/// How many documents a workflow may run in all: 1,000. Those that run each other twice over would be more than there are atoms.
const MAX_DOCUMENTS: usize = 1_000;

/// The documents that a document runs inside of, itself the last, and what their plans have in common.
#[derive(Clone)]
pub(super) struct Ancestry<'a> {
    chain: Vec<PathBuf>,
    /// Which settings of plugins count: documents with a `plugins:` block have their own.
    scope: usize,
    shared: &'a Shared,
}

/// A file, and the scope of settings in which it runs.
type Placed = (PathBuf, usize);

/// What the plans of a document and of those inside it have in common.
#[derive(Default)]
pub(super) struct Shared {
    /// The plans so far, by file and scope; none where a document has problems.
    plans: RefCell<HashMap<Placed, Option<Arc<Plan>>>>,
    problems: RefCell<Problems>,
    scopes: Cell<usize>,
    plugins: RefCell<HashSet<String>>,
}

impl Shared {
    /// What is wrong with the documents inside.
    pub fn into_problems(self) -> Problems {
        self.problems.into_inner()
    }
}

impl<'a> Ancestry<'a> {
    /// The document that runs inside no other.
    pub fn outermost(document: &Document, shared: &'a Shared) -> Self {
        Self { chain: document.path.iter().map(|path| identity(path)).collect(), scope: 0, shared }
    }

    /// Notes the plugins that a document uses.
    pub fn note_plugins(&self, plugins: impl Iterator<Item = String>) {
        self.shared.plugins.borrow_mut().extend(plugins);
    }

    /// The plugins that were used so far, here or in another document.
    pub fn used_plugins(&self) -> HashSet<String> {
        self.shared.plugins.borrow().clone()
    }

    /// The chain to a file that is in it already.
    fn circle(&self, file: &Path) -> Option<String> {
        let first = self.chain.iter().position(|known| known == file)?;
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<String> = self.chain[first..].iter().map(name).chain([name(&file.to_owned())]).collect();
        Some(names.join(" → "))
    }
}

/// What tells a file from others, however it is named.
fn identity(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Makes nodes for the nodes of one document.
pub(super) struct Nested<'a> {
    pub catalog: &'a dyn NodeCatalog,
    pub ancestry: &'a Ancestry<'a>,
    /// The document.
    pub document: &'a Document,
    /// The values that the workflow's own file gives.
    pub vars: &'a Map<String, Value>,
    /// The config of the node that they stand in.
    pub config: &'a Yaml,
    /// Takes what is wrong with them.
    pub problems: &'a RefCell<Problems>,
    /// The node types that are known.
    pub types: &'a Types,
    /// Takes the digests of the documents that are read.
    pub digests: &'a RefCell<Vec<Digest>>,
}

impl Nested<'_> {
    /// Plans a document once, however many nodes run it.
    fn plan(&self, path: &Path, file: PathBuf) -> Result<Arc<Plan>, String> {
        let shared = self.ancestry.shared;
        let key = (file.clone(), self.ancestry.scope);
        let known = shared.plans.borrow().get(&key).cloned();
        let planned = match known {
            Some(known) => known,
            None => {
                if shared.plans.borrow().len() >= MAX_DOCUMENTS {
                    return Err(format!("the workflow runs more than {MAX_DOCUMENTS} others"));
                }
                let planned = self.plan_anew(path, file)?;
                shared.plans.borrow_mut().insert(key, planned.clone());
                planned
            }
        };
        planned.ok_or_else(|| format!("the workflow `{}` has problems", path.display()))
    }

    /// None if the document has problems, which are told where they stand.
    fn plan_anew(&self, path: &Path, file: PathBuf) -> Result<Option<Arc<Plan>>, String> {
        let shared = self.ancestry.shared;
        let document = match Document::read(path) {
            Ok(document) => document,
            Err(DocumentError::Invalid(problems)) => return Ok(self.refuse(problems)),
            Err(error) => {
                let cause = std::error::Error::source(&error);
                return Err(cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")));
            }
        };
        let mut ancestry = self.ancestry.clone();
        ancestry.chain.push(file);
        let planned = if document.plugins.is_empty() {
            Planner::new(&document, self.catalog, ancestry).plan()
        } else {
            shared.scopes.set(shared.scopes.get() + 1);
            ancestry.scope = shared.scopes.get();
            let catalog = self.catalog.inside(&document);
            catalog.and_then(|catalog| Planner::new(&document, &*catalog, ancestry).plan())
        };
        Ok(match planned {
            Ok(mut plan) => {
                shared.problems.borrow_mut().extend(std::mem::take(&mut plan.warnings));
                Some(Arc::new(plan))
            }
            Err(problems) => self.refuse(problems),
        })
    }

    fn refuse(&self, problems: Problems) -> Option<Arc<Plan>> {
        self.ancestry.shared.problems.borrow_mut().extend(problems);
        None
    }
}

impl Host for Nested<'_> {
    fn body(&self, nodes: &[String], spelling: Spelling) -> Result<Arc<dyn Node>, Told> {
        // What is no mapping the schema of the node around it refuses.
        let tree = body_tree(self.config, nodes, spelling).ok_or(Told)?;
        let document = Document::of_tree(&self.document.source, tree, &self.document.folder);
        // A body stands in this workflow's file, and so do its values.
        let planner = Planner::new(&document, self.catalog, self.ancestry.clone()).part_of(self.vars, self.types);
        let told = |problems: Problems| self.problems.borrow_mut().extend(problems);
        let mut plan = planner.plan().map_err(|problems| {
            told(problems);
            Told
        })?;
        told(std::mem::take(&mut plan.warnings));
        self.digests.borrow_mut().push(plan.digest);
        Ok(Arc::new(Inner { plan: Arc::new(plan), reach: Reach::Outer }))
    }

    fn document(&self, path: &Path) -> Result<Arc<dyn Node>, String> {
        let file = identity(path);
        if let Some(circle) = self.ancestry.circle(&file) {
            return Err(format!("workflows run each other in a circle: {circle}"));
        }
        if self.ancestry.chain.len() >= MAX_DEPTH {
            return Err(format!("workflows run inside each other more than {MAX_DEPTH} deep"));
        }
        let plan = self.plan(path, file)?;
        self.digests.borrow_mut().push(plan.digest);
        Ok(Arc::new(Inner { plan, reach: Reach::Own }))
    }

    fn allowed(&self) -> Arc<Allowed> {
        self.catalog.allowed()
    }

    fn worker(&self) -> Option<PathBuf> {
        self.catalog.worker()
    }

    fn vars(&self) -> &Map<String, Value> {
        self.vars
    }
}

/// A document of these nodes of a config, each where it stands. A node without a name is called by its type and number.
fn body_tree(config: &Yaml, nodes: &[String], spelling: Spelling) -> Option<Yaml> {
    let key = |text: &str, span: &Range<usize>| Key { span: span.clone(), text: text.into() };
    let node = |(index, pointer): (usize, &String)| {
        let mut node = config.deepest(pointer).clone();
        let head = node.head();
        let Kind::Map(entries) = &mut node.kind else { return None };
        if spelling == Spelling::Task {
            // Without a type it is refused by the name that stands there.
            entries.iter().find(|(key, _)| key.text == "node")?;
            entries.retain(|(key, _)| key.text != "input");
            entries
                .iter_mut()
                .filter(|(key, _)| key.text == "node")
                .for_each(|(key, _)| key.text = SmolStr::new_static("type"));
        }
        if !entries.iter().any(|(key, _)| key.text == "name") {
            let node_type = entries.iter().find(|(key, _)| key.text == "type").map(|(_, value)| &value.kind);
            let node_type = if let Some(Kind::Text(node_type)) = node_type { node_type } else { "node" };
            let name = Kind::Text(format_smolstr!("{node_type}-{}", index + 1));
            entries.push((key("name", &head), Yaml { span: head, kind: name }));
        }
        Some(node)
    };
    let span = config.span.clone();
    let nodes: Option<Vec<Yaml>> = nodes.iter().enumerate().map(node).collect();
    let nodes = Yaml { span: span.clone(), kind: Kind::List(nodes?) };
    Some(Yaml { kind: Kind::Map(vec![(key("nodes", &span), nodes)]), span })
}
