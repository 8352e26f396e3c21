//! The registry's folder: `tree/` with the static files that everybody may read, `registry.key` with what nobody may.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use pocket_index::append::{self, Appender, Files, Write};
use pocket_index::config::Config;
use pocket_index::digest::Digest;
use pocket_index::log::{Checkpoint, NodeHash, NoteKey, NoteSigner, keys_digest};
use pocket_index::name::RegistryName;
use pocket_index::record::{History, Policy};
use pocket_index::signature::{PublicKey, SecretKey};
use pocket_index::{bundled, layout};

use crate::collect::Collector;
use crate::config::{DEFAULT_RECOVERY_DELAY, Seed, Source, Witnesses};
use crate::error::{chain, io_error};
use crate::publish::search_list;
use crate::{RegistryError, checkpoint};

/// Where clients publish, relative to the registry's root.
const API: &str = "api/v1/";
/// The private key, relative to the registry's folder.
const KEY: &str = "registry.key";

/// A registry's files, and the key that signs its log.
#[derive(Debug)]
pub struct Registry {
    root: PathBuf,
    signer: NoteSigner,
    policy: Policy,
    collector: Collector,
    /// The keys that clients take the registry's own events from.
    event_keys: Vec<PublicKey>,
    /// How long a recovery waits at least, in seconds.
    recovery_delay: u64,
    writer: Mutex<()>,
    /// Held as long as the registry is open: two servers on one folder would fork its log.
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

/// The static tree as the one writer of an index reads it.
pub(crate) struct TreeFiles<'a>(pub &'a Path);

impl Files for TreeFiles<'_> {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Registry {
    /// Opens the registry, makes it first where there is none, finishes what a crash left undone, and signs its checkpoint anew.
    ///
    /// A recovery that clients send must wait `recovery_delay` seconds.
    pub fn open(source: &Source, recovery_delay: u64) -> Result<Self, RegistryError> {
        Self::open_witnessed(source, recovery_delay, &Witnesses::default())
    }

    /// The same for a registry whose checkpoints witnesses cosign. Where too few of them answer, it is served as it is.
    pub fn open_witnessed(source: &Source, recovery_delay: u64, witnesses: &Witnesses) -> Result<Self, RegistryError> {
        let opened = match source {
            Source::Bundled => {
                let folder = tempfile::tempdir().map_err(io_error("create a folder in", &std::env::temp_dir()))?;
                let path = folder.path().to_owned();
                Self::open_folder(&path, Seed::Bundled, witnesses, Some(folder))
            }
            Source::Folder { path, seed } => Self::open_folder(path, *seed, witnesses, None),
        };
        let registry = Self { recovery_delay, ..opened? };
        match registry.write().refresh(checkpoint::Age::Any) {
            Err(error @ RegistryError::TooFewWitnesses(_)) => eprintln!("{}", chain(&error)),
            refreshed => refreshed?,
        }
        Ok(registry)
    }

    fn open_folder(
        root: &Path,
        seed: Seed,
        witnesses: &Witnesses,
        temporary: Option<tempfile::TempDir>,
    ) -> Result<Self, RegistryError> {
        let collector = Collector::new(witnesses)?;
        fs::create_dir_all(root).map_err(io_error("create", root))?;
        let root = fs::canonicalize(root).map_err(io_error("open", root))?;
        let lock = lock(&root)?;
        if !root.join("tree").join(layout::CONFIG).exists() {
            found(&root, seed)?;
        }
        let secret = read_key(&root.join(KEY))?;
        let config = read_config(&root)?;
        let damaged = |message: String| RegistryError::Damaged { path: root.clone(), message };
        let key = config.log.ok_or_else(|| damaged("its `config.json` has no log key".to_owned()))?;
        if key.public() != secret.public() {
            return Err(damaged(format!(
                "`registry.key` is {}, `config.json` names {}",
                secret.public(),
                key.public()
            )));
        }
        let signer = NoteSigner::new(key.name(), secret).map_err(|error| damaged(error.to_string()))?;
        let policy = Policy::new(config.keys.iter().copied()).with_development_lines(bundled::line_digests());
        let (event_keys, recovery_delay) = (config.keys, DEFAULT_RECOVERY_DELAY);
        let (writer, (_lock, _temporary)) = (Mutex::new(()), (lock, temporary));
        Ok(Self { root, signer, policy, collector, event_keys, recovery_delay, writer, _lock, _temporary })
    }

    /// Opens the registry in a folder as it is, and makes none.
    ///
    /// # Errors
    /// There is none, it is damaged, or a server uses it.
    pub fn open_existing(root: &Path, witnesses: &Witnesses) -> Result<Self, RegistryError> {
        if !root.join("tree").join(layout::CONFIG).exists() {
            return Err(RegistryError::NoRegistry { path: root.to_owned() });
        }
        Self::open_folder(root, Seed::Empty, witnesses, None)
    }

    /// The folder of the static files. Any web server can serve it.
    pub fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// The key that signs the log.
    pub fn key(&self) -> &NoteKey {
        self.signer.key()
    }

    /// The log's signer.
    pub(crate) fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// Who asks the witnesses.
    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// The digest of the event keys that its configuration has.
    pub(crate) fn keys_digest(&self) -> Digest {
        self.policy.keys_digest()
    }

    /// The folder of the registry.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// How long a recovery that is sent must wait at least, in seconds.
    pub(crate) fn recovery_delay(&self) -> u64 {
        self.recovery_delay
    }

    /// The key that signs the registry's own events: the log's, whose public half a new registry puts into `config.json`.
    pub(crate) fn event_key(&self) -> Result<SecretKey, RegistryError> {
        let path = self.root.join(KEY);
        let secret = read_key(&path)?;
        let key = secret.public();
        if self.event_keys.contains(&key) { Ok(secret) } else { Err(RegistryError::NoEventKey { path, key }) }
    }

    /// Takes the right to write. There is one writer at a time.
    pub(crate) fn write(&self) -> Writer<'_> {
        // A writer that panicked left nothing half-written that `recover` does not finish.
        let guard = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Writer { registry: self, _guard: guard }
    }
}

