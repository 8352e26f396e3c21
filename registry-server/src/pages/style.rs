//! The stylesheet, under a path that has its digest: a browser keeps it for ever.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use pocket_index::digest::Digest;

const STYLE: &str = include_str!("style.css");

/// Where it is.
pub(crate) fn path() -> &'static str {
    static PATH: LazyLock<String> =
        LazyLock::new(|| format!("/assets/{}.css", &Digest::of(STYLE.as_bytes()).hex()[..16]));
    &PATH
}

pub(super) async fn style() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLE).into_response()
}
