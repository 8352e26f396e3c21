//! An archive by its URL, with a digest.

use bytes::Bytes;
use pocket_index::digest::Digest;
use reqwest::Url;

use super::error::{DirectError, Unvouched};
use super::{Direct, DirectArchive, locked, locked_archive, verify};
use crate::ops::OpsError;
use crate::ops::install::approval::Consent;
use crate::ops::install::records::World;
use crate::ops::install::wanted::exactly;
use crate::project::{Basis, Dependency, DependencySource, Source as LockedSource};
use crate::registry::{ArchiveCache, Http, Network, TransportError};
use pocket_index::name::PluginName;

impl Direct<'_> {
    /// Fetches, verifies and adds an archive by URL.
    ///
    /// # Errors
    /// It cannot be had, is no archive, has another digest; or has none, and the user does not trust it.
    pub async fn add_url(
        &self,
        world: &mut World<'_>,
        url: &Url,
        typed: Option<Digest>,
    ) -> Result<(PluginName, Dependency), OpsError> {
        let source = LockedSource::Url(url.to_string());
        let locked = locked(world, &source, None);
        let pinned = locked.and_then(|plugin| Some((plugin.archives.first()?.sha256, plugin.basis)));
        // A typed digest counts more than a locked one: they are compared later.
        let known = typed.map(|digest| (digest, Basis::Digest)).or(pinned);
        let content = self.read_url(url, known.map(|(digest, _)| digest)).await?;
        let (digest, basis) = match known {
            Some(known) => known,
            None => (Digest::of(&content), self.trust_url_once(url, &content)?),
        };
        let archive = verify(url.as_str(), &content, digest, &self.limits)?;
        self.keep(url, digest, &content)?;
        let version = archive.manifest().version.clone();
        let direct = DirectArchive { archives: vec![locked_archive(&archive)], archive, basis, signers: Vec::new() };
        let name = self.add(world, direct, &source)?;
        // What was trusted once is no digest to hand on in `pocket.yaml`: the lock alone says it.
        let sha256 = (basis == Basis::Digest).then_some(digest);
        let source = DependencySource::Url { url: url.to_string(), sha256 };
        Ok((name, Dependency { requirement: exactly(&version), source }))
    }

    /// Without a digest nobody vouches for the bytes, unless the user does, this once.
    fn trust_url_once(&self, url: &Url, content: &[u8]) -> Result<Basis, OpsError> {
        let found = Digest::of(content);
        let file = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_owned();
        self.trust_once(Unvouched {
            source: url.to_string(),
            archives: vec![(file, found)],
            command: format!("pocket plugin install {url}#sha256={}", found.hex()),
        })
    }

    pub(super) fn trust_once(&self, unvouched: Unvouched) -> Result<Basis, OpsError> {
        let consent = self.approver.map_or(Ok(Consent::NobodyThere), |approver| approver.trust_once(&unvouched))?;
        match consent {
            Consent::Given => Ok(Basis::Once),
            Consent::Refused => Err(DirectError::NotTrusted(unvouched.source).into()),
            Consent::NobodyThere => Err(DirectError::Unvouched(Box::new(unvouched)).into()),
        }
    }

    pub(super) async fn read_url(&self, url: &Url, digest: Option<Digest>) -> Result<Bytes, OpsError> {
        let cannot = |source| OpsError::Download { url: url.to_string(), source };
        if let Some(digest) = digest {
            // Whatever has the digest will do, wherever it lies.
            let places = [Some(self.workspace.home().cache()), self.workspace.vendor()];
            for place in places.into_iter().flatten() {
                if let Some(content) = ArchiveCache::at(&place).read(digest).map_err(cannot)? {
                    return Ok(content);
                }
            }
        }
        if self.network == Network::Offline {
            return Err(cannot(TransportError::Offline { url: url.to_string() }));
        }
        let http = Http::new().map_err(cannot)?;
        http.get(url, self.limits.archive, &mut |_, _| {}).await.map_err(cannot)
    }

    /// Keeps what was checked, so that it need not be fetched again.
    pub(super) fn keep(&self, url: &Url, digest: Digest, content: &[u8]) -> Result<(), OpsError> {
        let cache = ArchiveCache::at(&self.workspace.home().cache());
        cache.write(digest, content).map_err(|source| OpsError::Download { url: url.to_string(), source })
    }
}
