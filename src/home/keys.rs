//! The user's private keys: `keys/<name>.key`, readable by the owner alone.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pocket_index::name::PluginName;
use pocket_index::signature::{PublicKey, SecretKey};

use super::{Home, HomeError, io_error};

/// The key that is used when none is named.
pub const DEFAULT_KEY: &str = "default";

/// A key of the user's, as `pocket key list` shows it.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// Its name.
    pub name: String,
    /// Its public half.
    pub public: PublicKey,
    /// The file of its private half.
    pub path: PathBuf,
}

/// Makes a key and stores it under `name`. An existing key is never replaced.
pub fn create(home: &Home, name: &PluginName) -> Result<KeyEntry, HomeError> {
    let folder = home.keys();
    create_private_folder(&folder)?;
    let path = key_path(home, name.as_str());
    let secret = SecretKey::generate().map_err(|source| HomeError::Randomness { source })?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(io_error("write", &folder))?;
    let text = secret.to_text();
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(io_error("write", &path))?;
    file.as_file().sync_all().map_err(io_error("write", &path))?;
    file.persist_noclobber(&path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => HomeError::KeyExists { name: name.to_string(), path: path.clone() },
        _ => HomeError::Io { doing: "write", path: path.clone(), source: error.error },
    })?;
    Ok(KeyEntry { name: name.to_string(), public: secret.public(), path })
}

/// All keys, by name.
pub fn list(home: &Home) -> Result<Vec<KeyEntry>, HomeError> {
    let folder = home.keys();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", &folder)(error)),
    };
    let mut keys = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("read", &folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".key"))
        else {
            continue;
        };
        let name = name.to_owned();
        let public = read(&path)?.public();
        keys.push(KeyEntry { name, public, path });
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(keys)
}

/// The private key called `name`.
pub fn load(home: &Home, name: &str) -> Result<SecretKey, HomeError> {
    let path = key_path(home, name);
    if !path.exists() {
        return Err(HomeError::NoKey { name: name.to_owned(), folder: home.keys() });
    }
    read(&path)
}

fn key_path(home: &Home, name: &str) -> PathBuf {
    home.keys().join(format!("{name}.key"))
}

fn read(path: &Path) -> Result<SecretKey, HomeError> {
    refuse_exposed(path)?;
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    text.trim()
        .parse::<SecretKey>()
        .map_err(|error| HomeError::Damaged { path: path.to_owned(), message: error.to_string() })
}

/// A key that others can read may have been copied; ssh refuses such keys for the same reason.
#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), HomeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(io_error("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(HomeError::KeyExposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), HomeError> {
    Ok(())
}

fn create_private_folder(folder: &Path) -> Result<(), HomeError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(io_error("create", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        text.parse().expect("a valid name")
    }

    #[test]
    fn a_key_is_found_again_and_never_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let made = create(&home, &name("default")).expect("the key is made");
        assert_eq!(load(&home, "default").expect("the key is there").public(), made.public);
        assert_eq!(list(&home).expect("keys are listed")[0].public, made.public);
        assert!(matches!(create(&home, &name("default")), Err(HomeError::KeyExists { .. })));
        assert_eq!(load(&home, "default").expect("the key is there").public(), made.public);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let made = create(&home, &name("default")).expect("the key is made");
        assert_eq!(fs::metadata(&made.path).expect("its file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&made.path, fs::Permissions::from_mode(0o644)).expect("its mode is changed");
        assert!(matches!(load(&home, "default"), Err(HomeError::KeyExposed { mode: 0o644, .. })));
    }
}
