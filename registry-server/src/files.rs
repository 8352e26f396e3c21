//! `GET` and `HEAD` of the static files, with the cache rules of the format specification.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use pocket_index::digest::Digest;

use crate::Registry;
use crate::error::ApiError;
use crate::range::{self, Part};

/// An index file or a checkpoint may change at any moment: keep it, but ask.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Archives are named by their digest and a tile by its place and width: the same name always has the same bytes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// 256 KiB of a file are in memory for each client; up to here a file is read in one go.
const PIECE: u64 = 256 << 10;

/// What may be read; everything else in the folder is nobody's business.
const PUBLIC_PREFIXES: [&str; 3] = ["index/", "log/", "a/"];
const PUBLIC_FILES: [&str; 2] = ["config.json", "search.json"];

pub(crate) async fn serve(
    State(registry): State<Arc<Registry>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = uri.path().trim_start_matches('/').to_owned();
    let path = public_path(&registry.tree(), &name).ok_or_else(|| ApiError::not_found(&name))?;
    let opened = tokio::task::spawn_blocking(move || StaticFile::open(&path)).await;
    let file = match opened.map_err(|error| ApiError::storage(&error))? {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Err(ApiError::not_found(&name)),
        Err(error) => return Err(ApiError::storage(&error)),
    };
    let etag = file.etag(&name);
    let mut response = if is_fresh(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if method == Method::HEAD {
        file.whole_answer(&name).map(|_| Body::empty())
    } else {
        match range::wanted(&headers, &etag, file.length) {
            Part::Whole => file.whole_answer(&name),
            Part::Between(first, last) => file.partial_answer(&name, first, last),
            Part::Outside => file.no_answer(),
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, if is_immutable(&name) { IMMUTABLE } else { REVALIDATE });
    headers.insert(ETAG, HeaderValue::from_str(&etag).expect("a quoted name or digest is a header value"));
    Ok(response)
}

/// A file of the static tree: small ones with their bytes, larger ones open.
struct StaticFile {
    content: Content,
    length: u64,
}

enum Content {
    Bytes(Bytes),
    Open(File),
}

impl StaticFile {
    /// Opens a file, and reads it where one piece is all of it. Index files are read whole, for their tag is their digest.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let length = metadata.len();
        if length > PIECE && path.extension().is_some_and(|extension| extension == "gz") {
            return Ok(Self { content: Content::Open(file), length });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.read_to_end(&mut bytes)?;
        Ok(Self { length: bytes.len() as u64, content: Content::Bytes(bytes.into()) })
    }

    /// An archive is tagged by its name, which is its digest; everything else is digested.
    fn etag(&self, name: &str) -> String {
        match &self.content {
            Content::Bytes(bytes) if !name.starts_with("a/") => format!("\"{}\"", Digest::of(bytes).hex()),
            _ => format!("\"{name}\""),
        }
    }

    fn whole_answer(self, name: &str) -> Response {
        let length = self.length;
        self.answer(name, 0, length)
    }

    fn answer(self, name: &str, first: u64, count: u64) -> Response {
        let mut response = Response::new(self.body(first, count));
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(count));
        headers.insert(CONTENT_TYPE, content_type(name));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response
    }

    fn partial_answer(self, name: &str, first: u64, last: u64) -> Response {
        let range = format!("bytes {first}-{last}/{}", self.length);
        let mut response = self.answer(name, first, last - first + 1);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
            .headers_mut()
            .insert(CONTENT_RANGE, HeaderValue::from_str(&range).expect("numbers are a header value"));
        response
    }

    fn no_answer(self) -> Response {
        let length = format!("bytes */{}", self.length);
        let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        response
            .headers_mut()
            .insert(CONTENT_RANGE, HeaderValue::from_str(&length).expect("a number is a header value"));
        response
    }

    fn body(self, first: u64, count: u64) -> Body {
        match self.content {
            Content::Bytes(bytes) => {
                let place = |offset| usize::try_from(offset).expect("what is in memory has a length of this type");
                Body::from(bytes.slice(place(first)..place(first + count)))
            }
            Content::Open(file) => Body::from_stream(pieces(file, first, count)),
        }
    }
}

/// A part of a file, piece by piece, each read on a thread that may wait for the disk.
fn pieces(file: File, first: u64, count: u64) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((file, first, count), async |(file, at, left)| {
        if left == 0 {
            return Ok(None);
        }
        let (file, piece) = tokio::task::spawn_blocking(move || piece(file, at, left.min(PIECE))).await??;
        let read = piece.len() as u64;
        Ok(Some((piece, (file, at + read, left - read))))
    })
}

fn piece(mut file: File, at: u64, count: u64) -> io::Result<(File, Bytes)> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    (&mut file).take(count).read_to_end(&mut bytes)?;
    // An archive never gets shorter. If somebody cuts it, the client must not wait for the rest.
    if bytes.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok((file, bytes.into())) }
}

/// The file for a request's path, if clients may see it. No `..`, no hidden part, nothing outside the public prefixes.
fn public_path(tree: &Path, name: &str) -> Option<PathBuf> {
    let is_public = PUBLIC_FILES.contains(&name) || PUBLIC_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte));
    (is_public && is_plain).then(|| tree.join(name))
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

fn is_fresh(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|known| known.trim().trim_start_matches("W/") == etag))
}

fn is_immutable(name: &str) -> bool {
    name.starts_with("a/") || name.starts_with("log/tile/")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_static_tree_can_be_read() {
        let tree = Path::new("/registry/tree");
        for good in
            ["config.json", "index/re/di/redis-cache", "log/checkpoint", "log/tile/0/x001/000.p/7", "a/ab/abc.tar.gz"]
        {
            assert_eq!(public_path(tree, good), Some(tree.join(good)));
        }
        for bad in [
            "",
            "registry.key",
            "../registry.key",
            "index/../../registry.key",
            "index//x",
            "index/.hidden",
            "index/%2e%2e/x",
            "a/",
            "a/\0",
        ] {
            assert_eq!(public_path(tree, bad), None, "{bad}");
        }
    }
}
