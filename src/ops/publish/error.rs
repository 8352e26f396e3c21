//! Why something was not published.

use std::time::Duration;

use pocket_index::name::PluginName;
use pocket_index::time::Age;
use pocket_index::verify::VerifyError;
use semver::Version;

/// Why something was not published, or not approved.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A publish that cannot be seen.
    #[error("the registry took `{name}` {version} and did not show it within {}", Age(waited.as_secs()))]
    NotVisible {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Nothing waits there.
    #[error("`{name}` {version} is not staged in the registry `{registry}`")]
    NotStaged {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// The registry.
        registry: String,
    },
    /// What waits is not what it stands under.
    #[error("what the registry `{registry}` shows as `{name}` {version} is {found}")]
    OtherRelease {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// The registry.
        registry: String,
        /// What it is.
        found: String,
    },
    /// An archive that waits is not what the event says that would be signed.
    #[error("the staged archive `{file}` is refused")]
    Archive {
        /// Its file name.
        file: String,
        /// What differs.
        source: Box<VerifyError>,
    },
    /// One's own build is another one.
    #[error("the staged `{file}` is {staged}, one's own is {own}")]
    OtherBuild {
        /// The archive's file name.
        file: String,
        /// The digest of what waits.
        staged: String,
        /// The digest of what was packed here.
        own: String,
    },
    /// Somebody must say yes, and nobody can be asked.
    #[error("`{name}` {version} is not signed without a yes")]
    NotApproved {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
    },
    /// Somebody said no.
    #[error("`{name}` {version} was not approved; nothing was signed")]
    Declined {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
    },
}
