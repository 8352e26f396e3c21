//! The user's tokens for registries: `credentials.toml`, readable by the user alone.
//!
//! A token stands under the URL of its registry, not under a name: what a project calls a registry must not decide who sees a token.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Home, HomeError, io_error, turn};

/// The file, as it stands.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tokens: BTreeMap<String, String>,
}

/// Whether something was there to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was, and is gone.
    Gone,
    /// There was none.
    Absent,
}

/// The file.
pub fn path(home: &Home) -> PathBuf {
    home.root().join("credentials.toml")
}

/// The token for the registry at `url`, if there is one.
///
/// # Errors
/// The file cannot be read, is damaged, or others may read it.
pub fn token(home: &Home, url: &str) -> Result<Option<Zeroizing<String>>, HomeError> {
    Ok(read(&path(home))?.tokens.remove(url).map(Zeroizing::new))
}

/// Keeps a token for the registry at `url`, in place of another one.
pub fn store(home: &Home, url: &str, token: &str) -> Result<(), HomeError> {
    change(home, |tokens| {
        tokens.insert(url.to_owned(), token.to_owned());
    })
}

/// Forgets the token for the registry at `url`.
pub fn remove(home: &Home, url: &str) -> Result<Removed, HomeError> {
    if token(home, url)?.is_none() {
        return Ok(Removed::Absent);
    }
    change(home, |tokens| drop(tokens.remove(url))).map(|()| Removed::Gone)
}

fn change(home: &Home, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), HomeError> {
    let _turn = turn::take(home, home.root(), &|| {})?;
    let path = path(home);
    let mut credentials = read(&path)?;
    change(&mut credentials.tokens);
    let text = Zeroizing::new(toml_edit::ser::to_string_pretty(&credentials).expect("a table of texts"));
    fs::create_dir_all(home.root()).map_err(io_error("create", home.root()))?;
    // A temporary file is readable by its owner alone, and stays so.
    let mut file = tempfile::NamedTempFile::new_in(home.root()).map_err(io_error("write", home.root()))?;
    file.write_all(text.as_bytes()).map_err(io_error("write", &path))?;
    file.as_file().sync_all().map_err(io_error("write", &path))?;
    file.persist(&path).map(drop).map_err(|error| io_error("write", &path)(error.error))
}

fn read(path: &Path) -> Result<Credentials, HomeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Credentials::default()),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    refuse_exposed(path)?;
    // What the parser says may quote the line, and the line has the token.
    let message = "it is no table of registries' URLs and tokens".to_owned();
    toml_edit::de::from_str(&text).map_err(|_| HomeError::Damaged { path: path.to_owned(), message })
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), HomeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(io_error("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(HomeError::TokensExposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> Result<(), HomeError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://plugins.example.com/";

    #[test]
    fn a_token_is_kept_under_its_registrys_url_and_forgotten_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        assert_eq!(remove(&home, URL).expect("nothing is there"), Removed::Absent);
        assert!(!path(&home).exists());
        store(&home, URL, "old").expect("it is kept");
        store(&home, "https://other.example/", "other").expect("it is kept");
        store(&home, URL, "hunter2").expect("it is kept");
        assert_eq!(token(&home, URL).expect("it is read").as_deref().map(String::as_str), Some("hunter2"));
        assert!(token(&home, "https://plugins.example.com/evil/").expect("it is read").is_none());
        assert_eq!(remove(&home, URL).expect("it is there"), Removed::Gone);
        assert!(token(&home, URL).expect("it is read").is_none());
        assert!(token(&home, "https://other.example/").expect("it is read").is_some());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        store(&home, URL, "hunter2").expect("it is kept");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&path(&home)), 0o600);
        fs::set_permissions(path(&home), fs::Permissions::from_mode(0o644)).expect("its mode is changed");
        assert!(matches!(token(&home, URL), Err(HomeError::TokensExposed { mode: 0o644, .. })));
    }

    #[test]
    fn a_damaged_file_is_told_without_what_stands_in_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        store(&home, URL, "x").expect("it is kept");
        let file = path(&home);
        fs::write(&file, "[tokens]\nhunter2").expect("it is written");
        let error = token(&home, URL).expect_err("it is damaged");
        assert!(matches!(error, HomeError::Damaged { .. }) && !error.to_string().contains("hunter2"), "{error}");
    }
}
