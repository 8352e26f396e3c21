//! From a document to a [`Plan`]: types, configs, wiring, then everything that was found.

mod wiring;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pocket_index::digest::Digest;
use serde_json::{Map, Value};

use super::catalog::{Found, NodeCatalog, PluginNode};
use super::config::{Config, Findings};
use super::document::{At, Document, NodeEntry};
use super::nested::Nested;
use super::plan::{Plan, PlannedNode};
use super::problem::{Problem, Problems, Severity, nearest};
use super::promised::promised;
use super::schema::{Checker, Stage};
use crate::nodes::{BuiltIn, ConfigProblem, Node, Prepared, Setup, built_in, built_ins, not_allowed};

pub(super) struct Planner<'a> {
    document: &'a Document,
    catalog: &'a dyn NodeCatalog,
    /// The values that the workflow's own file gives.
    vars: &'a Map<String, Value>,
    /// How many documents this one runs inside.
    depth: u32,
    problems: Vec<Problem>,
    index: HashMap<Arc<str>, usize>,
    checkers: HashMap<String, Option<Arc<Checker>>>,
    plugin_nodes: HashMap<String, Arc<dyn Node>>,
    /// The outputs that templates read: by node, or every node's when a template computes the name.
    outputs: Vec<(Option<String>, Range<usize>)>,
    /// Of the documents that nodes run.
    digests: RefCell<Vec<Digest>>,
}

/// A node type that was found.
struct Resolved {
    node_type: String,
    plugin: Option<String>,
    description: String,
    permissions: Vec<String>,
    schema: Option<Value>,
    maker: Maker,
}

enum Maker {
    BuiltIn(&'static BuiltIn),
    Plugin(Arc<dyn Node>),
}

impl<'a> Planner<'a> {
    pub fn new(document: &'a Document, catalog: &'a dyn NodeCatalog, depth: u32) -> Self {
        Self {
            document,
            catalog,
            vars: &document.vars,
            depth,
            problems: document.problems.clone(),
            index: HashMap::new(),
            checkers: HashMap::new(),
            plugin_nodes: HashMap::new(),
            outputs: Vec::new(),
            digests: RefCell::default(),
        }
    }

    /// The same for a part of a workflow whose file gives these values.
    pub fn with_vars(self, vars: &'a Map<String, Value>) -> Self {
        Self { vars, ..self }
    }

    pub fn plan(mut self) -> Result<Plan, Problems> {
        let document = self.document;
        self.index_names();
        let planned: Vec<Option<(PlannedNode, Option<Vec<String>>)>> =
            document.entries().map(|entry| self.node(entry)).collect();
        let actions: Vec<Option<&[String]>> =
            planned.iter().map(|node| node.as_ref().and_then(|(_, actions)| actions.as_deref())).collect();
        let graph = self.graph(&actions);
        self.check_outputs();
        let mut nodes: Vec<PlannedNode> = planned.into_iter().flatten().map(|(node, _)| node).collect();
        let problems = Problems::new(self.problems);
        if problems.has_errors() {
            return Err(problems);
        }
        let keep_all = self.outputs.iter().any(|(name, _)| name.is_none());
        let kept: HashSet<&str> = self.outputs.iter().filter_map(|(name, _)| name.as_deref()).collect();
        for node in &mut nodes {
            node.is_kept = keep_all || kept.contains(&*node.name);
        }
        Ok(Plan {
            name: document.name.as_ref().map_or_else(|| stem(document.source.name()), |name| name.value.clone()),
            description: document.description.clone(),
            folder: document.folder.clone(),
            nodes,
            graph,
            vars: document.vars.clone(),
            timeout: document.timeout,
            max_steps: document.max_steps,
            journal: document.journal,
            digest: digest(document, &self.digests.into_inner()),
            warnings: problems,
            allowed: self.catalog.allowed(),
            index: self.index,
        })
    }

    fn index_names(&mut self) {
        let entries: Vec<&NodeEntry> = self.document.entries().collect();
        for (index, node) in entries.iter().enumerate() {
            let name: Arc<str> = node.name.value.as_str().into();
            if let Some(&first) = self.index.get(&name) {
                let line = self.document.source.position(entries[first].name.span.start).line;
                let message = format!("there are two nodes named `{name}`");
                self.error(&node.name.span, message, Some(format!("the first one stands in line {line}")));
            } else {
                self.index.insert(name, index);
            }
        }
    }

