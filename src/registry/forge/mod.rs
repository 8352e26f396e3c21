//! Releases of repositories on forges: GitHub, GitHub Enterprise, Gitea and Forgejo answer with the same JSON.
//!
//! What a forge says is where archives are, and no more: whoever can change a release can change its digests as well. The
//! caller brings the evidence.

mod answer;
mod error;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pocket_index::name::PluginName;
use pocket_index::repository::Repository;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use semver::VersionReq;

use super::error::TransportError;
use super::http::{Http, Reply, next_hop};
use super::token::Token;

pub use answer::{Asset, ForgeRelease, version_of_tag};
pub use error::ForgeError;

/// 16 MiB: 50 releases with notes of 125 KB, GitHub's longest, and a few hundred assets each.
const ANSWER: u64 = 16 << 20;
/// Releases asked for at once.
const PAGE: usize = 50;
/// 1,000 releases: what lies further back must be named by its tag.
const PAGES: usize = 20;
/// A repository that was renamed twice is two hops away.
const HOPS: usize = 5;

/// Where a forge's API is, and who asks.
#[derive(Debug, Clone)]
pub struct ForgeAccess {
    /// The API's base, such as `https://api.github.com`.
    pub api: Url,
    /// What opens private repositories and raises the limit of requests.
    pub token: Option<Token>,
}

/// Which release is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The one that the forge calls the latest.
    Latest,
    /// The one with this tag.
    Tag(String),
    /// The highest version that will do.
    Version(VersionReq),
}

/// A forge's release API.
#[derive(Debug)]
pub struct Forge {
    access: ForgeAccess,
    /// Follows no redirect: each hop decides whether it may see the token.
    api: Http,
    files: Http,
}

impl Forge {
    /// Makes a client. Nothing is sent.
    pub fn new(access: ForgeAccess) -> Result<Self, TransportError> {
        Ok(Self { access, api: Http::without_redirects()?, files: Http::new()? })
    }

    /// The API's base, as it may be shown.
    pub fn api(&self) -> String {
        super::location::without_credentials(&self.access.api).to_string()
    }

