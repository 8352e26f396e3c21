//! What `pocket plugin load` and `unload` left for later commands: one file for a project, `loaded/<id>.toml`.
//!
//! It stands in the home and not beside `pocket.yaml`: a project must not bring the yes to its own permissions with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use pocket_index::digest::Digest;
use pocket_index::name::PluginName;
use pocket_index::permissions::Permissions;
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, atomic, io_error, read_toml};

/// What is remembered of one project's plugins, or of the user's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loaded {
    /// The project's folder; the home for the user's own plugins.
    pub root: PathBuf,
    /// Plugins that were unloaded, by their names here.
    pub unloaded: Vec<PluginName>,
    /// Plugins that are used where they stand.
    #[serde(rename = "plugin")]
    pub plugins: Vec<LoadedPlugin>,
}

/// A plugin that is used where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedPlugin {
    /// What it is called here.
    pub name: PluginName,
    /// The file, or the folder with `manifest.yaml`.
    pub path: PathBuf,
    /// How it came here.
    pub by: LoadedBy,
    /// Whether `name` is another one than its own.
    pub renamed: bool,
    /// A file with its settings.
    pub config: Option<PathBuf>,
    /// What its manifest and its code were when they were last used.
    pub digest: Digest,
    /// What a library without a manifest said of itself, so that it is not asked again.
    pub described: Option<String>,
    /// What somebody said yes to.
    pub permissions: Permissions,
}

/// How a plugin came to be used where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadedBy {
    /// `pocket plugin load` named it.
    Command,
    /// It lies in one of `plugins.directories`.
    Folder,
}

impl Loaded {
    /// The plugin at a path.
    pub fn at(&self, path: &Path) -> Option<&LoadedPlugin> {
        self.plugins.iter().find(|plugin| plugin.path == path)
    }

    /// Remembers a plugin in the place of what was known of the same path.
    pub fn put(&mut self, plugin: LoadedPlugin) {
        match self.plugins.iter_mut().find(|known| known.path == plugin.path) {
            Some(known) => *known = plugin,
            None => self.plugins.push(plugin),
        }
    }
}

/// What is remembered of the project in `root`.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn read(home: &Home, root: &Path) -> Result<Loaded, HomeError> {
    let root = canonical(root);
    let path = path(home, &root);
    match read_toml::<Loaded>(&path)? {
        Some(loaded) if loaded.root != root => {
            let message = format!("it is about `{}`, expected `{}`", loaded.root.display(), root.display());
            Err(HomeError::Damaged { path, message })
        }
        Some(loaded) => Ok(loaded),
        None => Ok(Loaded { root, ..Loaded::default() }),
    }
}

/// Reads, changes and writes in one turn, so that two processes do not undo each other's changes.
///
/// # Errors
/// The file cannot be read, locked or written; it is as it was then.
pub fn change(home: &Home, root: &Path, change: impl FnOnce(&mut Loaded)) -> Result<Loaded, HomeError> {
    let path = path(home, &canonical(root));
    let _turn = lock(&path)?;
    let before = read(home, root)?;
    let mut loaded = before.clone();
    change(&mut loaded);
    if loaded != before {
        let text = toml_edit::ser::to_string_pretty(&loaded).expect("paths are UTF-8, and texts and lists are a table");
        atomic::replace_file(&path, text.as_bytes()).map_err(io_error("write", &path))?;
    }
    Ok(loaded)
}

fn path(home: &Home, root: &Path) -> PathBuf {
    let id = Digest::of(root.as_os_str().as_encoded_bytes()).hex();
    home.root().join("loaded").join(format!("{}.toml", &id[..16]))
}

fn canonical(root: &Path) -> PathBuf {
    fs::canonicalize(root).unwrap_or_else(|_| root.to_owned())
}

/// Held while the file changes; given up by the kernel if the process dies.
fn lock(path: &Path) -> Result<File, HomeError> {
    let path = path.with_extension("lock");
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("open", &path))?;
    file.lock().map_err(io_error("lock", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(number: usize) -> LoadedPlugin {
        LoadedPlugin {
            name: format!("plugin-{number}").parse().expect("a name"),
            path: format!("/plugins/{number}.lua").into(),
            by: LoadedBy::Command,
            renamed: false,
            config: None,
            digest: Digest::of(b"x"),
            described: None,
            permissions: Permissions { env: vec!["HOME".to_owned()], ..Permissions::default() },
        }
    }

    #[test]
    fn changes_at_the_same_time_all_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (home, root) = (&home, folder.path());
                scope.spawn(move || change(home, root, |loaded| loaded.put(plugin(number))).expect("it is written"));
            }
        });
        let loaded = read(&home, folder.path()).expect("it is read");
        assert_eq!(loaded.plugins.len(), 8);
        assert_eq!(loaded.at(Path::new("/plugins/3.lua")), Some(&plugin(3)));
    }

    #[test]
    fn projects_do_not_see_each_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        change(&home, Path::new("/one"), |loaded| loaded.put(plugin(1))).expect("it is written");
        assert!(read(&home, Path::new("/other")).expect("it is read").plugins.is_empty());
    }

    #[test]
    fn a_damaged_file_is_told_and_not_taken_for_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        change(&home, Path::new("/one"), |loaded| loaded.put(plugin(1))).expect("it is written");
        std::fs::write(path(&home, Path::new("/one")), "plugin = 7").expect("it is written");
        assert!(matches!(read(&home, Path::new("/one")), Err(HomeError::Damaged { .. })));
    }
}