    /// A node with the actions it says it takes. `None` when something is wrong with it.
    fn node(&mut self, entry: &NodeEntry) -> Option<(PlannedNode, Option<Vec<String>>)> {
        let found = self.resolve(&entry.node_type);
        let schema = found.as_ref().and_then(|found| found.schema.as_ref());
        let (config, findings) = Config::compile(&entry.config, schema, &self.document.source);
        let Findings { errors, outputs, variables } = findings;
        self.outputs.extend(outputs);
        self.check_variables(variables);
        for (span, message) in errors {
            self.error(&span, format!("template: {message}"), None);
        }
        let found = found?;
        let checker = self.checker(entry, &found);
        let before = self.problems.len();
        if let Some(checker) = &checker {
            self.check_config(entry, checker, &config.written);
        }
        // What a node finds in a config that its schema refuses would only repeat it.
        let prepared =
            if self.problems.len() == before { self.prepare(entry, &found, &config.written)? } else { return None };
        let planned = PlannedNode {
            name: entry.name.value.as_str().into(),
            description: entry.description.clone().unwrap_or(found.description),
            node_type: found.node_type,
            plugin: found.plugin,
            permissions: found.permissions,
            timeout: entry.timeout,
            node: prepared.node,
            config,
            checker,
            is_kept: false,
        };
        Some((planned, prepared.actions))
    }

    fn resolve(&mut self, wanted: &At<String>) -> Option<Resolved> {
        if let Some(found) = built_in(&wanted.value) {
            return Some(Resolved {
                node_type: found.node_type.to_owned(),
                plugin: None,
                description: found.description.to_owned(),
                permissions: Vec::new(),
                schema: Some((found.schema)()),
                maker: Maker::BuiltIn(found),
            });
        }
        match self.catalog.find(&wanted.value) {
            Found::Plugin(found) => {
                let node = self.plugin_node(wanted, &found)?;
                Some(Resolved {
                    node_type: found.node_type,
                    plugin: Some(found.plugin),
                    description: found.description,
                    permissions: found.permissions,
                    schema: found.schema,
                    maker: Maker::Plugin(node),
                })
            }
            Found::Several(full_names) => {
                let names: Vec<String> = full_names.iter().map(|name| format!("`{name}`")).collect();
                let message = format!("several plugins provide the node type `{}`", wanted.value);
                self.error(&wanted.span, message, Some(format!("name the plugin too: {}", names.join(" or "))));
                None
            }
            Found::Nothing => {
                self.unknown_type(wanted);
                None
            }
        }
    }

    /// The node of a plugin's node type, prepared once however many nodes use it.
    fn plugin_node(&mut self, wanted: &At<String>, found: &PluginNode) -> Option<Arc<dyn Node>> {
        if let Some(known) = self.plugin_nodes.get(&wanted.value) {
            return Some(Arc::clone(known));
        }
        match promised(found) {
            Ok(node) => {
                self.plugin_nodes.insert(wanted.value.clone(), Arc::clone(&node));
                Some(node)
            }
            Err(message) => {
                self.error(&wanted.span, message, Some("this is a mistake in the plugin's manifest".to_owned()));
                None
            }
        }
    }

    fn unknown_type(&mut self, wanted: &At<String>) {
        let names = self.catalog.names();
        let known = names.iter().map(String::as_str).chain(built_ins().map(|built_in| built_in.node_type));
        let near = nearest(&wanted.value, known).map(|near| format!("did you mean `{near}`?"));
        let hint = self.catalog.provider_hint(&wanted.value);
        let help = match (near, hint) {
            (Some(near), Some(hint)) => format!("{near} Or {hint}"),
            (near, hint) => near.or(hint).unwrap_or_else(|| {
                let types: Vec<&str> = built_ins().map(|built_in| built_in.node_type).collect();
                format!(
                    "built-in types: {}; others come with plugins: `pocket plugin search {}`",
                    types.join(", "),
                    wanted.value
                )
            }),
        };
        self.error(&wanted.span, format!("there is no node type `{}`", wanted.value), Some(help));
    }

