//! The files of one registry, wherever it is.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pocket_index::digest::Digested;
use pocket_index::log::{TILE_WIDTH, TilePath};
use reqwest::Url;

use super::cache::{FileCache, Partial, Trouble};
use super::error::TransportError;
use super::http::{Answer, Http, Part, Progress};
use super::location::without_credentials;
use super::{Location, Network};

/// 8 KiB: a full tile has 256 hashes of 32 bytes.
pub(super) const TILE: u64 = 8 << 10;

/// How a file may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// The same name always has the same bytes: what is cached is used without asking.
    Immutable,
    /// It may have changed: what is cached is used when the server says that it has not.
    Revalidate,
    /// What counts is what the registry has now: nothing comes from the cache or goes there.
    Anew,
}

/// A part of a file whose name always has the same bytes.
#[derive(Debug, Clone)]
pub(super) struct PartOf<'a> {
    /// The file.
    pub path: &'a str,
    /// How long it is.
    pub length: u64,
    /// Which bytes.
    pub part: Range<u64>,
}

/// Reads files of a registry by their path in the static tree.
#[derive(Debug)]
pub(super) enum Transport {
    Bundled,
    Folder(PathBuf),
    Http { base: Url, http: Http, cache: FileCache, network: Network },
}

impl Transport {
    pub fn new(location: &Location, cache: &Path, network: Network, trouble: Trouble) -> Result<Self, TransportError> {
        Ok(match location {
            Location::Bundled => Self::Bundled,
            Location::Folder(folder) => Self::Folder(folder.clone()),
            Location::Http(base) => {
                let cache = FileCache::for_registry(cache, &location.to_string(), trouble);
                Self::Http { base: base.clone(), http: Http::new()?, cache, network }
            }
        })
    }

    /// The bytes of the file at `path`, at most `limit` of them.
    pub async fn read(&self, path: &str, limit: u64, freshness: Freshness) -> Result<Bytes, TransportError> {
        match self {
            Self::Bundled => read_bundled(path),
            Self::Folder(folder) => read_file(&folder.join(path), limit),
            Self::Http { base, http, cache, network } => {
                let url = join(base, path)?;
                match network {
                    Network::Offline => {
                        let offline = || TransportError::Offline { url: shown(&url) };
                        cache.read(path).map(|file| file.content).ok_or_else(offline)
                    }
                    Network::Online if freshness == Freshness::Anew => read_anew(&url, http, limit).await,
                    Network::Online => read_http(&url, path, http, cache, limit, freshness).await,
                }
            }
        }
    }

    /// A part of a file. What came before is not fetched again, as long as the file is the same.
    pub async fn read_part(&self, wanted: PartOf<'_>) -> Result<Vec<u8>, TransportError> {
        let PartOf { path, length, part } = &wanted;
        let slice = |whole: &[u8]| -> Vec<u8> {
            let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
            whole[place(part.start)..place(part.end).max(place(part.start))].to_vec()
        };
        match self {
            Self::Bundled => read_bundled(path).map(|whole| slice(&whole)),
            Self::Folder(folder) => read_part_of_file(&folder.join(path), part),
            Self::Http { base, http, cache, network } => {
                let url = join(base, path)?;
                let name = format!("{path}.{}-{}", part.start, part.end);
                if let Some(file) = cache.read(&name) {
                    return Ok(file.content.to_vec());
                }
                if let Some(file) = cache.read(path) {
                    return Ok(slice(&file.content));
                }
                if *network == Network::Offline {
                    return Err(TransportError::Offline { url: shown(&url) });
                }
                if part.start == 0 {
                    // Another file than before: nobody asks for the parts of that one any more.
                    cache.clear_below(path);
                }
                match http.get_part(&url, part, *length).await? {
                    Part::Part(content) => {
                        cache.write(&name, &content, None);
                        Ok(content.to_vec())
                    }
                    Part::Whole(content) => {
                        cache.write(path, &content, None);
                        Ok(slice(&content))
                    }
                }
            }
        }
    }

    /// A tile of the log. A partial one may have become a full one since the checkpoint.
    pub async fn read_tile(&self, path: &TilePath, freshness: Freshness) -> Result<Bytes, TransportError> {
        match self.read(&path.to_string(), TILE, freshness).await {
            Err(TransportError::NotFound { .. }) if path.width < TILE_WIDTH => {
                self.read(&path.full().to_string(), TILE, freshness).await
            }
            read => read,
        }
    }