    /// Finds a release. Of several with fitting versions, one that has an archive of `plugin` wins over higher ones that have
    /// none: a repository may release several plugins in turn.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn release(
        &self,
        repository: &Repository,
        wanted: &Wanted,
        plugin: Option<&PluginName>,
    ) -> Result<ForgeRelease, ForgeError> {
        let found = match wanted {
            Wanted::Latest => self.one(repository, &["latest"]).await?,
            Wanted::Tag(tag) => self.one(repository, &["tags", tag]).await?,
            Wanted::Version(requirement) => self.exact(repository, requirement, plugin).await?,
        };
        match (found, wanted) {
            (Some(release), _) => Ok(release),
            (None, Wanted::Version(requirement)) => self.highest(repository, requirement, plugin).await,
            (None, Wanted::Tag(tag)) => {
                let known = self.list(repository).await?;
                let tags = known.iter().map(|release| release.tag.clone()).collect();
                Err(ForgeError::NoTag { repository: repository.clone(), tag: tag.clone(), tags })
            }
            (None, Wanted::Latest) => {
                let known = self.list(repository).await?;
                Err(ForgeError::nothing_final(repository, &known))
            }
        }
    }

    /// Fetches an asset, at most `limit` bytes of it. With a token it comes through the API, which serves private ones too.
    pub async fn download(
        &self,
        asset: &Asset,
        limit: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Bytes, ForgeError> {
        let through_api = asset.api_url.as_ref().filter(|url| self.access.token.is_some() && self.is_api(url));
        let Some(url) = through_api else { return Ok(self.files.get(&asset.url, limit, progress).await?) };
        let reply = self.ask(url, "application/octet-stream", limit).await?;
        Ok(reply.body)
    }

    /// The release with exactly this version, by the tags that it usually has: two requests instead of a list.
    async fn exact(
        &self,
        repository: &Repository,
        requirement: &VersionReq,
        plugin: Option<&PluginName>,
    ) -> Result<Option<ForgeRelease>, ForgeError> {
        let Some(version) = answer::exactly(requirement) else { return Ok(None) };
        for tag in [format!("v{version}"), version.to_string()] {
            if let Some(release) = self.one(repository, &["tags", &tag]).await?
                && plugin.is_none_or(|plugin| release.has_archive_of(plugin))
            {
                return Ok(Some(release));
            }
        }
        Ok(None)
    }

    async fn highest(
        &self,
        repository: &Repository,
        requirement: &VersionReq,
        plugin: Option<&PluginName>,
    ) -> Result<ForgeRelease, ForgeError> {
        let known = self.list(repository).await?;
        let is_final = |release: &&ForgeRelease| release.is_final() || answer::exactly(requirement).is_some();
        let fits = |release: &&ForgeRelease| release.version.as_ref().is_some_and(|found| requirement.matches(found));
        let fitting = known.iter().filter(is_final).filter(fits);
        let best = fitting.max_by_key(|release| {
            (plugin.is_some_and(|plugin| release.has_archive_of(plugin)), release.version.clone())
        });
        if let Some(best) = best {
            return Ok(best.clone());
        }
        if !known.iter().any(ForgeRelease::is_final) {
            return Err(ForgeError::nothing_final(repository, &known));
        }
        let versions = known.iter().filter_map(|release| release.version.clone()).collect();
        Err(ForgeError::NoMatch { repository: repository.clone(), requirement: requirement.clone(), versions })
    }

    /// One release; none where there is no such one, or no such repository.
    async fn one(&self, repository: &Repository, rest: &[&str]) -> Result<Option<ForgeRelease>, ForgeError> {
        let url = self.url(repository, rest);
        match self.ask(&url, "application/json", ANSWER).await {
            Ok(reply) => answer::release(&url, &reply.body).map(Some),
            Err(ForgeError::Transport(TransportError::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every release that is no draft, newest first as the forge lists them.
    async fn list(&self, repository: &Repository) -> Result<Vec<ForgeRelease>, ForgeError> {
        let mut releases = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.url(repository, &[]);
            // GitHub reads `per_page`, Gitea and Forgejo `limit`.
            url.set_query(Some(&format!("per_page={PAGE}&limit={PAGE}&page={page}")));
            let reply = match self.ask(&url, "application/json", ANSWER).await {
                Err(ForgeError::Transport(TransportError::NotFound { .. })) => {
                    let (repository, asked) = (repository.clone(), self.api());
                    let with_token = self.access.token.is_some();
                    return Err(ForgeError::NoRepository { repository, asked, with_token });
                }
                reply => reply?,
            };
            releases.extend(answer::releases(&url, &reply.body)?);
            // The next page is asked for by its number: an address that an answer names could be anybody's.
            if !names_a_next_page(&reply.headers) {
                break;
            }
        }
        Ok(releases)
    }

    fn url(&self, repository: &Repository, rest: &[&str]) -> Url {
        let mut url = self.access.api.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["repos", repository.owner(), repository.name(), "releases"]).extend(rest);
        }
        url
    }

    /// One answer. The token goes with the first request, if that is the API's, and with no redirect.
    async fn ask(&self, url: &Url, accept: &'static str, limit: u64) -> Result<Reply, ForgeError> {
        let mut url = url.clone();
        for hop in 0..=HOPS {
            let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            if let Some(token) = self.access.token.as_ref().filter(|_| hop == 0 && self.is_api(&url)) {
                headers.insert(AUTHORIZATION, token.header());
            }
            let reply = self.api.reply(&url, &headers, limit).await?;
            match reply.status {
                200..=299 => return Ok(reply),
                301 | 302 | 303 | 307 | 308 => url = next_hop(&url, &reply.headers)?,
                status => return Err(self.refusal(&url, status, &reply.headers)),
            }
        }
        Err(TransportError::Redirected { url: url.to_string(), reason: "there are too many redirects".to_owned() }
            .into())
    }

    fn is_api(&self, url: &Url) -> bool {
        url.origin() == self.access.api.origin()
    }

    fn refusal(&self, url: &Url, status: u16, headers: &HeaderMap) -> ForgeError {
        let is_used_up = headers.get("x-ratelimit-remaining").is_some_and(|left| left.as_bytes() == b"0");
        let with_token = self.access.token.is_some();
        match status {
            404 | 410 => TransportError::NotFound { url: url.to_string() }.into(),
            403 | 429 if is_used_up || status == 429 || headers.contains_key(RETRY_AFTER) => {
                ForgeError::RateLimited { asked: self.api(), seconds: seconds_left(headers), with_token }
            }
            401 | 403 => ForgeError::Forbidden { asked: self.api(), status, with_token },
            _ => TransportError::Status { url: url.to_string(), status, message: None }.into(),
        }
    }
}

fn names_a_next_page(headers: &HeaderMap) -> bool {
    headers.get_all(LINK).iter().any(|link| link.to_str().is_ok_and(|link| link.contains("rel=\"next\"")))
}

/// Seconds until requests are taken again.
fn seconds_left(headers: &HeaderMap) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    number("retry-after").or_else(|| number("x-ratelimit-reset").map(|reset| reset.saturating_sub(now)))
}
