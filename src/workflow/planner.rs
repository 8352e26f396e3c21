//! From a document to a [`Plan`]: types, configs, wiring, then everything that was found.

mod references;
mod types;
mod wiring;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pocket_index::digest::Digest;
use serde_json::{Map, Value};

use super::catalog::NodeCatalog;
use super::config::{Config, Findings};
use super::document::{At, Document, NodeEntry};
use super::near::{Names, nearest};
use super::nested::{Ancestry, Nested};
use super::plan::{Plan, PlannedNode};
use super::problem::{Problem, Problems, Severity};
use super::schema::{Refusal, Stage};
use super::value::Kind;
use crate::nodes::{ConfigProblem, Prepared, Setup, not_allowed};
use references::Use;
use types::{Maker, Resolved};

pub(super) use types::Types;

pub(super) struct Planner<'a> {
    document: &'a Document,
    catalog: &'a dyn NodeCatalog,
    /// The values that the workflow's own file gives.
    vars: &'a Map<String, Value>,
    /// The documents that it runs inside of.
    ancestry: Ancestry<'a>,
    problems: Problems,
    index: HashMap<Arc<str>, usize>,
    names: Names,
    types: Types,
    /// The outputs that templates read.
    uses: Vec<Use>,
    /// Of the documents that nodes run.
    digests: RefCell<Vec<Digest>>,
    /// What is wrong with nodes that stand in configs.
    inside: RefCell<Problems>,
}

impl<'a> Planner<'a> {
    pub fn new(document: &'a Document, catalog: &'a dyn NodeCatalog, ancestry: Ancestry<'a>) -> Self {
        Self {
            document,
            catalog,
            vars: &document.vars,
            ancestry,
            problems: document.problems.clone(),
            index: HashMap::new(),
            names: Names::default(),
            types: Types::default(),
            uses: Vec::new(),
            digests: RefCell::default(),
            inside: RefCell::default(),
        }
    }

    /// The same for a part of a workflow whose file gives these values, and whose node types may be known already.
    pub fn part_of(self, vars: &'a Map<String, Value>, types: &Types) -> Self {
        Self { vars, types: types.clone(), ..self }
    }

