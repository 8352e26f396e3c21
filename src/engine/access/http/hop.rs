//! One hop of a request, and where its answer may lead.

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, LOCATION,
};
use reqwest::{Method, Response, StatusCode, Url};

use super::{HttpRequest, request};
use crate::engine::error::{CallError, CallErrorKind};

/// What is sent to one server.
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Who led here, if it was not the plugin.
    origin: Option<String>,
}

impl Hop {
    pub(super) fn first(wanted: HttpRequest) -> Result<Self, CallError> {
        Ok(Self {
            method: request::method(&wanted.method)?,
            url: request::address(&wanted.url)?,
            headers: request::headers(&wanted.headers)?,
            body: wanted.body,
            origin: None,
        })
    }

    /// The host as the URL standard reads it: `0x7f.1` is `127.0.0.1` here.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// How it is called in errors.
    pub(super) fn label(&self) -> String {
        format!("the request {} {}", self.method, request::shown(&self.url))
    }

    /// An error that also says who led to the refused place.
    pub(super) fn with_origin(&self, error: CallError) -> CallError {
        match &self.origin {
            Some(origin) => error.advised(&format!("{origin} redirected to it")),
            None => error,
        }
    }

    /// Where an answer leads, if it leads elsewhere.
    pub(super) fn next(&self, answer: &Response) -> Result<Option<Self>, CallError> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(location) = location.filter(|_| is_redirect(answer.status())) else { return Ok(None) };
        self.redirected(answer.status(), location).map(Some)
    }

    fn redirected(&self, status: StatusCode, location: &str) -> Result<Self, CallError> {
        let refused = |reason: &str| {
            let message = format!("{} redirects to `{}`, {reason}", self.label(), location.escape_debug());
            CallError::new(CallErrorKind::Denied, message)
        };
        let url = self.url.join(location).map_err(|error| refused(&format!("which is no URL: {error}")))?;
        request::check_url(&url).map_err(|error| refused(&format!("which is not followed: {error}")))?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(refused("which is not encrypted"));
        }
        let (mut method, mut headers, mut body) = (self.method.clone(), self.headers.clone(), self.body.clone());
        let is_asked_anew = match status {
            StatusCode::SEE_OTHER => method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
            _ => false,
        };
        if is_asked_anew {
            (method, body) = (Method::GET, Vec::new());
            without(&mut headers, [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE]);
        }
        if self.url.origin() != url.origin() {
            without(&mut headers, [AUTHORIZATION, COOKIE]);
        }
        Ok(Self { method, url, headers, body, origin: Some(format!("`{}`", request::shown(&self.url))) })
    }
}

fn without(headers: &mut HeaderMap, names: impl IntoIterator<Item = HeaderName>) {
    for name in names {
        headers.remove(name);
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(method: &str, url: &str) -> Hop {
        let headers = [("authorization", "secret"), ("cookie", "secret"), ("content-type", "text/plain"), ("x-a", "1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        let request = HttpRequest {
            method: method.into(),
            url: url.into(),
            headers,
            body: b"text".to_vec(),
            ..HttpRequest::default()
        };
        Hop::first(request).expect("it is well-formed")
    }

    fn redirected(from: &Hop, status: u16, location: &str) -> Result<Hop, CallError> {
        from.redirected(StatusCode::from_u16(status).expect("it is a status"), location)
    }

    #[test]
    fn secrets_do_not_cross_to_another_origin() {
        let hop = hop("GET", "https://api.example.com/a?key=1");
        for (location, kept) in [
            ("/b", true),
            ("https://api.example.com/b", true),
            ("https://other.example.com/b", false),
            ("https://api.example.com:8443/b", false),
        ] {
            let next = redirected(&hop, 307, location).expect("it is followed");
            assert_eq!(next.headers.contains_key(AUTHORIZATION), kept, "{location}");
            assert_eq!(next.headers.contains_key(COOKIE), kept, "{location}");
            assert!(next.headers.contains_key("x-a"));
        }
    }

    #[test]
    fn a_redirect_keeps_or_drops_method_and_body_as_its_status_says() {
        for (method, status, then, body) in [
            ("POST", 302, "GET", false),
            ("POST", 303, "GET", false),
            ("PUT", 302, "PUT", true),
            ("POST", 307, "POST", true),
            ("POST", 308, "POST", true),
        ] {
            let next = redirected(&hop(method, "http://a.example/"), status, "/b").expect("it is followed");
            assert_eq!((next.method.as_str(), !next.body.is_empty()), (then, body), "{method} {status}");
            assert_eq!(next.headers.contains_key(CONTENT_TYPE), body, "{method} {status}");
        }
    }

    #[test]
    fn a_redirect_out_of_encryption_or_to_another_scheme_is_refused() {
        let hop = hop("GET", "https://api.example.com/a?key=1");
        let refused = |location| redirected(&hop, 302, location).err().expect("it is refused");
        for location in
            ["http://api.example.com/b", "file:///etc/passwd", "https://user:pw@api.example.com/", "https://["]
        {
            assert_eq!(refused(location).kind, CallErrorKind::Denied, "{location}");
        }
        insta::assert_snapshot!(refused("http://api.example.com/b"), @"the request GET https://api.example.com/a redirects to `http://api.example.com/b`, which is not encrypted");
        insta::assert_snapshot!(refused("file:///etc/passwd"), @"the request GET https://api.example.com/a redirects to `file:///etc/passwd`, which is not followed: `file:` is no scheme for a request: expected `http:` or `https:`");
    }
}
