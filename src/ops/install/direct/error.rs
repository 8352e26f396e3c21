//! What can be wrong with a plugin that the project names itself.

use std::path::PathBuf;

use pocket_index::digest::{Digest, TreeDigest};
use pocket_index::name::{PluginName, Target};
use pocket_index::repository::Repository;
use pocket_index::signature::PublicKey;
use pocket_index::verify::SignedReleaseError;

use crate::engine::CallError;
use crate::registry::forge::ForgeError;

/// Archives that nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unvouched {
    /// Where they come from.
    pub source: String,
    /// Their files and digests.
    pub archives: Vec<(String, Digest)>,
    /// What to type if these are the expected digests.
    pub command: String,
}

/// Why a plugin that the project names itself is not installed.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// The forge has no release for us.
    #[error("cannot get a release of `{repository}`")]
    Forge {
        /// The repository.
        repository: Repository,
        /// Why not.
        source: Box<ForgeError>,
    },
    /// Nothing says where the host's API is.
    #[error("`{host}` is no forge that is known")]
    NoForge {
        /// The host.
        host: String,
        /// The project's file.
        file: PathBuf,
    },
    /// The tag names no version.
    #[error("the tag `{}` of `{repository}` names no version; expected one such as `v1.2.0`", tag.escape_debug())]
    NoVersion {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// The release has no archive for us.
    #[error("the release `{}` of `{repository}` has no archive `{expected}`, only {}", tag.escape_debug(), listed(found))]
    NoAsset {
        /// The repository.
        repository: Repository,
        /// The release's tag.
        tag: String,
        /// The name that was looked for.
        expected: String,
        /// The assets there are.
        found: Vec<String>,
    },
    /// The release has archives of several plugins.
    #[error("the release `{}` of `{repository}` has archives of several plugins: {}", tag.escape_debug(), listed(plugins))]
    SeveralPlugins {
        /// The repository.
        repository: Repository,
        /// The release's tag.
        tag: String,
        /// The plugins.
        plugins: Vec<String>,
    },
    /// Without a signature all archives are fetched, and these are too many.
    #[error("the release `{}` of `{repository}` has {count} archives of {bytes} bytes and no signature for them all", tag.escape_debug())]
    TooMuch {
        /// The repository.
        repository: Repository,
        /// The release's tag.
        tag: String,
        /// How many archives there are.
        count: usize,
        /// Their bytes together.
        bytes: u64,
    },
    /// The forge's own digest of an asset is not that of its bytes.
    #[error("the bytes of `{asset}` are {found}, the forge says {said}")]
    ForgeDigest {
        /// The asset.
        asset: String,
        /// What the forge says.
        said: Digest,
        /// What the bytes have.
        found: Digest,
    },
    /// Two archives of one release contradict each other, or their names.
    #[error("`{asset}` is not the archive that its name and its release say: {reason}")]
    OtherContent {
        /// The asset.
        asset: String,
        /// What differs.
        reason: String,
    },
    /// The file with the signature is refused.
    #[error("the signature `{asset}` is refused")]
    Signature {
        /// The file.
        asset: String,
        /// Why.
        source: SignedReleaseError,
    },
    /// Somebody else signed than before.
    #[error("`{source_name}` is signed by {}, before it was {}", fingerprints(found), fingerprints(pinned))]
    OtherSigner {
        /// Where it comes from.
        source_name: String,
        /// Who signed before.
        pinned: Vec<PublicKey>,
        /// Who signed now.
        found: Vec<PublicKey>,
        /// The file that remembers the first.
        file: PathBuf,
    },
    /// Releases were signed before, and this one is not.
    #[error("the release `{}` of `{source_name}` has no signature, before they were signed by {}", tag.escape_debug(), fingerprints(pinned))]
    SignatureGone {
        /// Where it comes from.
        source_name: String,
        /// The release's tag.
        tag: String,
        /// Who signed before.
        pinned: Vec<PublicKey>,
    },
    /// Nobody vouches for the bytes.
    #[error("{} comes without evidence: {}", .0.source, digests(.0))]
    Unvouched(Box<Unvouched>),
    /// Somebody was asked whether to trust it all the same, and said no.
    #[error("nothing was installed: {0} was not trusted")]
    NotTrusted(String),
    /// The lock has archives for other machines only.
    #[error("`{name}` is locked for {} only, not for `{target}`", listed(available))]
    NoLockedArchive {
        /// The plugin.
        name: PluginName,
        /// The machine's target.
        target: Target,
        /// The targets there are.
        available: Vec<Target>,
    },
    /// A path in `pocket.yaml` leads nowhere.
    #[error("`{path}` does not exist; `{}` names it for `{name}`{}", manifest.display(), line.map(|line| format!(" in line {line}")).unwrap_or_default())]
    MissingPath {
        /// The plugin.
        name: PluginName,
        /// The path.
        path: String,
        /// The project's file.
        manifest: PathBuf,
        /// The line that names it.
        line: Option<u64>,
    },
    /// `--locked`, and a local plugin has other files.
    #[error("the files of `{name}` in `{path}` are {found}, the lock says {locked}, and --locked allows no change")]
    LocalChanged {
        /// The plugin.
        name: PluginName,
        /// Where they are.
        path: String,
        /// What the lock says.
        locked: TreeDigest,
        /// What they are.
        found: TreeDigest,
    },
    /// A file or folder that cannot be a plugin.
    #[error("`{}` is no plugin: {reason}", path.display())]
    NoPlugin {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A library without a manifest that cannot be asked for one.
    #[error("`{}` has no manifest beside it, and cannot be asked for one", path.display())]
    Undescribed {
        /// The library.
        path: PathBuf,
        /// Why not.
        source: CallError,
    },
}

fn listed<T: ToString>(all: &[T]) -> String {
    if all.is_empty() {
        return "nothing".to_owned();
    }
    all.iter().map(|one| format!("`{}`", one.to_string().escape_debug())).collect::<Vec<_>>().join(", ")
}

fn fingerprints(keys: &[PublicKey]) -> String {
    keys.iter().map(|key| key.fingerprint().to_string()).collect::<Vec<_>>().join(" and ")
}

fn digests(unvouched: &Unvouched) -> String {
    let archives = unvouched.archives.iter().map(|(file, digest)| format!("`{file}` is {digest}"));
    archives.collect::<Vec<_>>().join(", ")
}
