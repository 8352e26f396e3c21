//! From staged to installed: all plugins of an install, or none.

use std::fs;
use std::path::{Path, PathBuf};

use super::flush::flush;
use super::slot::Slot;
use super::{InstalledPlugin, StagedPlugin, Staging, Store, StoreError, io_error};

/// How a plugin stood in the store when its install began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It was not there. Should another process have installed it meanwhile, that one's files stay.
    Missing,
    /// It was there with other files than it should have.
    Broken,
}

impl Staging {
    /// Makes staged plugins visible under their names and versions. Other versions stay where they are and work.
    ///
    /// A process killed at any moment leaves each plugin whole, or counting as not installed.
    ///
    /// # Errors
    /// A rename that fails. Those that were done are undone first.
    pub fn commit(self, staged: Vec<(StagedPlugin, Before)>) -> Result<Vec<InstalledPlugin>, StoreError> {
        if staged.is_empty() {
            return Ok(Vec::new());
        }
        // Every file is on the disk before the first rename. The renames themselves are not flushed: should a power failure
        // undo one, the plugin counts as not installed, and the next install brings it.
        flush(self.path())?;
        let store = self.store().clone();
        let _lock = store.lock()?;
        let mut done = Vec::new();
        let mut installed = Vec::new();
        for (plugin, before) in &staged {
            if *before == Before::Missing
                && let Some(there) = store.find(&plugin.name, &plugin.version, plugin.tree)?
            {
                installed.push(there);
                continue;
            }
            let folder = self.put(&store, plugin, &mut done).inspect_err(|_| done.iter().rev().for_each(Move::undo))?;
            let (name, version) = (plugin.name.clone(), plugin.version.clone());
            installed.push(InstalledPlugin::new(name, version, folder, plugin.tree));
        }
        Ok(installed)
    }

    fn put(&self, store: &Store, plugin: &StagedPlugin, done: &mut Vec<Move>) -> Result<PathBuf, StoreError> {
        let Slot { folder, stamp } = store.slot(&plugin.name, &plugin.version, plugin.tree)?;
        let parent = store.root().join(plugin.name.as_str());
        fs::create_dir_all(&parent).map_err(io_error("create", &parent))?;
        // The stamp goes first and comes back last: in between the plugin counts as not installed, never as verified.
        for old in [&stamp, &folder] {
            if fs::symlink_metadata(old).is_ok() {
                rename(old, &self.new_path(), done).map_err(io_error("replace", old))?;
            }
        }
        rename(&plugin.folder, &folder, done).map_err(io_error("move the unpacked files to", &folder))?;
        rename(&plugin.stamp, &stamp, done).map_err(io_error("write", &stamp))?;
        Ok(folder)
    }
}

/// A rename that was done.
struct Move {
    from: PathBuf,
    to: PathBuf,
}

impl Move {
    fn undo(&self) {
        if fs::rename(&self.to, &self.from).is_err() {
            // A plugin that has to stay must not stay with a stamp; a folder is not removed by this.
            let _ = fs::remove_file(&self.to);
        }
    }
}

fn rename(from: &Path, to: &Path, done: &mut Vec<Move>) -> std::io::Result<()> {
    fs::rename(from, to)?;
    done.push(Move { from: from.to_owned(), to: to.to_owned() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(staging: &Staging, name: &str) -> StagedPlugin {
        let folder = staging.new_path();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("manifest.yaml"), name).unwrap();
        let tree = pocket_index::tree::of_directory(&folder).unwrap();
        let stamp = folder.with_extension("tree");
        fs::write(&stamp, format!("{tree}\n")).unwrap();
        StagedPlugin { name: name.parse().unwrap(), version: "1.0.0".parse().unwrap(), tree, folder, stamp }
    }

    #[test]
    fn one_plugin_that_cannot_be_moved_leaves_none_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let staging = store.stage().unwrap();
        let good = staged(&staging, "good");
        let bad = staged(&staging, "bad");
        fs::write(folder.path().join("bad"), "a file in the way").unwrap();
        let error = staging.commit(vec![(good, Before::Missing), (bad, Before::Missing)]).unwrap_err().to_string();
        assert!(error.contains("cannot create"), "{error}");
        assert!(store.list().unwrap().is_empty());
        assert_eq!(fs::read_dir(folder.path().join(".staging")).unwrap().count(), 0);
    }

    #[test]
    fn what_another_process_installed_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let (first, second) = (store.stage().unwrap(), store.stage().unwrap());
        let (one, other) = (staged(&first, "same"), staged(&second, "same"));
        first.commit(vec![(one, Before::Missing)]).unwrap();
        let kept = folder.path().join("same/1.0.0");
        let before = fs::metadata(&kept).unwrap().modified().unwrap();
        let installed = second.commit(vec![(other, Before::Missing)]).unwrap();
        assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), before);
        installed[0].verify().unwrap();
    }

    #[test]
    fn other_files_of_the_same_name_and_version_stand_beside_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let with = |content: &str| {
            let staging = store.stage().unwrap();
            let mut plugin = staged(&staging, "same");
            fs::write(plugin.folder.join("manifest.yaml"), content).unwrap();
            plugin.tree = pocket_index::tree::of_directory(&plugin.folder).unwrap();
            fs::write(&plugin.stamp, format!("{}\n", plugin.tree)).unwrap();
            staging.commit(vec![(plugin, Before::Missing)]).unwrap().remove(0)
        };
        let (one, other) = (with("one"), with("other"));
        for plugin in [&one, &other] {
            plugin.verify().unwrap();
            assert!(store.find(plugin.name(), plugin.version(), plugin.tree()).unwrap().is_some());
        }
        assert_eq!(store.list().unwrap().len(), 2);
        assert!(store.remove(other.name(), other.version(), other.tree()).unwrap());
        one.verify().unwrap();
        assert!(store.remove(one.name(), one.version(), one.tree()).unwrap());
        assert!(!folder.path().join("same").exists());
    }

    #[test]
    fn broken_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let first = store.stage().unwrap();
        let one = staged(&first, "same");
        let installed = first.commit(vec![(one, Before::Missing)]).unwrap();
        fs::write(installed[0].root().join("manifest.yaml"), "changed").unwrap();
        assert!(installed[0].verify().is_err());
        let second = store.stage().unwrap();
        let other = staged(&second, "same");
        second.commit(vec![(other, Before::Broken)]).unwrap()[0].verify().unwrap();
    }
}
