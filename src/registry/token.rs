//! A secret that opens something, and who may see it.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::HeaderValue;

/// A secret. `Debug` does not show it, nor does what is told of HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

impl Token {
    /// A token as it stands in an environment variable or a file; none if it cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim())).ok()?;
        value.set_sensitive(true);
        (!text.trim().is_empty()).then_some(Self(value))
    }

    /// The value of `Authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether a token may go there: it does not travel in the clear, except to this machine itself.
pub fn is_private_line(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_itself_to_nobody() {
        let token = Token::new(" hunter2\n").expect("a token");
        assert_eq!(token.header(), "Bearer hunter2");
        assert!(!format!("{token:?} {:?}", token.header()).contains("hunter2"));
        assert!(Token::new(" \n").is_none() && Token::new("a\nb").is_none());
    }

    #[test]
    fn it_travels_encrypted_or_stays_on_this_machine() {
        let may = |url: &str| is_private_line(&Url::parse(url).expect("a URL"));
        for url in ["https://a.example/", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost/"] {
            assert!(may(url), "{url}");
        }
        for url in ["http://a.example/", "http://localhost.example/", "http://10.0.0.1/", "file:///x"] {
            assert!(!may(url), "{url}");
        }
    }
}
