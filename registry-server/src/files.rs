//! `GET` and `HEAD` of the static files, with the cache rules of the format specification.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use pocket_index::digest::Digest;

use crate::Registry;
use crate::error::ApiError;

/// An index file or a checkpoint may change at any moment: keep it, but ask.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Archives are named by their digest and a tile by its place and width: the same name always has the same bytes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

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
    let content = match tokio::fs::read(&path).await {
        Ok(content) => content,
        Err(error) if is_absent(&error) => return Err(ApiError::not_found(&name)),
        Err(error) => return Err(ApiError::storage(&error)),
    };
    let etag = format!("\"{}\"", Digest::of(&content).hex());
    let mut response = if is_fresh(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        whole(&method, &name, content)
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, if is_immutable(&name) { IMMUTABLE } else { REVALIDATE });
    headers.insert(ETAG, HeaderValue::from_str(&etag).expect("a quoted hexadecimal text is a header value"));
    Ok(response)
}

fn whole(method: &Method, name: &str, content: Vec<u8>) -> Response {
    let length = content.len();
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(content) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_TYPE, content_type(name));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    response
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
