//! Plugins that are here and that a run does not use, and what would make it use them.

use pocket_index::manifest::Manifest;
use pocket_index::name::PluginName;

use crate::ops::offered::{Offer, Standing};

/// A plugin that is here and is not used.
pub(super) struct LeftOut {
    manifest: Manifest,
    hint: String,
}

impl LeftOut {
    /// The plugin of an offer that a run leaves out; none if its manifest cannot be read.
    pub(super) fn of(offer: &Offer, disabled: &[PluginName]) -> Option<Self> {
        let name = &offer.name;
        let hint = match offer.standing {
            Standing::Loaded if disabled.contains(name) => {
                format!("the plugin `{name}` provides it, which `--disable-plugin` leaves out")
            }
            Standing::Loaded => return None,
            Standing::Unloaded => {
                format!("the plugin `{name}` provides it, which was unloaded: run `pocket plugin load {name}`")
            }
            Standing::Installed => {
                format!("the plugin `{name}` provides it, which is not loaded: run `pocket plugin load {name}`")
            }
        };
        let (_, manifest) = offer.files()?.ok()?;
        Some(Self { manifest, hint })
    }

    /// What makes a run use it, if it provides this node type, named bare or with its plugin.
    pub(super) fn hint(&self, node_type: &str) -> Option<String> {
        let bare = node_type.strip_prefix(self.manifest.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let bare = bare.unwrap_or(node_type);
        let provides = self.manifest.nodes.iter().any(|node| node.node_type.as_str() == bare);
        provides.then(|| self.hint.clone())
    }
}
