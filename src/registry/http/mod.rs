//! HTTP for packages: sizes are capped, cut answers are noticed, retries back off, credentials stay out of messages.

mod download;
mod once;
mod part;
mod redirect;
mod retry;

use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pocket_index::permissions::parse_duration;
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use tokio::runtime;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::TransportError;
use super::location::without_credentials;
use retry::{Failed, Retries};

pub(super) use once::Reply;
pub(super) use part::Part;
pub(super) use redirect::check_redirect;

/// Requests at the same time. Each is a connection where a server speaks HTTP/1.1; more do not make a network faster.
const AT_ONCE: usize = 16;
/// Without a byte for this long, the server counts as stalled, unless [`TIMEOUT`] says otherwise.
const STALL: Duration = Duration::from_secs(30);
/// The longest that a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// The environment variable that says how long to wait for a server's next byte: `30s`, `500ms`.
const TIMEOUT: &str = "POCKET_HTTP_TIMEOUT";

/// A client whose connections are shared by everything one process fetches.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    requests: Arc<Semaphore>,
}

/// What a server answered to a conditional request.
pub(super) enum Answer {
    /// The bytes, with the tag to ask again with.
    Content { content: Bytes, etag: Option<String> },
    /// What the caller has is what the server has.
    NotModified,
}

/// Hears how many bytes have come, and how many there will be.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

impl Http {
    /// The client of this run, made with the first call: loading the certificates takes as long as ten requests. Nothing is
    /// sent.
    ///
    /// Proxies come from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, certificate authorities from the system or, where they
    /// are set, from `SSL_CERT_FILE` and `SSL_CERT_DIR`. HTTP/2 is spoken where a server offers it (ALPN).
    pub fn new() -> Result<Self, TransportError> {
        // Connections live and die with the runtime that drives them.
        static SHARED: Mutex<Option<(runtime::Id, Http)>> = Mutex::new(None);
        let build = || Self::build(redirect::followed());
        let Ok(runtime) = runtime::Handle::try_current() else { return build() };
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some((id, http)) if *id == runtime.id() => Ok(http.clone()),
            _ => Ok(shared.insert((runtime.id(), build()?)).1.clone()),
        }
    }

    fn build(redirects: Policy) -> Result<Self, TransportError> {
        let stall = patience(std::env::var(TIMEOUT).ok().as_deref())?;
        install_crypto();
        let client = Client::builder()
            .redirect(redirects)
            // An address can carry a secret in its query, which is not the next server's business.
            .referer(false)
            .user_agent(concat!("pocket/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(stall))
            .read_timeout(stall)
            .build()
            .map_err(|source| TransportError::Client { source })?;
        Ok(Self { client, requests: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// The bytes at `url`, at most `limit` of them.
    pub async fn get(&self, url: &Url, limit: u64, progress: Progress<'_>) -> Result<Bytes, TransportError> {
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
        progress: Progress<'_>,
    ) -> Result<Answer, TransportError> {
        let mut retries = Retries::new();
        loop {
            match self.try_get(url, etag, limit, progress).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => retries.wait_after(failed).await?,
            }
        }
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
        progress: Progress<'_>,
    ) -> Result<Answer, Failed> {
        let _permit = self.permit().await;
        let mut request = self.client.get(url.clone());
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await.map_err(|source| unreachable(url, source))?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answer::NotModified);
        }
        let response = successful(url, response)?;
        let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let content = read_body(url, response, limit, progress).await?;
        Ok(Answer::Content { content, etag })
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.requests.acquire().await.expect("nobody closes this semaphore")
    }
}

/// How long to wait for a server's next byte.
fn patience(configured: Option<&str>) -> Result<Duration, TransportError> {
    let Some(text) = configured.filter(|text| !text.is_empty()) else { return Ok(STALL) };
    let wrong = || TransportError::Setting { name: TIMEOUT, value: text.to_owned() };
    parse_duration(text).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

/// Refuses every status but success, with the time that the server asks to be left alone for.
fn successful(url: &Url, response: Response) -> Result<Response, Failed> {
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(TransportError::NotFound { url: shown(url) }.into()),
        status => {
            let error = TransportError::Status { url: shown(url), status: status.as_u16(), message: None };
            Err(Failed { error, wait: retry::retry_after(response.headers()) })
        }
    }
}

async fn read_body(
    url: &Url,
    mut response: Response,
    limit: u64,
    progress: Progress<'_>,
) -> Result<Bytes, TransportError> {
    let expected = response.content_length();
    let too_large = || TransportError::TooLarge { url: shown(url), limit };
    if expected.is_some_and(|expected| expected > limit) {
        return Err(too_large());
    }
    let mut content = BytesMut::new();
    while let Some(piece) = next_piece(url, &mut response, content.len() as u64, expected).await? {
        content.extend_from_slice(&piece);
        if content.len() as u64 > limit {
            return Err(too_large());
        }
        progress(content.len() as u64, expected);
    }
    Ok(content.freeze())
}

/// The next bytes of a body. A body that ends early is an error, never an end.
async fn next_piece(
    url: &Url,
    response: &mut Response,
    received: u64,
    expected: Option<u64>,
) -> Result<Option<Bytes>, TransportError> {
    response.chunk().await.map_err(|source| TransportError::Truncated {
        url: shown(url),
        received,
        expected,
        source: source.without_url(),
    })
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

fn shown(url: &Url) -> String {
    without_credentials(url).to_string()
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
    fn the_patience_is_a_duration_or_an_error_that_shows_what_was_set() {
        assert_eq!(patience(None).unwrap(), STALL);
        assert_eq!(patience(Some("")).unwrap(), STALL);
        assert_eq!(patience(Some("500ms")).unwrap(), Duration::from_millis(500));
        for wrong in ["5", "soon", "0"] {
            let error = patience(Some(wrong)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`POCKET_HTTP_TIMEOUT` is `{wrong}`")), "{error}");
        }
    }
}
