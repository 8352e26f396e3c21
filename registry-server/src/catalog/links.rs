//! Which plugins need a plugin, and which a key signs for.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use pocket_index::name::PluginName;
use pocket_index::search::{Changes, SearchEntry};
use pocket_index::signature::PublicKey;

/// What the list's entries say of each other.
#[derive(Debug, Default)]
pub(crate) struct Links {
    dependents: HashMap<PluginName, BTreeSet<PluginName>>,
    owned: HashMap<PublicKey, BTreeSet<PluginName>>,
}

impl Links {
    pub fn update(&mut self, changes: &Changes) {
        for SearchEntry { name, dependencies, owners, .. } in &changes.removed {
            dependencies.iter().for_each(|needed| remove(&mut self.dependents, needed, name));
            owners.iter().for_each(|key| remove(&mut self.owned, key, name));
        }
        for SearchEntry { name, dependencies, owners, .. } in &changes.added {
            for needed in dependencies {
                self.dependents.entry(needed.clone()).or_default().insert(name.clone());
            }
            for key in owners {
                self.owned.entry(*key).or_default().insert(name.clone());
            }
        }
    }

    /// The plugins that need this one, by name.
    pub fn dependents(&self, name: &PluginName) -> impl Iterator<Item = &PluginName> {
        self.dependents.get(name).into_iter().flatten()
    }

    /// The plugins that a key signs for, by name.
    pub fn owned(&self, key: &PublicKey) -> impl Iterator<Item = &PluginName> {
        self.owned.get(key).into_iter().flatten()
    }
}

fn remove<K: Eq + Hash>(map: &mut HashMap<K, BTreeSet<PluginName>>, key: &K, name: &PluginName) {
    if let Some(names) = map.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            map.remove(key);
        }
    }
}
