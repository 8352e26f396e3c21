//! What stands in an archive and in no event: the readme, and what the manifest says of each node.

mod readme;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use pocket_index::archive::{self, Archive};
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::manifest::Manifest;
use pocket_index::record::Release;
use tokio::sync::Semaphore;

use crate::Registry;
use crate::error::{ApiError, chain};

/// 32 MiB: of a larger archive nothing but its event is shown. Each of the readers has one in memory, and its files.
const MAX_ARCHIVE: u64 = 32 << 20;
const MAX_UNPACKED: u64 = 128 << 20;
/// Archives that are read at the same time.
const READERS: usize = 2;
/// 256 KiB of a readme: a book has more.
const MAX_README: usize = 256 << 10;
/// 300 plugins' details are kept, and 32 MiB of them at most.
const MAX_KEPT: usize = 300;
const MAX_KEPT_BYTES: usize = 32 << 20;
/// What a readme is called that the manifest does not name.
const README: &str = "README.md";

/// Reads archives, and keeps what they say.
#[derive(Debug)]
pub(crate) struct Details {
    kept: Mutex<Kept>,
    readers: Semaphore,
}

/// What an archive says.
#[derive(Debug)]
pub(crate) struct Detail {
    pub manifest: Manifest,
    /// Markdown as it was published, cut after 256 KiB.
    pub readme: Option<String>,
    /// The same as HTML without anything that does something.
    pub readme_html: Option<String>,
}

#[derive(Debug, Default)]
struct Kept {
    details: HashMap<Digest, (usize, Arc<Detail>)>,
    order: VecDeque<Digest>,
    bytes: usize,
}

impl Default for Details {
    fn default() -> Self {
        Self { kept: Mutex::default(), readers: Semaphore::new(READERS) }
    }
}

impl Details {
    /// What the smallest archive of a release says; none if that is too large or cannot be read.
    pub async fn of(&self, registry: &Registry, release: &Release) -> Result<Option<Arc<Detail>>, ApiError> {
        let Some(record) = release.archives.iter().min_by_key(|record| record.size) else { return Ok(None) };
        let digest = record.sha256;
        if record.size > MAX_ARCHIVE || record.unpacked > MAX_UNPACKED {
            return Ok(None);
        }
        if let Some(detail) = self.kept(&digest) {
            return Ok(Some(detail));
        }
        let _turn = self.readers.acquire().await.map_err(|error| ApiError::storage(&error))?;
        // Who waited may find that somebody else read it.
        if let Some(detail) = self.kept(&digest) {
            return Ok(Some(detail));
        }
        let bytes = registry.file(&layout::archive(&digest)).await.map_err(|error| ApiError::storage(&error))?;
        let Some(bytes) = bytes.filter(|bytes| bytes.len() as u64 <= MAX_ARCHIVE) else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || read(&bytes, &digest)).await;
        let detail = read.map_err(|error| ApiError::storage(&error))?.map(Arc::new);
        if let Some(detail) = &detail {
            self.keep(digest, detail);
        }
        Ok(detail)
    }

    fn kept(&self, digest: &Digest) -> Option<Arc<Detail>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.details.get(digest).map(|(_, detail)| Arc::clone(detail))
    }

    fn keep(&self, digest: Digest, detail: &Arc<Detail>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let size = detail.size();
        if kept.details.insert(digest, (size, Arc::clone(detail))).is_none() {
            kept.order.push_back(digest);
            kept.bytes += size;
        }
        while kept.order.len() > MAX_KEPT || kept.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some((size, _)) = kept.details.remove(&oldest) {
                kept.bytes -= size;
            }
        }
    }
}

impl Detail {
    /// About how much memory it takes: a schema in memory is several times its text.
    fn size(&self) -> usize {
        let nodes = serde_json::to_string(&self.manifest).map_or(0, |text| text.len());
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        4 * nodes + text(&self.readme) + text(&self.readme_html)
    }
}

fn read(bytes: &[u8], digest: &Digest) -> Option<Detail> {
    if Digest::of(bytes) != *digest {
        tracing::error!("the archive {digest} has other bytes");
        return None;
    }
    let limits = Limits { archive: MAX_ARCHIVE, unpacked: MAX_UNPACKED, ..Limits::default() };
    let read = archive::read(bytes, &limits).and_then(|archive| Ok((archive.manifest()?, archive)));
    let (manifest, archive) =
        read.inspect_err(|error| tracing::warn!("the archive {digest}: {}", chain(error))).ok()?;
    let readme = readme_text(&archive, &manifest);
    let readme_html = readme.as_deref().map(readme::to_html);
    Some(Detail { manifest, readme, readme_html })
}

fn readme_text(archive: &Archive, manifest: &Manifest) -> Option<String> {
    let file = archive.file(manifest.readme.as_deref().unwrap_or(README))?;
    let end = file.content.len().min(MAX_README);
    let text = String::from_utf8_lossy(&file.content[..end]).into_owned();
    Some(text).filter(|text| !text.trim().is_empty())
}
