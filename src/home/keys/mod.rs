//! The user's private keys: `keys/<name>.key`, readable by the owner alone, with a passphrase if the user wants one.

mod pem;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pocket_index::name::PluginName;
use pocket_index::signature::{PublicKey, SecretKey};
use zeroize::Zeroizing;

pub use pem::PemError;

use super::{Home, HomeError, io_error};

/// The key that is used when none is named.
pub const DEFAULT_KEY: &str = "default";
/// Before the encrypted key: its public half, so that keys are listed without a passphrase.
const PUBLIC_LINE: &str = "public: ";

/// A key of the user's, as `pocket key list` shows it.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// Its name.
    pub name: String,
    /// Its public half.
    pub public: PublicKey,
    /// The file of its private half.
    pub path: PathBuf,
    /// Whether a passphrase is needed to sign with it.
    pub protection: Protection,
}

/// Whether a passphrase is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Whoever reads the file has the key.
    File,
    /// The file is encrypted.
    Passphrase,
}

/// Gives the passphrase of the key with this name.
pub type AskPassphrase<'a> = &'a dyn Fn(&str) -> Result<Zeroizing<String>, HomeError>;

/// Makes a key and stores it under `name`. An existing key is never replaced.
pub fn create(home: &Home, name: &PluginName, passphrase: Option<&str>) -> Result<KeyEntry, HomeError> {
    let secret = SecretKey::generate().map_err(|source| HomeError::Randomness { source })?;
    store(home, name, &secret, passphrase)
}

/// Stores a key that was made elsewhere: `ed25519-secret:…`, or PKCS#8 in PEM as OpenSSL writes it. An existing key is never
/// replaced.
pub fn import(
    home: &Home,
    name: &PluginName,
    text: &str,
    passphrase: Option<&str>,
    ask: AskPassphrase<'_>,
) -> Result<KeyEntry, HomeError> {
    let secret = parse(text, || ask("to be imported"));
    let secret = secret.map_err(|error| error.into_home(Path::new("the key to be imported")))?;
    store(home, name, &secret, passphrase)
}

/// A key's text for other tools: PKCS#8 in PEM.
pub fn export(
    home: &Home,
    name: &str,
    passphrase: Option<&str>,
    ask: AskPassphrase<'_>,
) -> Result<Zeroizing<String>, HomeError> {
    let secret = load(home, name, ask)?;
    pem::write(&secret, passphrase).map_err(|source| HomeError::Key { path: key_path(home, name), source })
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
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".key"));
        if let Some(name) = name.map(str::to_owned) {
            keys.push(describe(name, path)?);
        }
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(keys)
}

/// One key, without its private half.
pub fn show(home: &Home, name: &str) -> Result<KeyEntry, HomeError> {
    let path = existing(home, name)?;
    describe(name.to_owned(), path)
}

/// The private key called `name`. The passphrase is asked for only if there is one.
pub fn load(home: &Home, name: &str, ask: AskPassphrase<'_>) -> Result<SecretKey, HomeError> {
    let path = existing(home, name)?;
    let text = read(&path)?;
    let secret = parse(&text, || ask(name)).map_err(|error| error.into_home(&path))?;
    match public_line(&text) {
        // The line is for people and lists; a signature by another key than the one shown would surprise.
        Some(shown) if shown != secret.public().to_string() => Err(HomeError::Damaged {
            path,
            message: format!("it says that its public half is `{shown}`, it is `{}`", secret.public()),
        }),
        _ => Ok(secret),
    }
}

/// Either room's error, while a key is read.
enum ReadError {
    Home(HomeError),
    Pem(PemError),
}

impl From<PemError> for ReadError {
    fn from(error: PemError) -> Self {
        Self::Pem(error)
    }
}

impl ReadError {
    fn into_home(self, path: &Path) -> HomeError {
        match self {
            Self::Home(error) => error,
            Self::Pem(source) => HomeError::Key { path: path.to_owned(), source },
        }
    }
}

fn parse(text: &str, ask: impl FnOnce() -> Result<Zeroizing<String>, HomeError>) -> Result<SecretKey, ReadError> {
    if text.contains("-----BEGIN ") {
        return pem::read(text, || ask().map_err(ReadError::Home));
    }
    text.trim().parse().map_err(|_| ReadError::Pem(PemError::Shape))
}

fn describe(name: String, path: PathBuf) -> Result<KeyEntry, HomeError> {
    let text = read(&path)?;
    if !pem::is_encrypted(&text) {
        let secret = parse(&text, || unreachable!("nothing is encrypted")).map_err(|error| error.into_home(&path))?;
        return Ok(KeyEntry { name, public: secret.public(), path, protection: Protection::File });
    }
    let public = public_line(&text).and_then(|line| line.parse().ok());
    let public = public.ok_or_else(|| HomeError::Damaged {
        path: path.clone(),
        message: format!("its first line is not `{PUBLIC_LINE}` and a public key"),
    })?;
    Ok(KeyEntry { name, public, path, protection: Protection::Passphrase })
}