    pub fn plan(mut self) -> Result<Plan, Problems> {
        let document = self.document;
        self.index_names();
        let count = document.nodes.len() + document.finally.len();
        let (mut nodes, mut actions) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (index, entry) in document.entries().enumerate() {
            let (node, its_actions) = self.node(index, entry).unzip();
            nodes.extend(node);
            actions.push(its_actions.flatten());
        }
        let graph = self.graph(&actions);
        self.check_uses(&graph);
        self.check_plugin_names();
        let problems = self.problems.sorted();
        if problems.has_errors() {
            return Err(problems);
        }
        let keep_all = self.uses.iter().any(|found| found.name.is_none());
        let kept: HashSet<&str> = self.uses.iter().filter_map(|found| found.name.as_deref()).collect();
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
                self.names.add(&name);
                self.index.insert(name, index);
            }
        }
    }

    /// A node's name, which all that speak of the node share.
    fn shared(&self, name: &str) -> Arc<str> {
        self.index.get_key_value(name).map_or_else(|| name.into(), |(name, _)| Arc::clone(name))
    }

    /// A node with the actions it says it takes. `None` when something is wrong with it.
    fn node(&mut self, index: usize, entry: &NodeEntry) -> Option<(PlannedNode, Option<Vec<String>>)> {
        let found = self.resolve(&entry.node_type);
        let schema = found.as_ref().and_then(|found| found.schema.as_ref());
        let (config, findings) = Config::compile(&entry.config, schema, &self.document.source);
        let Findings { errors, outputs, variables } = findings;
        self.uses.extend(outputs.into_iter().map(|(name, span)| Use { node: index, name, span }));
        self.check_variables(variables);
        for (span, message) in errors {
            self.error(&span, format!("template: {message}"), None);
        }
        let found = found?;
        let written = config.written();
        let refusals = found.checker.as_ref().map(|checker| checker.check(&written, Stage::Plan)).unwrap_or_default();
        let prepared = self.prepare(entry, &found, &written);
        let inside = self.inside.take();
        self.refuse_config(entry, &refusals, &inside);
        self.problems.extend(inside);
        let prepared = match prepared {
            // What a node finds in a config that its schema refuses would only repeat it.
            _ if !refusals.is_empty() => return None,
            Ok(prepared) => prepared,
            Err(problems) => {
                for problem in problems {
                    let span = self.place_of(entry, &problem);
                    self.error(&span, problem.message, problem.help);
                }
                return None;
            }
        };
        let planned = PlannedNode {
            name: self.shared(&entry.name.value),
            description: entry.description.as_deref().map_or_else(|| Arc::clone(&found.description), Arc::from),
            node_type: Arc::clone(&found.node_type),
            plugin: found.plugin.clone(),
            permissions: found.permissions.clone(),
            timeout: entry.timeout,
            node: prepared.node,
            config,
            checker: found.checker.clone(),
            is_kept: false,
        };
        Some((planned, prepared.actions))
    }

    /// Tells what a schema refuses, unless the nodes that stand in the config say it better.
    fn refuse_config(&mut self, entry: &NodeEntry, refusals: &[Refusal], inside: &Problems) {
        let is_absent = matches!(entry.config.kind, Kind::Null);
        for refusal in refusals {
            let span = match &refusal.key {
                Some(key) => entry.config.key_place(&refusal.pointer, key),
                None if is_absent => entry.name.span.clone(),
                None => entry.config.deepest(&refusal.pointer).head(),
            };
            let is_told = inside.has_errors()
                && (refusal.is_vague || inside.iter().any(|problem| problem.span.start == span.start));
            if !is_told {
                self.error(&span, refusal.message.clone(), refusal.help.clone());
            }
        }
    }

    fn prepare(&self, entry: &NodeEntry, found: &Resolved, config: &Value) -> Result<Prepared, Vec<ConfigProblem>> {
        let built_in = match &found.maker {
            Maker::Plugin(node) => return Ok(Prepared { node: Arc::clone(node), actions: None }),
            Maker::BuiltIn(built_in) => built_in,
        };
        let host = Nested {
            catalog: self.catalog,
            ancestry: &self.ancestry,
            document: self.document,
            vars: self.vars,
            config: &entry.config,
            digests: &self.digests,
            types: &self.types,
            problems: &self.inside,
        };
        (built_in.prepare)(&Setup { config, folder: &self.document.folder, host: &host })
    }

    fn place_of(&self, entry: &NodeEntry, problem: &ConfigProblem) -> Range<usize> {
        let value = entry.config.deepest(&problem.pointer);
        match &value.kind {
            Kind::Text(text) if problem.offset > 0 => {
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

    /// Settings of a plugin that nothing here uses are probably meant for another.
    fn check_plugin_names(&mut self) {
        self.ancestry.note_plugins(self.types.plugins().into_iter());
        let document = self.document;
        if document.plugins.is_empty() || self.problems.has_errors() {
            return;
        }
        let used = self.ancestry.used_plugins();
        for block in document.plugins.iter().filter(|block| !used.contains(&block.name.value)) {
            let message = format!("no node here is of the plugin `{}`: its settings change nothing", block.name.value);
            let near = nearest(&block.name.value, used.iter().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            self.warning(&block.name.span, message, help);
        }
    }

    /// Says that there is no node of that name; of one that is there and wrong, everything was said.
    fn unknown_node(&mut self, what: &str, wanted: &At<String>) {
        if self.document.unread.contains(&wanted.value) {
            return;
        }
        let (source, names, document) = (&self.document.source, &self.names, self.document);
        self.problems.add(Severity::Error, || {
            let help = names.nearest(&wanted.value).map(|near| format!("did you mean `{near}`?"));
            let help = help.unwrap_or_else(|| {
                let names: Vec<&str> = document.entries().take(20).map(|node| node.name.value.as_str()).collect();
                let more = if document.entries().count() > 20 { ", …" } else { "" };
                format!("nodes are: {}{more}", names.join(", "))
            });
            let message = format!("{what} names no node: `{}`", wanted.value);
            Problem::new(Severity::Error, source, wanted.span.clone(), message).help(Some(help))
        });
    }

    fn has_errors(&self) -> bool {
        self.problems.has_errors()
    }

    fn error(&mut self, span: &Range<usize>, message: String, help: Option<String>) {
        self.add(Severity::Error, span, message, help);
    }

    fn warning(&mut self, span: &Range<usize>, message: String, help: Option<String>) {
        self.add(Severity::Warning, span, message, help);
    }

    fn add(&mut self, severity: Severity, span: &Range<usize>, message: String, help: Option<String>) {
        let source = &self.document.source;
        self.problems.add(severity, || Problem::new(severity, source, span.clone(), message).help(help));
    }
}

/// The digest of a document and of those that its nodes run.
fn digest(document: &Document, inner: &[Digest]) -> Digest {
    let mut text = document.source.digest().to_string();
    inner.iter().for_each(|digest| text.push_str(&digest.to_string()));
    Digest::of(text.as_bytes())
}

/// The workflow's name when it does not say.
fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| "workflow".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
