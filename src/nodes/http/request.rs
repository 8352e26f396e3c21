//! What is sent.

use serde_json::Value;

use crate::engine::access::http::{address, shown};
use crate::engine::access::{HttpRequest, Redirects};
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::NodeCall;

/// Methods that do no more harm when they arrive twice (RFC 9110, 9.2.2).
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];

/// The request that a node's config describes.
pub(super) fn of(call: &NodeCall<'_>) -> Result<HttpRequest, CallError> {
    let mut url = address(call.text("url").unwrap_or_default())?;
    if let Some(Value::Object(query)) = call.field("query") {
        let mut pairs = url.query_pairs_mut();
        for (key, value) in query {
            let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
            pairs.extend_pairs(values.iter().filter_map(|value| Some((key, plain(value)?))));
        }
    }
    let given = call.field("headers").and_then(Value::as_object).into_iter().flatten();
    let mut headers: Vec<(String, Vec<u8>)> =
        given.filter_map(|(name, value)| Some((name.clone(), plain(value)?.into_bytes()))).collect();
    let body = match call.field("body") {
        None => None,
        Some(Value::String(text)) => Some(text.clone().into_bytes()),
        Some(value) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("content-type".to_owned(), b"application/json".to_vec()));
            }
            Some(value.to_string().into_bytes())
        }
    };
    let default_method = if body.is_some() { "POST" } else { "GET" };
    let follows = call.field("follow_redirects").and_then(Value::as_bool).unwrap_or(true);
    Ok(HttpRequest {
        method: call.text("method").unwrap_or(default_method).to_ascii_uppercase(),
        url: url.to_string(),
        headers,
        body: body.unwrap_or_default(),
        redirects: if follows { Redirects::Follow } else { Redirects::Return },
    })
}

/// A value as it stands in a URL or header; `null` leaves the parameter out.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// How a request is called in messages. The query is left out: it may hold a key.
pub(super) fn label(request: &HttpRequest) -> String {
    let url = address(&request.url).map_or_else(|_| request.url.clone(), |url| shown(&url));
    format!("{} {url}", request.method)
}

/// Whether a request that got no answer may be sent again: it may have arrived.
pub(super) fn may_be_repeated(request: &HttpRequest, error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::Retryable | CallErrorKind::Timeout) && IDEMPOTENT.contains(&&*request.method)
}
