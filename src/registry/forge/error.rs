//! Why a forge has no release for us.

use pocket_index::repository::Repository;
use semver::{Version, VersionReq};

use super::ForgeRelease;
use crate::registry::TransportError;

/// At most so many are shown of what there is.
const SHOWN: usize = 8;

/// A release could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// No answer, or one that is none.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// There is no such repository, or it is hidden.
    #[error("{asked} knows no repository `{repository}`")]
    NoRepository {
        /// The repository.
        repository: Repository,
        /// The API.
        asked: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// Nothing was released yet.
    #[error("the repository `{repository}` has no release")]
    NoRelease {
        /// The repository.
        repository: Repository,
    },
    /// Everything there is is a pre-release.
    #[error("the repository `{repository}` has only pre-releases: {}", listed(tags))]
    OnlyPrereleases {
        /// The repository.
        repository: Repository,
        /// Their tags, newest first.
        tags: Vec<String>,
    },
    /// No release has the tag.
    #[error("the repository `{repository}` has no release with the tag `{}`, only {}", tag.escape_debug(), listed(tags))]
    NoTag {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
        /// The tags there are, newest first.
        tags: Vec<String>,
    },
    /// No release has a version that will do.
    #[error("the repository `{repository}` has no release that matches `{requirement}`, only {}", listed(versions))]
    NoMatch {
        /// The repository.
        repository: Repository,
        /// What was asked for.
        requirement: VersionReq,
        /// The versions there are.
        versions: Vec<Version>,
    },
    /// A release that is not published.
    #[error("the release `{}` is a draft", tag.escape_debug())]
    Draft {
        /// Its tag.
        tag: String,
    },
    /// Too many requests.
    #[error("{asked} takes no more requests{}", seconds.map(in_time).unwrap_or_default())]
    RateLimited {
        /// The API.
        asked: String,
        /// Seconds until it takes some again.
        seconds: Option<u64>,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// The API turned the request down.
    #[error("{asked} refused the request with {status}")]
    Forbidden {
        /// The API.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// The answer is not what a release API answers.
    #[error("{url} does not answer as a release API does")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// An asset's address that is none.
    #[error("the forge says `{}` is the address of `{}`, which is none", found.escape_debug(), asset.escape_debug())]
    Address {
        /// The asset.
        asset: String,
        /// What stands there.
        found: String,
    },
    /// An asset's digest that is none.
    #[error("the forge says `{}` is the digest of `{}`, which is none", found.escape_debug(), asset.escape_debug())]
    Digest {
        /// The asset.
        asset: String,
        /// What stands there.
        found: String,
    },
}

impl ForgeError {
    /// For a repository in which no release is meant for everybody.
    pub(super) fn nothing_final(repository: &Repository, known: &[ForgeRelease]) -> Self {
        let repository = repository.clone();
        if known.is_empty() {
            return Self::NoRelease { repository };
        }
        Self::OnlyPrereleases { repository, tags: known.iter().map(|release| release.tag.clone()).collect() }
    }
}

fn listed<T: ToString>(all: &[T]) -> String {
    let shown: Vec<String> =
        all.iter().take(SHOWN).map(|one| format!("`{}`", one.to_string().escape_debug())).collect();
    match all.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}

fn in_time(seconds: u64) -> String {
    if seconds < 120 { format!(" for {seconds} seconds") } else { format!(" for {} minutes", seconds.div_ceil(60)) }
}
