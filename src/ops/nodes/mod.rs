//! `nodes`: the node types that workflows can use here: Pocket's own, and those of the plugins that are loaded.

mod page;

use serde_json::{Value, json};

use super::offered::{self, Kind, Standing};
use super::plugins::near;
use super::{OpsError, Workspace};
use crate::nodes::{BuiltIn, built_ins};

pub use page::page;

/// The shelf of node types whose plugin does not name one.
const OTHER: &str = "other";

/// A node type.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// Its name in workflows.
    pub node_type: String,
    /// The plugin that provides it, with its version; none is Pocket itself.
    pub plugin: Option<(String, String)>,
    /// The shelf it stands on.
    pub category: String,
    /// What it does.
    pub description: String,
    /// What it gives, in words; empty where nobody says.
    pub outputs: String,
    /// The actions it takes besides `default`; `*` are those that its config names.
    pub actions: Vec<String>,
    /// The JSON Schemas of its config, its input and its output.
    pub schemas: [Option<Value>; 3],
    /// Calls with their results.
    pub examples: Vec<ShownExample>,
}

/// A call of a node with its result.
#[derive(Debug, Clone)]
pub struct ShownExample {
    /// What it shows.
    pub name: String,
    /// The node's config.
    pub config: Value,
    /// Its input.
    pub input: Value,
    /// What comes out.
    pub output: Value,
    /// The action it takes.
    pub action: String,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    /// Nobody provides the node type.
    #[error("there is no node type `{name}` here")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that resemble it.
        near: Vec<String>,
    },
    /// No node type stands on the shelf.
    #[error("there is no category `{name}`")]
    Category {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Several plugins provide it.
    #[error("several plugins provide the node type `{name}`")]
    Several {
        /// What was asked for.
        name: String,
        /// Its full names.
        full_names: Vec<String>,
    },
}

impl NodeInfo {
    /// Its name with its plugin's.
    pub fn full_type(&self) -> String {
        match &self.plugin {
            Some((plugin, _)) => format!("{plugin}/{}", self.node_type),
            None => self.node_type.clone(),
        }
    }

    /// As a document for programs; `list` leaves the schemas and examples out.
    pub fn document(&self) -> Value {
        let mut document = self.entry();
        let [config, input, output] = &self.schemas;
        let examples = self.examples.iter().map(|example| {
            json!({"name": example.name, "config": example.config, "input": example.input, "output": example.output, "action": example.action})
        });
        document["outputs"] = json!(self.outputs);
        document["schemas"] = json!({"config": config, "input": input, "output": output});
        document["examples"] = examples.collect();
        document
    }

    /// As an entry of a list.
    pub fn entry(&self) -> Value {
        let (plugin, version) = self.plugin.clone().unzip();
        json!({
            "type": self.node_type, "plugin": plugin, "version": version, "category": self.category, "description": self.description,
            "actions": self.actions,
        })
    }

    fn of_built_in(built_in: &BuiltIn) -> Self {
        let examples = (built_in.examples)().into_iter().map(|example| ShownExample {
            name: example.name.to_owned(),
            config: example.config,
            input: example.input,
            output: example.output,
            action: example.action.unwrap_or("default").to_owned(),
        });
        Self {
            node_type: built_in.node_type.to_owned(),
            plugin: None,
            category: built_in.category.to_owned(),
            description: built_in.description.to_owned(),
            outputs: built_in.outputs.to_owned(),
            actions: built_in.actions.iter().map(|action| (*action).to_owned()).collect(),
            schemas: [Some((built_in.schema)()), None, None],
            examples: examples.collect(),
        }
    }
}

/// Pocket's own node types, by name.
pub fn own() -> Vec<NodeInfo> {
    built_ins().map(NodeInfo::of_built_in).collect()
}

/// Every node type here, Pocket's own first; those of one shelf if it is named.
///
/// # Errors
/// A manifest cannot be read, or there is no such shelf.
pub fn list(workspace: &Workspace, category: Option<&str>) -> Result<Vec<NodeInfo>, OpsError> {
    let mut nodes = own();
    nodes.extend(of_plugins(workspace)?);
    let Some(category) = category else { return Ok(nodes) };
    let mut known: Vec<String> = nodes.iter().map(|node| node.category.clone()).collect();
    nodes.retain(|node| node.category == category);
    if nodes.is_empty() {
        known.sort();
        known.dedup();
        return Err(NodesError::Category { name: category.to_owned(), known }.into());
    }
    Ok(nodes)
}

/// The node type of a name, which may be `plugin/node`. As in workflows, Pocket's own win over a bare name.
///
/// # Errors
/// Nobody provides it, or several do.
pub fn info(workspace: &Workspace, name: &str) -> Result<NodeInfo, OpsError> {
    let all = list(workspace, None)?;
    let bare = all.iter().filter(|node| node.node_type == name);
    let mut found: Vec<&NodeInfo> =
        bare.chain(all.iter().filter(|node| node.plugin.is_some() && node.full_type() == name)).collect();
    if found.iter().any(|node| node.plugin.is_none()) {
        found.retain(|node| node.plugin.is_none());
    }
    match found.as_slice() {
        [] => Err(NodesError::Unknown {
            name: name.to_owned(),
            near: near(name, all.iter().map(|node| &*node.node_type)),
        }
        .into()),
        [node] => Ok((*node).clone()),
        several => {
            let full_names = several.iter().map(|node| node.full_type()).collect();
            Err(NodesError::Several { name: name.to_owned(), full_names }.into())
        }
    }
}

fn of_plugins(workspace: &Workspace) -> Result<Vec<NodeInfo>, OpsError> {
    let offered = offered::collect(workspace)?;
    let mut nodes = Vec::new();
    for offer in offered.offers.iter().filter(|offer| offer.standing == Standing::Loaded) {
        let manifest = match &offer.kind {
            Kind::Local(plugin) => plugin.manifest.clone(),
            // What is locked and not unpacked is said by `plugin list`.
            Kind::Locked { plugin, .. } => match &plugin.installed {
                Some(installed) => installed.manifest()?,
                None => continue,
            },
        };
        for node in manifest.nodes {
            let examples = node.examples.into_iter().map(|example| ShownExample {
                name: example.name,
                config: example.config,
                input: example.input,
                output: example.output,
                action: "default".to_owned(),
            });
            nodes.push(NodeInfo {
                node_type: node.node_type.to_string(),
                plugin: Some((manifest.name.to_string(), manifest.version.to_string())),
                category: node.category.unwrap_or_else(|| OTHER.to_owned()),
                description: node.description,
                outputs: String::new(),
                actions: Vec::new(),
                schemas: [node.config_schema, node.input_schema, node.output_schema],
                examples: examples.collect(),
            });
        }
    }
    Ok(nodes)
}
