//! Which plugin would provide a node type that nobody here provides.

use std::cell::Cell;
use std::time::Duration;

use pocket_index::name::{NodeType, PluginName, RegistryName};
use pocket_index::search::{Query, SearchEntry};

use crate::ops::{OpsError, Reach, Workspace};
use crate::registry::Network;

/// How long registries may take to say what they have, for a suggestion: 3 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// As many plugins are looked at that have the words of a node type: what has them in its node types comes before what has them in its
/// description.
const LOOKED_AT: usize = 100;

/// What could provide node types.
#[derive(Default)]
pub(super) struct Providers {
    /// A network that kept somebody waiting is not asked again.
    gave_up: Cell<bool>,
}

/// A plugin of a registry.
struct Published {
    entry: SearchEntry,
    /// The registry, unless it is the default one.
    registry: Option<RegistryName>,
}

impl Providers {
    /// How to make a node type known.
    pub(super) fn hint(&self, workspace: &Workspace, node_type: &str) -> Option<String> {
        let (plugin, bare) = match node_type.split_once('/') {
            Some((plugin, bare)) => (Some(plugin), bare),
            None => (None, node_type),
        };
        let fits = |name: &PluginName, nodes: &[NodeType]| {
            plugin.is_none_or(|plugin| plugin == name.as_str()) && nodes.iter().any(|node| node.as_str() == bare)
        };
        let mut query = Query::new(bare).ok()?;
        query.limit = Some(LOOKED_AT);
        let find = |all: Vec<Published>| all.iter().find(|one| fits(&one.entry.name, &one.entry.nodes)).map(advice);
        // What this machine knows comes first: most runs should not wait for a network to fail.
        find(published(workspace, Network::Offline, &query).unwrap_or_default()).or_else(|| {
            let asked = (!self.gave_up.get()).then(|| published(workspace, Network::Online, &query))?;
            self.gave_up.set(asked.is_none());
            find(asked?)
        })
    }
}

fn advice(published: &Published) -> String {
    let name = &published.entry.name;
    let from = published.registry.as_ref().map(|registry| format!(" --registry {registry}")).unwrap_or_default();
    format!("the plugin `{name}` provides it: run `pocket plugin install {name}{from}`")
}

/// What the configured registries have, the default one first. Only for suggestions: one that cannot be read has nothing. None if they
/// take too long, or none may be asked.
fn published(workspace: &Workspace, network: Network, query: &Query) -> Option<Vec<Published>> {
    let is_forbidden = std::env::var_os("POCKET_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0");
    if network == Network::Online && is_forbidden {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let named = workspace.files().into_iter().flat_map(|(file, _)| file.registries.keys().cloned().collect::<Vec<_>>());
    let mut registries: Vec<Option<RegistryName>> = vec![None];
    for name in named.filter(|name| name.as_str() != "default") {
        if !registries.contains(&Some(name.clone())) {
            registries.push(Some(name));
        }
    }
    let all = async {
        let mut found = Vec::new();
        for registry in registries {
            let reach = Reach { registry: registry.as_ref().map(ToString::to_string), network };
            let page = async {
                let opened = workspace.open_registry(&reach).await?;
                Ok::<_, OpsError>(opened.listed().await?.find(query, |_| None).await?)
            };
            let hits = page.await.map(|page| page.entries).unwrap_or_default();
            found.extend(hits.into_iter().map(|hit| Published { entry: hit.entry, registry: registry.clone() }));
        }
        found
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, all).await }).ok()
}
