//! HTTP for packages: sizes are capped, cut answers are noticed, retries back off, credentials stay out of messages.

use std::sync::Once;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use super::error::TransportError;
use super::location::without_credentials;

/// Attempts in all. A server that restarts is back within the pauses between them.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, whatever `Retry-After` says.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Without a byte for this long, the server counts as stalled.
const STALL: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// More is a loop.
const MOST_REDIRECTS: usize = 10;

/// A client whose connections are shared by everything one run fetches.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
}

/// What a server answered to a conditional request.
pub(super) enum Answer {
    /// The bytes, with the tag to ask again with.
    Content { content: Bytes, etag: Option<String> },
    /// What the caller has is what the server has.
    NotModified,
}

/// An answer of any status.
pub(super) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Http {
    /// Makes a client. Nothing is sent.
    pub fn new() -> Result<Self, TransportError> {
        Self::with(Policy::custom(|attempt| {
            let from = attempt.previous().last().cloned();
            match from.map_or(Ok(()), |from| check_redirect(&from, attempt.url())) {
                Err(reason) => attempt.error(reason),
                Ok(()) if attempt.previous().len() > MOST_REDIRECTS => attempt.error("there are too many redirects"),
                Ok(()) => attempt.follow(),
            }
        }))
    }

    /// A client that leaves redirects to its user.
    pub(super) fn without_redirects() -> Result<Self, TransportError> {
        Self::with(Policy::none())
    }

    fn with(redirects: Policy) -> Result<Self, TransportError> {
        install_crypto();
        let client = Client::builder()
            .redirect(redirects)
            // An address can carry a secret in its query, which is not the next server's business.
            .referer(false)
            .user_agent(concat!("pocket/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(STALL)
            .build()
            .map_err(|source| TransportError::Client { source })?;
        Ok(Self { client })
    }

    /// The bytes at `url`, at most `limit` of them. `progress` hears how many have come, and how many there will be.
    pub async fn get(
        &self,
        url: &Url,
        limit: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Bytes, TransportError> {
        match self.get_if_changed(url, None, limit, progress).await? {
            Answer::Content { content, .. } => Ok(content),
            Answer::NotModified => Err(TransportError::Status { url: shown(url), status: 304, message: None }),
        }
    }

    pub(super) async fn get_if_changed(
        &self,
        url: &Url,
        etag: Option<&str>,
        limit: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Answer, TransportError> {
        let mut attempt = 1;
        loop {
            match self.try_get(url, etag, limit, progress).await {
                Err((error, wait)) if attempt < ATTEMPTS && error.may_pass() => {
                    tokio::time::sleep(wait.unwrap_or_else(|| pause(attempt)).min(LONGEST_PAUSE)).await;
                    attempt += 1;
                }
                outcome => return outcome.map_err(|(error, _)| error),
            }
        }
    }

    /// One answer, whatever its status. Only a server that fails or stays away is asked again.
    pub(super) async fn get_once(&self, url: &Url, headers: HeaderMap, limit: u64) -> Result<Reply, TransportError> {
        let mut attempt = 1;
        loop {
            let tried = self.try_get_once(url, headers.clone(), limit).await;
            let may_pass = match &tried {
                Ok(reply) => matches!(reply.status, 500 | 502 | 503 | 504),
                Err(error) => error.may_pass(),
            };
            if !may_pass || attempt == ATTEMPTS {
                return tried;
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    async fn try_get_once(&self, url: &Url, headers: HeaderMap, limit: u64) -> Result<Reply, TransportError> {
        let sent = self.client.get(url.clone()).headers(headers).send().await;
        let response = sent.map_err(|source| unreachable(url, source))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_body(url, response, limit, &mut |_, _| {}).await?;
        Ok(Reply { status, headers, body })
    }

    /// Sends `body` once: a repeated upload must be the caller's decision. Returns the status and the answer.
    pub(super) async fn put(&self, url: &Url, body: Vec<u8>) -> Result<(u16, Bytes), TransportError> {
        let sent = self.client.put(url.clone()).body(body).send().await;
        let response = sent.map_err(|source| unreachable(url, source))?;
        let status = response.status().as_u16();
        let content = read_body(url, response, 1 << 20, &mut |_, _| {}).await?;
        Ok((status, content))
    }

    async fn try_get(
        &self,
        url: &Url,
        etag: Option<&str>,
        limit: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Answer, (TransportError, Option<Duration>)> {
        let mut request = self.client.get(url.clone());
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await.map_err(|source| (unreachable(url, source), None))?;
        let wait = retry_after(response.headers());
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(Answer::NotModified),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err((TransportError::NotFound { url: shown(url) }, None)),
            status if status.is_success() => {
                let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
                let content = read_body(url, response, limit, progress).await.map_err(|error| (error, None))?;
                Ok(Answer::Content { content, etag })
            }
            status => Err((TransportError::Status { url: shown(url), status: status.as_u16(), message: None }, wait)),
        }
    }
}

async fn read_body(
    url: &Url,
    response: Response,
    limit: u64,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Bytes, TransportError> {
    let expected = response.content_length();
    let too_large = || TransportError::TooLarge { url: shown(url), limit };
    if expected.is_some_and(|expected| expected > limit) {
        return Err(too_large());
    }
    let mut content = BytesMut::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|source| TransportError::Truncated {
            url: shown(url),
            received: content.len() as u64,
            expected,
            source: source.without_url(),
        })?;
        content.extend_from_slice(&piece);
        if content.len() as u64 > limit {
            return Err(too_large());
        }
        progress(content.len() as u64, expected);
    }
    Ok(content.freeze())
}

fn unreachable(url: &Url, source: reqwest::Error) -> TransportError {
    let source = source.without_url();
    if source.is_redirect() {
        let reason = std::error::Error::source(&source).map_or_else(|| source.to_string(), ToString::to_string);
        return TransportError::Redirected { url: shown(url), reason };
    }
    if source.is_timeout() && !source.is_connect() {
        TransportError::TimedOut { url: shown(url), source }
    } else {
        TransportError::Unreachable { url: shown(url), source }
    }
}

/// What came encrypted must not go on in the clear: somebody on the way could read and change it.
pub(super) fn check_redirect(from: &Url, to: &Url) -> Result<(), String> {
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(()),
        (from, to) => Err(format!("the redirect leads from `{from}:` to `{to}:`")),
    }
}

fn shown(url: &Url) -> String {
    without_credentials(url).to_string()
}

fn pause(attempt: u32) -> Duration {
    FIRST_PAUSE * 2u32.saturating_pow(attempt - 1)
}

/// `Retry-After` in seconds; a date is not worth a clock here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// rustls wants one provider of cryptography for the whole process.
pub(crate) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if another part of the process installed one first, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_encryption_and_never_away_from_it() {
        let may = |from: &str, to: &str| {
            let url = |text: &str| Url::parse(text).expect("a URL");
            check_redirect(&url(from), &url(to)).is_ok()
        };
        assert!(may("http://a.example/", "https://b.example/"));
        assert!(may("https://a.example/", "https://b.example/"));
        assert!(may("http://a.example/", "http://b.example/"));
        assert!(!may("https://a.example/", "http://a.example/"));
        assert!(!may("http://a.example/", "file:///etc/passwd"));
    }
}
