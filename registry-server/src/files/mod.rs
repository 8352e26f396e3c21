//! `GET` and `HEAD` of the static files, with the cache rules of the format specification.

mod cache;
mod range;
#[cfg(test)]
mod tests;
mod watched;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use pocket_index::digest::Digest;
use pocket_index::limits::PATH_PART_BYTES;

use crate::error::ApiError;
use crate::storage::{Entry, Storage, in_tree};
use cache::{Cache, Cached, MAX_FILE};
use range::Part;
use watched::Watched;

/// An index file or a checkpoint may change at any moment: keep it, but ask.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Archives and files to search in are named by their digest and a tile by its place and width: the same name always has the same bytes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// What is wrong with a request is nothing to keep.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
/// How often a file may be replaced between a look at it and its first byte.
const TRIES: usize = 5;

/// So many headers has the answer with a whole file.
const HEADERS: usize = 6;
/// 512 bytes: half of what the name of a bucket's object may have. The registry's own prefix stands before it.
const LONGEST_PATH: usize = 512;

/// What may be read; everything else in the storage is nobody's business.
const PUBLIC_PREFIXES: [&str; 4] = ["index/", "log/", "a/", "search/"];
const PUBLIC_FILES: [&str; 3] = ["config.json", "search.json", "stats/downloads.json"];

/// A place whose static files are served.
#[derive(Debug)]
pub(crate) struct Served {
    storage: Arc<dyn Storage>,
    /// What was read a moment ago.
    cache: Cache,
}

impl Served {
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, cache: Cache::default() }
    }

    /// Where the bytes lie.
    pub fn storage(&self) -> &dyn Storage {
        &*self.storage
    }
}

/// Whether a path is one of those below which static files stand.
pub(crate) fn are_below(path: &str) -> bool {
    let name = path.trim_start_matches('/');
    PUBLIC_FILES.contains(&name) || PUBLIC_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The answer to a request for a static file.
pub(crate) async fn answer(served: &Served, head: &Parts) -> Response {
    for _ in 1..TRIES {
        match answer_once(served, head).await {
            Err(error) if error.is_of_change() => {}
            answered => return answered.into_response(),
        }
    }
    answer_once(served, head).await.into_response()
}

async fn answer_once(served: &Served, head: &Parts) -> Result<Response, ApiError> {
    let name = head.uri.path().trim_start_matches('/');
    if !is_public(name) {
        return Err(ApiError::not_found(name));
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let mut response = ApiError::wrong_method(&head.method).into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    let entry = served.storage().entry(&in_tree(name)).await.map_err(ApiError::from)?;
    let entry = entry.ok_or_else(|| ApiError::not_found(name))?;
    let file = StaticFile::open(served, name, entry).await?;
    let etag = file.etag.clone();
    let mut response = if is_fresh(&head.headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if head.method == Method::HEAD {
        file.headers(name, file.entry.length)
    } else {
        match range::wanted(&head.headers, etag.to_str().unwrap_or_default(), file.entry.length) {
            Part::Whole => file.whole_answer(served, name).await?,
            Part::Between(first, last) => file.partial_answer(served, name, first, last).await?,
            Part::Outside => file.no_answer(),
        }
    };
    let is_refused = response.status() == StatusCode::RANGE_NOT_SATISFIABLE;
    let kept = if is_immutable(name) { IMMUTABLE } else { REVALIDATE };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, if is_refused { NOT_KEPT } else { kept });
    headers.insert(ETAG, etag);
    Ok(response)
}

/// A file of the static tree: small ones with their bytes.
struct StaticFile {
    entry: Entry,
    etag: HeaderValue,
    content: Option<Cached>,
}

impl StaticFile {
    async fn open(served: &Served, name: &str, entry: Entry) -> Result<Self, ApiError> {
        if let Some(cached) = served.cache.get(name, &entry.tag) {
            return Ok(Self::of_cached(entry, cached));
        }
        if entry.length > MAX_FILE {
            // What is named by its digest is tagged by that; what else is as large, by what its place says of it.
            let tag = if is_named_by_digest(name) { name.to_owned() } else { Digest::of(entry.tag.0.as_bytes()).hex() };
            return Ok(Self { entry, etag: quoted(&tag), content: None });
        }
        let stored = served.storage().read(&entry.path).await.map_err(ApiError::from)?;
        let stored = stored.ok_or_else(|| ApiError::not_found(name))?;
        let tag = if is_named_by_digest(name) { name.to_owned() } else { Digest::of(&stored.bytes).hex() };
        let cached = Cached::new(stored.bytes, quoted(&tag), stored.tag);
        served.cache.put(name, cached.clone());
        Ok(Self::of_cached(entry, cached))
    }

    fn of_cached(entry: Entry, cached: Cached) -> Self {
        let entry = Entry { length: cached.bytes.len() as u64, ..entry };
        Self { entry, etag: cached.etag.clone(), content: Some(cached) }
    }

    async fn whole_answer(self, served: &Served, name: &str) -> Result<Response, ApiError> {
        let length = self.entry.length;
        self.answer(served, name, 0, length).await
    }

    async fn answer(self, served: &Served, name: &str, first: u64, count: u64) -> Result<Response, ApiError> {
        let mut response = self.headers(name, count);
        *response.body_mut() = self.body(served, first, count).await?;
        Ok(response)
    }

    fn headers(&self, name: &str, count: u64) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(count));
        headers.insert(CONTENT_TYPE, content_type(name));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response
    }

    async fn partial_answer(self, served: &Served, name: &str, first: u64, last: u64) -> Result<Response, ApiError> {
        let range = format!("bytes {first}-{last}/{}", self.entry.length);
        let mut response = self.answer(served, name, first, last - first + 1).await?;
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
            .headers_mut()
            .insert(CONTENT_RANGE, HeaderValue::from_str(&range).expect("numbers are a header value"));
        Ok(response)
    }

    fn no_answer(&self) -> Response {
        let length = format!("bytes */{}", self.entry.length);
        let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        response
            .headers_mut()
            .insert(CONTENT_RANGE, HeaderValue::from_str(&length).expect("a number is a header value"));
        response
    }

    async fn body(self, served: &Served, first: u64, count: u64) -> Result<Body, ApiError> {
        match self.content {
            Some(cached) => {
                let place = |offset| usize::try_from(offset).expect("what is in memory has a length of this type");
                Ok(Body::from(cached.bytes.slice(place(first)..place(first + count))))
            }
            None => {
                let pieces = served.storage().pieces(&self.entry, first..first + count).await?;
                Ok(Body::from_stream(Watched::new(pieces)))
            }
        }
    }
}

fn quoted(tag: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{tag}\"")).expect("a name or a digest is a header value")
}

/// Whether clients may see what has this path. No `..`, no hidden part, nothing outside the public prefixes, and nothing that is too
/// long for a file.
fn is_public(name: &str) -> bool {
    are_below(name)
        && name.len() <= LONGEST_PATH
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.len() <= PATH_PART_BYTES)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte))
}

fn is_fresh(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = etag.as_bytes();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known.as_bytes() == etag)
}

fn is_named_by_digest(name: &str) -> bool {
    name.starts_with("a/") || name.starts_with("search/")
}

fn is_immutable(name: &str) -> bool {
    is_named_by_digest(name) || name.starts_with("log/tile/")
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(if name.ends_with(".json") {
        "application/json"
    } else if name.ends_with(".tar.gz") {
        "application/gzip"
    } else if name.starts_with("index/") || name == "log/checkpoint" {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    })
}