/// The right to write to a registry.
pub(crate) struct Writer<'a> {
    pub registry: &'a Registry,
    _guard: MutexGuard<'a, ()>,
}

impl Writer<'_> {
    /// Runs `action` with the one writer of the index.
    pub fn append<T>(&self, action: impl FnOnce(&Appender<'_, TreeFiles<'_>>) -> T) -> T {
        let tree = self.registry.tree();
        let files = TreeFiles(&tree);
        action(&Appender::new(&files, &self.registry.signer, &self.registry.policy))
    }

    /// Publishes a line that is in its file and in no checkpoint: a crash left it there, or witnesses that did not answer. Nothing
    /// else comes before it, for a witness may have seen it.
    pub fn finish(&self) -> Result<(), RegistryError> {
        let now = checkpoint::now()?;
        let recovered = self.append(|appender| appender.recover(now));
        let damaged = |message| RegistryError::Damaged { path: self.registry.tree(), message };
        let Some(appended) = recovered.map_err(|error| damaged(chain(&error)))? else { return Ok(()) };
        self.write_all(&checkpoint::before(&appended.writes).collect::<Vec<_>>())?;
        self.publish(&appended.checkpoint)?;
        self.write_all(&[search_list(self, &appended.history)?])
    }

    /// A file of the static tree.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, RegistryError> {
        let tree = self.registry.tree();
        TreeFiles(&tree).read(path).map_err(io_error("read", &tree.join(path)))
    }

    /// A plugin's events; empty if there are none.
    pub fn history(&self, name: &pocket_index::name::PluginName) -> Result<History, RegistryError> {
        let path = layout::index_file(name);
        let Some(content) = self.read(&path)? else { return Ok(History::empty(name.clone(), &self.registry.policy)) };
        let damaged = |message: String| RegistryError::Damaged { path: self.registry.tree().join(&path), message };
        let text = String::from_utf8(content).map_err(|error| damaged(error.to_string()))?;
        History::replay(name, &text, &self.registry.policy).map_err(|error| damaged(chain(&error)))
    }

    /// Writes files of the static tree in this order, each whole.
    pub fn write_all(&self, writes: &[Write]) -> Result<(), RegistryError> {
        write_all(&self.registry.tree(), writes)
    }
}

fn write_all(tree: &Path, writes: &[Write]) -> Result<(), RegistryError> {
    writes.iter().try_for_each(|write| write_file(&tree.join(&write.path), &write.bytes))
}

