//! What a registry has, by its path.

use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::name::PluginName;

use super::log::Place;

/// What a path names, and so how it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Config,
    Checkpoint,
    /// Named by its digest.
    Content(Digest),
    /// A tile or bundle of the log.
    Log(Place),
    Plugin(PluginName),
    /// Not signed by anybody: for finding only.
    Unsigned,
}

impl Kind {
    /// None for what no registry has.
    pub fn of(name: &str) -> Option<Self> {
        let digest = |hex: &str| format!("sha256:{hex}").parse().ok();
        match name {
            layout::CONFIG => return Some(Self::Config),
            layout::CHECKPOINT => return Some(Self::Checkpoint),
            layout::SEARCH | layout::DOWNLOADS => return Some(Self::Unsigned),
            _ => {}
        }
        if let Some(hex) = name.strip_prefix("search/") {
            return digest(hex).map(Self::Content);
        }
        if let Some(file) = name.strip_prefix("a/") {
            let archive: Digest = digest(file.split_once('/')?.1.strip_suffix(".tar.gz")?)?;
            return (layout::archive(&archive) == name).then_some(Self::Content(archive));
        }
        if name.starts_with("log/tile/") {
            return Place::of(name).map(Self::Log);
        }
        let plugin: PluginName = name.strip_prefix("index/")?.rsplit('/').next()?.parse().ok()?;
        (layout::index_file(&plugin) == name).then_some(Self::Plugin(plugin))
    }

    /// Whether the same path always has the same bytes.
    pub fn is_immutable(&self) -> bool {
        matches!(self, Self::Content(_) | Self::Log(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_registry_has_is_asked_for() {
        let hex = Digest::of(b"abc").hex();
        for (name, is_known) in [
            ("config.json".to_owned(), true),
            (layout::archive(&Digest::of(b"abc")), true),
            (format!("a/00/{hex}.tar.gz"), false),
            (format!("search/{hex}"), true),
            ("search/x".to_owned(), false),
            ("index/re/di/redis-cache".to_owned(), true),
            ("index/aa/aa/redis-cache".to_owned(), false),
            ("log/tile/0/x001/234.p/7".to_owned(), true),
            ("log/tile/entries/000".to_owned(), true),
            ("log/tile/0/1".to_owned(), false),
            ("log/tile/0/000.p/256".to_owned(), false),
            ("head.json".to_owned(), false),
        ] {
            assert_eq!(Kind::of(&name).is_some(), is_known, "{name}");
        }
    }
}
