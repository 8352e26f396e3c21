//! What needs what, as the lock says. No registry is asked.

use std::collections::BTreeMap;

use pocket_index::name::PluginName;
use semver::{Version, VersionReq};

use super::plugins::{self, WorkspacePlugin};
use super::{OpsError, Workspace};
use crate::project::Source;

/// A plugin's place in [`Graph::plugins`].
pub type Place = usize;

/// The plugins of a lock and what ties them.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The plugins, sorted by name and version.
    pub plugins: Vec<Plugin>,
    /// What `pocket.yaml` names, by name.
    pub roots: Vec<Need>,
}

/// One plugin of the lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plugin {
    /// Its name.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: Source,
    /// What it is linked with.
    pub needs: Vec<Need>,
}

/// One plugin's need for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// What meets it.
    pub plugin: Place,
    /// The versions that will do, as text; none where the plugin that needs it is not unpacked, for only its manifest says.
    pub requirement: Option<String>,
}

impl Graph {
    /// The graph of a workspace; empty without a lock.
    pub fn of(workspace: &Workspace) -> Result<Self, OpsError> {
        let mut locked = plugins::of(workspace)?;
        locked.sort_by(|a, b| key(a).cmp(&key(b)));
        let places: BTreeMap<_, _> = locked.iter().enumerate().map(|(place, plugin)| (key(plugin), place)).collect();
        let plugins = locked.iter().map(|plugin| node(plugin, &places)).collect();
        let mut graph = Self { plugins, roots: Vec::new() };
        let default = workspace.registry(None)?.name;
        for (name, dependency) in &workspace.project().plugins.dependencies {
            let wanted = Source::wanted(&dependency.source, &default);
            graph.roots.extend(
                graph
                    .meet(name, &wanted, &dependency.requirement)
                    .map(|plugin| Need { plugin, requirement: Some(dependency.requirement.to_string()) }),
            );
        }
        Ok(graph)
    }

    /// Every version of the plugin of that name.
    ///
    /// # Errors
    /// There is none; the error names close ones.
    pub fn named(&self, name: &PluginName, workspace: &Workspace) -> Result<Vec<Place>, OpsError> {
        let places: Vec<Place> = (0..self.plugins.len()).filter(|&place| self.plugins[place].name == *name).collect();
        if !places.is_empty() {
            return Ok(places);
        }
        let near = plugins::near(name.as_str(), self.plugins.iter().map(|plugin| plugin.name.as_str()));
        let place = format!("`{}`", workspace.lock_path().display());
        Err(OpsError::NoPlugin { name: name.to_string(), place, near })
    }

    /// What needs the plugin: each with its requirement. The project is not among them.
    pub fn needed_by(&self, place: Place) -> Vec<Need> {
        let needs = |(dependant, plugin): (Place, &Plugin)| {
            let need = plugin.needs.iter().find(|need| need.plugin == place)?;
            Some(Need { plugin: dependant, requirement: need.requirement.clone() })
        };
        self.plugins.iter().enumerate().filter_map(needs).collect()
    }

    /// The plugins that need no other one.
    pub fn leaves(&self) -> Vec<Place> {
        (0..self.plugins.len()).filter(|&place| self.plugins[place].needs.is_empty()).collect()
    }

    /// A shortest way from the project to the plugin for each plugin that needs it directly, and for the project itself if it
    /// does. A way begins with a root and ends with the plugin.
    pub fn ways_to(&self, place: Place) -> Vec<Vec<Need>> {
        let mut ways: Vec<Vec<Need>> =
            self.roots.iter().filter(|root| root.plugin == place).map(|root| vec![root.clone()]).collect();
        for dependant in self.needed_by(place) {
            if let Some(mut way) = self.shortest_way_to(dependant.plugin, place) {
                way.push(Need { plugin: place, requirement: dependant.requirement });
                ways.push(way);
            }
        }
        ways
    }

    /// Breadth first from the roots, not through `around`: a cycle explains nothing.
    fn shortest_way_to(&self, place: Place, around: Place) -> Option<Vec<Need>> {
        let mut reached = vec![false; self.plugins.len()];
        let mut ways: Vec<Vec<Need>> = self.roots.iter().map(|root| vec![root.clone()]).collect();
        while !ways.is_empty() {
            let mut next = Vec::new();
            for way in ways {
                let end = way.last().expect("a way has a root").plugin;
                if end == place {
                    return Some(way);
                }
                if end == around || std::mem::replace(&mut reached[end], true) {
                    continue;
                }
                next.extend(
                    self.plugins[end].needs.iter().map(|need| [way.as_slice(), std::slice::from_ref(need)].concat()),
                );
            }
            ways = next;
        }
        None
    }

    fn meet(&self, name: &PluginName, source: &Source, requirement: &VersionReq) -> Option<Place> {
        let meets =
            |plugin: &Plugin| plugin.name == *name && plugin.source == *source && requirement.matches(&plugin.version);
        self.plugins.iter().rposition(meets)
    }
}

type Key<'a> = (&'a PluginName, &'a Version, &'a Source);

fn key(plugin: &WorkspacePlugin) -> Key<'_> {
    (&plugin.locked.name, &plugin.locked.version, &plugin.locked.source)
}

fn node(plugin: &WorkspacePlugin, places: &BTreeMap<Key<'_>, Place>) -> Plugin {
    let manifest = plugin.manifest().ok();
    let need = |dependency: &crate::project::LockedDependency| {
        let requirement = manifest.as_ref().and_then(|manifest| manifest.dependencies.get(&dependency.name));
        // The reader of the lock checks that every dependency stands in it.
        let place = places.get(&(&dependency.name, &dependency.version, &dependency.source))?;
        Some(Need { plugin: *place, requirement: requirement.map(|one| one.version.to_string()) })
    };
    Plugin {
        name: plugin.locked.name.clone(),
        version: plugin.locked.version.clone(),
        source: plugin.locked.source.clone(),
        needs: plugin.locked.dependencies.iter().filter_map(need).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plugins by their needs; the first is what the project names.
    fn graph(needs: &[&[Place]]) -> Graph {
        let need = |&plugin: &Place| Need { plugin, requirement: None };
        let plugin = |(place, needs): (usize, &&[Place])| Plugin {
            name: format!("p{place}").parse().expect("a name"),
            version: Version::new(1, 0, 0),
            source: Source::Registry("r".parse().expect("a name")),
            needs: needs.iter().map(need).collect(),
        };
        Graph { plugins: needs.iter().enumerate().map(plugin).collect(), roots: vec![need(&0)] }
    }

    fn ways(graph: &Graph, place: Place) -> Vec<Vec<Place>> {
        graph.ways_to(place).iter().map(|way| way.iter().map(|need| need.plugin).collect()).collect()
    }

    #[test]
    fn there_is_a_way_for_everything_that_needs_a_plugin() {
        let graph = graph(&[&[1, 2], &[3], &[3], &[]]);
        assert_eq!(ways(&graph, 3), [vec![0, 1, 3], vec![0, 2, 3]]);
        assert_eq!(ways(&graph, 0), [vec![0]]);
        assert_eq!(graph.leaves(), [3]);
    }

    #[test]
    fn cycles_end() {
        let graph = graph(&[&[1], &[2], &[1]]);
        assert_eq!(ways(&graph, 1), [vec![0, 1]]);
        assert_eq!(ways(&graph, 2), [vec![0, 1, 2]]);
    }
}