    /// The checker of a node type's schema, prepared once however many nodes use it.
    fn checker(&mut self, entry: &NodeEntry, found: &Resolved) -> Option<Arc<Checker>> {
        let schema = found.schema.as_ref()?;
        if let Some(known) = self.checkers.get(&entry.node_type.value) {
            return known.clone();
        }
        let prepare = if found.plugin.is_some() { Checker::new } else { Checker::of_built_in };
        let checker = match prepare(schema.clone()) {
            Ok(checker) => Some(Arc::new(checker)),
            Err(reason) => {
                let message = format!("the config schema of `{}` is broken: {reason}", entry.node_type.value);
                self.error(
                    &entry.node_type.span,
                    message,
                    Some("this is a mistake in the plugin's manifest".to_owned()),
                );
                None
            }
        };
        self.checkers.insert(entry.node_type.value.clone(), checker.clone());
        checker
    }

    fn check_config(&mut self, entry: &NodeEntry, checker: &Checker, config: &Value) {
        for refusal in checker.check(config, Stage::Plan) {
            let is_absent = matches!(entry.config.kind, super::value::Kind::Null);
            let span = match &refusal.key {
                Some(key) => entry.config.key_place(&refusal.pointer, key),
                None if is_absent => entry.name.span.clone(),
                None => entry.config.deepest(&refusal.pointer).head(),
            };
            self.error(&span, refusal.message, refusal.help);
        }
    }

    fn prepare(&mut self, entry: &NodeEntry, found: &Resolved, config: &Value) -> Option<Prepared> {
        let built_in = match &found.maker {
            Maker::Plugin(node) => return Some(Prepared { node: Arc::clone(node), actions: None }),
            Maker::BuiltIn(built_in) => built_in,
        };
        let host = Nested { catalog: self.catalog, depth: self.depth, vars: self.vars, digests: &self.digests };
        let setup = Setup { config, folder: &self.document.folder, host: &host };
        match (built_in.prepare)(&setup) {
            Ok(prepared) => Some(prepared),
            Err(problems) => {
                for problem in problems {
                    let span = self.place_of(entry, &problem);
                    self.error(&span, problem.message, problem.help);
                }
                None
            }
        }
    }

    fn place_of(&self, entry: &NodeEntry, problem: &ConfigProblem) -> Range<usize> {
        let value = entry.config.deepest(&problem.pointer);
        match &value.kind {
            super::value::Kind::Text(text) if problem.offset > 0 => {
                let start = self.document.source.inside(&value.span, text, problem.offset);
                start..start + 1
            }
            _ => value.head(),
        }
    }

    /// Environment variables that templates name and may not read.
    fn check_variables(&mut self, variables: Vec<(String, Range<usize>)>) {
        let allowed = self.catalog.allowed();
        for (name, span) in variables.into_iter().filter(|(name, _)| !allowed.may_read(name)) {
            let help = format!("to allow it, set `plugins.security.allow_env: [{name}]` in `pocket.yaml`");
            self.error(&span, not_allowed(&name), Some(help));
        }
    }

    fn check_outputs(&mut self) {
        let outputs = std::mem::take(&mut self.outputs);
        for (name, span) in &outputs {
            if let Some(name) = name
                && !self.index.contains_key(name.as_str())
            {
                self.unknown_node("`output`", &At { value: name.clone(), span: span.clone() });
            }
        }
        self.outputs = outputs;
    }

    fn unknown_node(&mut self, what: &str, wanted: &At<String>) {
        let near =
            nearest(&wanted.value, self.index.keys().map(|name| &**name)).map(|near| format!("did you mean `{near}`?"));
        let help = near.unwrap_or_else(|| {
            let names: Vec<&str> = self.document.nodes.iter().take(20).map(|node| node.name.value.as_str()).collect();
            format!("nodes are: {}", names.join(", "))
        });
        self.error(&wanted.span, format!("{what} names no node: `{}`", wanted.value), Some(help));
    }

    fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    fn error(&mut self, span: &Range<usize>, message: String, help: Option<String>) {
        self.problems.push(Problem::new(Severity::Error, &self.document.source, span.clone(), message).help(help));
    }

    fn warning(&mut self, span: &Range<usize>, message: String, help: Option<String>) {
        self.problems.push(Problem::new(Severity::Warning, &self.document.source, span.clone(), message).help(help));
    }
}

/// The digest of a document and of those that its nodes run.
fn digest(document: &Document, inner: &[Digest]) -> Digest {
    let mut text = Digest::of(document.source.text().as_bytes()).to_string();
    inner.iter().for_each(|digest| text.push_str(&digest.to_string()));
    Digest::of(text.as_bytes())
}

/// The workflow's name when it does not say.
fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| "workflow".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