fn public_line(text: &str) -> Option<&str> {
    text.lines().next()?.strip_prefix(PUBLIC_LINE)
}

fn store(home: &Home, name: &PluginName, secret: &SecretKey, passphrase: Option<&str>) -> Result<KeyEntry, HomeError> {
    let folder = home.keys();
    create_private_folder(&folder)?;
    let path = key_path(home, name.as_str());
    let mut text = Zeroizing::new(String::new());
    let protection = match passphrase {
        None => {
            text.push_str(&secret.to_text());
            text.push('\n');
            Protection::File
        }
        Some(_) => {
            let encrypted = pem::write(secret, passphrase);
            let encrypted = encrypted.map_err(|source| HomeError::Key { path: path.clone(), source })?;
            text.push_str(&format!("{PUBLIC_LINE}{}\n", secret.public()));
            text.push_str(&encrypted);
            Protection::Passphrase
        }
    };
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(io_error("write", &folder))?;
    file.write_all(text.as_bytes()).map_err(io_error("write", &path))?;
    file.as_file().sync_all().map_err(io_error("write", &path))?;
    file.persist_noclobber(&path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => HomeError::KeyExists { name: name.to_string(), path: path.clone() },
        _ => HomeError::Io { doing: "write", path: path.clone(), source: error.error },
    })?;
    Ok(KeyEntry { name: name.to_string(), public: secret.public(), path, protection })
}

fn existing(home: &Home, name: &str) -> Result<PathBuf, HomeError> {
    let path = key_path(home, name);
    if path.exists() { Ok(path) } else { Err(HomeError::NoKey { name: name.to_owned(), folder: home.keys() }) }
}

fn key_path(home: &Home, name: &str) -> PathBuf {
    home.keys().join(format!("{name}.key"))
}

fn read(path: &Path) -> Result<Zeroizing<String>, HomeError> {
    refuse_exposed(path)?;
    fs::read_to_string(path).map(Zeroizing::new).map_err(io_error("read", path))
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

    fn nobody(_: &str) -> Result<Zeroizing<String>, HomeError> {
        panic!("no passphrase is needed")
    }

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        (folder, home)
    }

    #[test]
    fn a_key_is_found_again_and_never_replaced() {
        let (_folder, home) = home();
        let made = create(&home, &name("default"), None).expect("the key is made");
        assert_eq!(load(&home, "default", &nobody).expect("the key is there").public(), made.public);
        assert_eq!(list(&home).expect("keys are listed")[0].public, made.public);
        assert!(matches!(create(&home, &name("default"), None), Err(HomeError::KeyExists { .. })));
        assert_eq!(load(&home, "default", &nobody).expect("the key is there").public(), made.public);
    }

    #[test]
    fn a_key_with_a_passphrase_is_listed_without_it_and_used_with_it() {
        let (_folder, home) = home();
        let made = create(&home, &name("work"), Some("correct horse")).expect("the key is made");
        let listed = &list(&home).expect("keys are listed")[0];
        assert_eq!((listed.public, listed.protection), (made.public, Protection::Passphrase));
        let with = |passphrase: &'static str| move |_: &str| Ok(Zeroizing::new(passphrase.to_owned()));
        assert_eq!(load(&home, "work", &with("correct horse")).expect("it opens").public(), made.public);
        assert!(matches!(load(&home, "work", &with("x")), Err(HomeError::Key { source: PemError::Passphrase, .. })));
        let text = fs::read_to_string(&made.path).expect("its file");
        fs::write(&made.path, text.replacen(&made.public.to_string()[8..], &"0".repeat(64), 1)).expect("it is changed");
        assert!(matches!(load(&home, "work", &with("correct horse")), Err(HomeError::Damaged { .. })));
    }

    #[test]
    fn an_exported_key_can_be_imported() {
        let (_folder, home) = home();
        let made = create(&home, &name("one"), None).expect("the key is made");
        let text = export(&home, "one", Some("secret"), &nobody).expect("it is exported");
        let ask = |_: &str| Ok(Zeroizing::new("secret".to_owned()));
        let imported = import(&home, &name("two"), &text, None, &ask).expect("it is imported");
        assert_eq!(imported.public, made.public);
        assert!(matches!(import(&home, &name("two"), &text, None, &ask), Err(HomeError::KeyExists { .. })));
        assert!(matches!(import(&home, &name("three"), "ssh-ed25519 AAAA", None, &nobody), Err(HomeError::Key { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, home) = home();
        let made = create(&home, &name("default"), None).expect("the key is made");
        assert_eq!(fs::metadata(&made.path).expect("its file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&made.path, fs::Permissions::from_mode(0o644)).expect("its mode is changed");
        assert!(matches!(load(&home, "default", &nobody), Err(HomeError::KeyExposed { mode: 0o644, .. })));
    }
}