    /// Throws away what is kept of a registry that was refused. Otherwise one bad answer would be refused for ever: tiles are not
    /// asked for twice, and a server may confirm a tag that somebody else sent along with other bytes.
    ///
    /// What cannot be fetched anew is left alone.
    pub fn distrust(&self) {
        if let Self::Http { cache, network: Network::Online, .. } = self {
            cache.clear();
        }
    }

    /// The archive at `path`, at most `limit` bytes of it; what `partial` has is not fetched again.
    pub async fn download(
        &self,
        path: &str,
        limit: u64,
        partial: impl FnOnce() -> Partial,
        progress: Progress<'_>,
    ) -> Result<Digested<'static>, TransportError> {
        match self {
            Self::Bundled | Self::Folder(_) => {
                Ok(Digested::of(Vec::from(self.read(path, limit, Freshness::Immutable).await?)))
            }
            Self::Http { base, network: Network::Offline, .. } => {
                Err(TransportError::Offline { url: shown(&join(base, path)?) })
            }
            Self::Http { base, http, .. } => http.download(&join(base, path)?, limit, partial(), progress).await,
        }
    }

    /// Uploads to an API path. None where the registry is no server.
    pub async fn put(&self, path: &str, body: Vec<u8>) -> Result<Option<(u16, Bytes)>, TransportError> {
        match self {
            Self::Bundled | Self::Folder(_) => Ok(None),
            Self::Http { base, network: Network::Offline, .. } => {
                Err(TransportError::Offline { url: shown(&join(base, path)?) })
            }
            Self::Http { base, http, .. } => http.put(&join(base, path)?, body).await.map(Some),
        }
    }
}

fn join(base: &Url, path: &str) -> Result<Url, TransportError> {
    base.join(path).map_err(|_| TransportError::NotFound { url: format!("{}{path}", shown(base)) })
}

fn shown(url: &Url) -> String {
    without_credentials(url).to_string()
}

fn read_bundled(path: &str) -> Result<Bytes, TransportError> {
    match pocket_index::bundled::file(path) {
        Some(content) => Ok(Bytes::from(content.into_owned())),
        None => Err(TransportError::NotFound { url: format!("bundled:{path}") }),
    }
}

fn read_file(path: &Path, limit: u64) -> Result<Bytes, TransportError> {
    let shown = || format!("file://{}", path.display());
    let io = |source| TransportError::Io { doing: "read", path: path.to_owned(), source };
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(TransportError::NotFound { url: shown() });
        }
        Err(error) => return Err(io(error)),
    };
    if length > limit {
        return Err(TransportError::TooLarge { url: shown(), limit });
    }
    std::fs::read(path).map(Bytes::from).map_err(io)
}

fn read_part_of_file(path: &Path, part: &Range<u64>) -> Result<Vec<u8>, TransportError> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => TransportError::NotFound { url: format!("file://{}", path.display()) },
        _ => TransportError::Io { doing: "read", path: path.to_owned(), source },
    };
    let mut file = std::fs::File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(part.start)).map_err(io)?;
    let mut content = Vec::new();
    file.take(part.end.saturating_sub(part.start)).read_to_end(&mut content).map_err(io)?;
    Ok(content)
}

async fn read_anew(url: &Url, http: &Http, limit: u64) -> Result<Bytes, TransportError> {
    match http.get_if_changed(url, None, limit, &mut |_, _| {}).await? {
        Answer::Content { content, .. } => Ok(content),
        Answer::NotModified => Err(TransportError::Status { url: shown(url), status: 304, message: None }),
    }
}

async fn read_http(
    url: &Url,
    path: &str,
    http: &Http,
    cache: &FileCache,
    limit: u64,
    freshness: Freshness,
) -> Result<Bytes, TransportError> {
    let cached = cache.read(path);
    if let (Some(file), Freshness::Immutable) = (&cached, freshness) {
        return Ok(file.content.clone());
    }
    let etag = cached.as_ref().and_then(|file| file.etag.as_deref());
    match (http.get_if_changed(url, etag, limit, &mut |_, _| {}).await?, cached) {
        (Answer::NotModified, Some(file)) => Ok(file.content),
        (Answer::NotModified, None) => Err(TransportError::Status { url: shown(url), status: 304, message: None }),
        (Answer::Content { content, etag }, _) => {
            cache.write(path, &content, etag.as_deref());
            Ok(content)
        }
    }
}
