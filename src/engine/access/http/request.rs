//! What a plugin may send.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::HttpRequest;
use crate::engine::error::{CallError, CallErrorKind};

/// These belong to the connection. A plugin that sets `Host` asks one server for another's pages, past its grant.
const ENGINES_OWN: [&str; 11] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "expect",
    "http2-settings",
    "via",
];

/// How a request is called in errors. The query is left out: it may hold a key.
pub(super) fn label(request: &HttpRequest) -> String {
    let shown = Url::parse(&request.url).map_or_else(|_| request.url.clone(), |url| shown(&url));
    format!("the request {} {shown}", request.method.to_ascii_uppercase())
}

/// A URL without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Neither can fail for a URL that has a host, and others have no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// A URL that a request may go to.
pub(crate) fn address(text: &str) -> Result<Url, CallError> {
    let url = Url::parse(text).map_err(|error| invalid(format!("`{}` is no URL: {error}", text.escape_debug())))?;
    check_url(&url)?;
    Ok(url)
}

/// Whether a request may go to `url`, by its shape alone.
pub(super) fn check_url(url: &Url) -> Result<(), CallError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(format!("`{}:` is no scheme for a request: expected `http:` or `https:`", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = format!("`{}` had a user before its host; send the header `authorization` instead", shown(url));
        return Err(invalid(message));
    }
    Ok(())
}

/// A method in upper case.
pub(crate) fn method(text: &str) -> Result<reqwest::Method, CallError> {
    let method = reqwest::Method::from_bytes(text.to_ascii_uppercase().as_bytes());
    match method {
        // It would make a proxy of the server.
        Ok(method) if method != reqwest::Method::CONNECT => Ok(method),
        _ => Err(invalid(format!("`{}` is no method of a request", text.escape_debug()))),
    }
}

/// Headers as they are sent.
pub(super) fn headers(wanted: &[(String, Vec<u8>)]) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid(format!("`{}` is no header name", name.escape_debug())))?;
        if ENGINES_OWN.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-") {
            return Err(invalid(format!("the header `{parsed}` belongs to the connection and cannot be set")));
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| {
            invalid(format!("the value of the header `{parsed}` has characters that headers cannot hold"))
        })?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

fn invalid(message: String) -> CallError {
    CallError::new(CallErrorKind::InvalidInput, message)
}
