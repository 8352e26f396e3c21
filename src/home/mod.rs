//! Where things live for this user: `~/.pocket`, or the folder that `POCKET_HOME` names.

pub mod atomic;
pub mod credentials;
pub mod evidence;
pub mod keys;
pub mod loaded;
pub mod metrics;
pub mod publishers;
pub mod signers;
pub mod trust;
pub mod turn;

use std::path::{Path, PathBuf};

/// The user's folder.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

/// Why there is no home, or why something in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `POCKET_HOME` nor the operating system names a folder.
    #[error("this user has no home folder")]
    None,
    /// A file could not be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("`{}` is damaged: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The system gives no randomness.
    #[error("cannot make a key")]
    Randomness {
        /// Why not.
        source: pocket_index::signature::SecretKeyError,
    },
    /// A private key cannot be read or written.
    #[error("the private key `{}` cannot be used", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: keys::PemError,
    },
    /// A passphrase is needed, and there is nobody to give it.
    #[error("the key `{name}` needs its passphrase")]
    NoPassphrase {
        /// The key.
        name: String,
    },
    /// A passphrase without a letter protects nothing.
    #[error("the passphrase for the key `{name}` is empty")]
    EmptyPassphrase {
        /// The key.
        name: String,
    },
    /// The passphrase was typed differently the second time.
    #[error("the two passphrases for the key `{name}` differ")]
    OtherPassphrase {
        /// The key.
        name: String,
    },
    /// A key of this name exists.
    #[error("the key `{name}` exists already: `{}`", path.display())]
    KeyExists {
        /// The key's name.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// There is no key of this name.
    #[error("there is no key `{name}` in `{}`", folder.display())]
    NoKey {
        /// The key's name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A key that the user revoked before.
    #[error("the key {} was revoked in `{}`{}", key.fingerprint(), path.display(), colon(reason))]
    RevokedKey {
        /// The key.
        key: pocket_index::signature::PublicKey,
        /// Why it was revoked.
        reason: String,
        /// Where that stands.
        path: PathBuf,
    },
    /// Others than the owner may read the tokens.
    #[error("the tokens in `{}` can be read by others (mode {mode:03o})", path.display())]
    TokensExposed {
        /// Their file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others than the owner may read a private key.
    #[error("the private key `{}` can be read by others (mode {mode:03o})", path.display())]
    KeyExposed {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// A reason behind a colon, if there is one.
fn colon(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl Home {
    /// The folder that `POCKET_HOME` names, else `~/.pocket`. Nothing is created.
    pub fn discover() -> Result<Self, HomeError> {
        if let Some(root) = std::env::var_os("POCKET_HOME").filter(|root| !root.is_empty()) {
            return Ok(Self::at(root));
        }
        let base = directories::BaseDirs::new().ok_or(HomeError::None)?;
        Ok(Self::at(base.home_dir().join(".pocket")))
    }

    /// A home at a given place.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `~/` and this stand for. `~/.pocket` is this home, also where `POCKET_HOME` names another folder.
    ///
    /// # Errors
    /// The operating system names no folder.
    pub fn in_users_home(&self, rest: &str) -> Result<PathBuf, HomeError> {
        match rest.strip_prefix(".pocket") {
            Some("") => return Ok(self.root.clone()),
            Some(inner) if inner.starts_with('/') => return Ok(self.root.join(inner.trim_start_matches('/'))),
            _ => {}
        }
        let base = directories::BaseDirs::new().ok_or(HomeError::None)?;
        Ok(base.home_dir().join(rest))
    }

    /// Unpacked plugins: `<name>/<version>/`.
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// Everything that can be fetched or made again.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Journals of runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The user's private keys.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Locks of the projects that are being changed.
    fn turns(&self) -> PathBuf {
        self.root.join("projects")
    }

    /// Remembers a folder that plugins were unpacked to with `--dir`, so that runs find them there.
    pub fn remember_store(&self, folder: &Path) -> Result<(), HomeError> {
        let folder = std::path::absolute(folder).map_err(io_error("find", folder))?;
        let mut stores = self.remembered_stores()?;
        if stores.contains(&folder) {
            return Ok(());
        }
        stores.push(folder);
        let text: String = stores.iter().map(|store| format!("{}\n", store.display())).collect();
        let path = self.stores_file();
        atomic::replace_file(&path, text.as_bytes()).map(drop).map_err(io_error("write", &path))
    }

    /// The folders that plugins were unpacked to with `--dir`.
    pub fn remembered_stores(&self) -> Result<Vec<PathBuf>, HomeError> {
        let path = self.stores_file();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().map(PathBuf::from).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io_error("read", &path)(error)),
        }
    }

    fn stores_file(&self) -> PathBuf {
        self.root.join("stores")
    }

    /// What was seen of each registry: its keys, newest checkpoint and newest events.
    pub fn trust(&self) -> PathBuf {
        self.root.join("trust")
    }

    /// What registries showed that does not fit together.
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }
}

/// Reads a TOML file of the home; none if it is missing. One that cannot be read is damaged, and never counts as missing.
fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, HomeError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let damaged = |message: &str| HomeError::Damaged { path: path.to_owned(), message: message.to_owned() };
    toml_edit::de::from_str(&text).map(Some).map_err(|error: toml_edit::de::Error| damaged(error.message()))
}

pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io { doing, path, source }
}
