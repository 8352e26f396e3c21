//! Why something is not installed.

use semver::Version;

use crate::archive::ArchiveError;
use crate::digest::{Digest, TreeDigest};
use crate::log::LogError;
use crate::name::{PluginName, Target};

/// Why a release or an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A registry takes only archives as `pocket plugin pack` writes them.
    #[error("the archive is not in canonical form, as `pocket plugin pack` writes it")]
    NotCanonical,
    /// No line of the plugin's file releases it.
    #[error("`{name}` has no version {version}")]
    UnknownVersion {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: Version,
    },
    /// Its owners or the registry know that it does harm.
    #[error("`{name}` {version} is revoked: {}", if reason.is_empty() { "no reason is given" } else { reason.as_str() })]
    Revoked {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: Version,
        /// Why.
        reason: String,
    },
    /// The log does not bear the release out.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The release has nothing for this machine.
    #[error("`{name}` {version} has no archive for `{target}`, only for {}", listed(available))]
    NoArchive {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: Version,
        /// The target asked for.
        target: Target,
        /// The targets there are.
        available: Vec<Target>,
    },
    /// The archive is longer or shorter than the release says.
    #[error("the archive has {found} bytes, the index says {expected}")]
    Size {
        /// What the release says.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// The archive goes on where it should end; how far was not found out.
    #[error("the archive has more than {expected} bytes, the index says {expected}")]
    Longer {
        /// What the release says.
        expected: u64,
    },
    /// The archive's bytes are others than promised.
    #[error("the archive's digest is {found}, expected {expected}")]
    Digest {
        /// What was promised.
        expected: Digest,
        /// What was found.
        found: Digest,
    },
    /// The archive cannot be unpacked safely, or its manifest is malformed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Another number of files than the release says.
    #[error("the archive has {found} files, the index says {expected}")]
    Entries {
        /// What the release says.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// Another number of bytes in its files than the release says.
    #[error("the archive's files have {found} bytes together, the index says {expected}")]
    Unpacked {
        /// What the release says.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// Other files than the release says.
    #[error("the archive's files have the digest {found}, the index says {expected}")]
    Tree {
        /// What the release says.
        expected: TreeDigest,
        /// What was found.
        found: TreeDigest,
    },
    /// The manifest inside says something else than what was signed, resolved and shown to the user.
    #[error(
        "the archive's manifest and the index differ in `{field}`: {manifest} in the manifest, {index} in the index"
    )]
    ManifestDiffers {
        /// The field, by the event's name for it.
        field: &'static str,
        /// What the manifest says, as JSON.
        manifest: String,
        /// What the release says, as JSON.
        index: String,
    },
}

fn listed(targets: &[Target]) -> String {
    targets.iter().map(|target| format!("`{target}`")).collect::<Vec<_>>().join(", ")
}