/// Writes to a temporary name, flushes, renames, flushes the folder: a reader sees the old bytes or the new ones.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let folder = path.parent().expect("a file of the tree stands in a folder");
    fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    #[cfg(unix)]
    {
        // Another web server, under another user, may serve the tree.
        use std::os::unix::fs::PermissionsExt as _;
        let readable = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable).map_err(io_error("write", path))?;
    }
    file.as_file().sync_all().map_err(io_error("write", path))?;
    file.persist(path).map_err(|error| error.error).map_err(io_error("write", path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("flush", folder))
}

fn lock(root: &Path) -> Result<File, RegistryError> {
    let path = root.join(".lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error("open", &path))?;
    file.try_lock().map_err(|_| RegistryError::InUse { path: root.to_owned() })?;
    Ok(file)
}

/// Makes a new registry. `config.json` comes last: without it, the next start begins anew.
fn found(root: &Path, seed: Seed) -> Result<(), RegistryError> {
    let tree = root.join("tree");
    if tree.join(layout::CHECKPOINT).exists() && tree.join("index").exists() {
        let message = "it has a log but no `config.json`; restore that file from a backup".to_owned();
        return Err(RegistryError::Damaged { path: tree, message });
    }
    let secret = make_key(&root.join(KEY))?;
    let public = secret.public();
    let origin = format!("pocket-registry/{}", &public.to_string()["ed25519:".len()..][..16]);
    let damaged = |message: String| RegistryError::Damaged { path: root.to_owned(), message };
    let signer = NoteSigner::new(&origin, secret).map_err(|error| damaged(error.to_string()))?;
    match seed {
        Seed::Empty => write_all(&tree, &append::start(&signer, &Policy::new([public]), checkpoint::now()?))?,
        Seed::Bundled => copy_bundled(&tree, &signer)?,
    }
    if !tree.join(layout::SEARCH).exists() {
        write_file(&tree.join(layout::SEARCH), pocket_index::search::write(Vec::new()).as_bytes())?;
    }
    let config = Config {
        name: "local".parse::<RegistryName>().expect("a constant name is valid"),
        log: Some(signer.key().clone()),
        keys: vec![public],
        auth_required: false,
        api: Some(API.to_owned()),
    };
    write_file(&tree.join(layout::CONFIG), config.to_text().as_bytes())
}

/// The bundled log goes on under this registry's own key: the same leaves, so the same root.
fn copy_bundled(tree: &Path, signer: &NoteSigner) -> Result<(), RegistryError> {
    for path in bundled::paths() {
        if path != layout::CONFIG && path != layout::CHECKPOINT {
            let content = bundled::file(&path).unwrap_or_default();
            write_file(&tree.join(&*path), &content)?;
        }
    }
    let (size, root) = bundled_head()?;
    // It says nothing of its time yet: that does who opens the registry.
    let checkpoint = Checkpoint::sign(size, root, keys_digest([&signer.key().public()]), signer);
    write_all(tree, &[Write::of_checkpoint(&checkpoint)])
}

fn bundled_head() -> Result<(u64, NodeHash), RegistryError> {
    let note = bundled::file(layout::CHECKPOINT).unwrap_or_default();
    let checkpoint = Checkpoint::open_pinned(&note, bundled::checkpoint_digest());
    let checkpoint = checkpoint
        .map_err(|error| RegistryError::Damaged { path: PathBuf::from("the bundled index"), message: chain(&error) })?;
    Ok((checkpoint.size(), checkpoint.head().root))
}

fn make_key(path: &Path) -> Result<SecretKey, RegistryError> {
    if path.exists() {
        return read_key(path);
    }
    let secret = SecretKey::generate()
        .map_err(|error| RegistryError::Damaged { path: path.to_owned(), message: chain(&error) })?;
    let folder = path.parent().expect("the key stands in the registry's folder");
    // A temporary file is readable by its owner alone, and stays so.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
    file.write_all(secret.to_text().as_bytes()).map_err(io_error("write", path))?;
    file.as_file().sync_all().map_err(io_error("write", path))?;
    file.persist_noclobber(path).map_err(|error| error.error).map_err(io_error("write", path))?;
    Ok(secret)
}

fn read_key(path: &Path) -> Result<SecretKey, RegistryError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    let parsed = text.trim().parse();
    parsed.map_err(|error| RegistryError::Damaged { path: path.to_owned(), message: chain(&error) })
}

fn read_config(root: &Path) -> Result<Config, RegistryError> {
    let path = root.join("tree").join(layout::CONFIG);
    let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
    Config::parse(&text, pocket_index::config::LogRequirement::Required)
        .map_err(|error| RegistryError::Damaged { path, message: chain(&error) })
}
