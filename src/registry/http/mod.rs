//! HTTP for packages: sizes are capped, cut answers are noticed, retries back off, credentials stay out of messages.

mod bearer;
mod download;
mod once;
mod part;
mod redirect;
mod retry;
mod upload;

use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pocket_index::permissions::parse_duration;
use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use tokio::runtime;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::TransportError;
use super::location::without_credentials;
use bearer::Bearer;
use retry::{Failed, Retries};

pub use bearer::Sent;
pub(super) use bearer::next_hop;
pub(super) use once::Reply;
pub(super) use part::Part;

/// Requests at the same time. Each is a connection where a server speaks HTTP/1.1; more do not make a network faster.
const AT_ONCE: usize = 16;
/// Without a byte for this long, the server counts as stalled, unless [`TIMEOUT`] says otherwise.
const STALL: Duration = Duration::from_secs(30);
/// The longest that a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// 64 KiB: what a server says of a refusal.
const SENTENCE: u64 = 64 << 10;
/// The environment variable that says how long to wait for a server's next byte: `30s`, `500ms`.
const TIMEOUT: &str = "POCKET_HTTP_TIMEOUT";

/// A client whose connections are shared by everything one process fetches.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    requests: Arc<Semaphore>,
    /// A token, and whom it is for.
    bearer: Option<Arc<Bearer>>,
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
        let client = Self::client(redirects)?;
        Ok(Self { client, requests: Arc::new(Semaphore::new(AT_ONCE)), bearer: None })
    }

    /// One that gives up on a server from which nothing comes.
    fn client(redirects: Policy) -> Result<Client, TransportError> {
        let stall = patience()?;
        Self::builder(redirects)?.read_timeout(stall).build().map_err(|source| TransportError::Client { source })
    }

    /// One that waits for an answer as long as its user does.
    fn client_that_waits(redirects: Policy) -> Result<Client, TransportError> {
        Self::builder(redirects)?.build().map_err(|source| TransportError::Client { source })
    }

    fn builder(redirects: Policy) -> Result<ClientBuilder, TransportError> {
        install_crypto();
        Ok(Client::builder()
            .redirect(redirects)
            // An address can carry a secret in its query, which is not the next server's business.
            .referer(false)
            .user_agent(concat!("pocket/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(patience()?)))
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

    async fn try_get(
        &self,
        url: &Url,
        etag: Option<&str>,
        limit: u64,
        progress: Progress<'_>,
    ) -> Result<Answer, Failed> {
        let _permit = self.permit().await;
        let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
        let headers = HeaderMap::from_iter(etag.map(|etag| (IF_NONE_MATCH, etag)));
        let response = self.fetch(url, headers).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answer::NotModified);
        }
        let response = self.successful(url, response).await?;
        let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let content = read_body(url, response, limit, progress).await?;
        Ok(Answer::Content { content, etag })
    }

    /// Refuses every status but success, with the time that the server asks to be left alone for.
    async fn successful(&self, url: &Url, response: Response) -> Result<Response, Failed> {
        let (status, sent) = (response.status(), self.authorization(url).1);
        match status {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(TransportError::NotFound { url: shown(url) }.into()),
            StatusCode::UNAUTHORIZED => Err(denied(url, response, sent).await.into()),
            StatusCode::FORBIDDEN if sent == Sent::WithToken => Err(denied(url, response, sent).await.into()),
            status => {
                let error = TransportError::Status { url: shown(url), status: status.as_u16(), message: None };
                Err(Failed { error, wait: retry::retry_after(response.headers()) })
            }
        }
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.requests.acquire().await.expect("nobody closes this semaphore")
    }
}

/// How long to wait for a server's next byte.
fn patience() -> Result<Duration, TransportError> {
    configured_patience(std::env::var(TIMEOUT).ok().as_deref())
}

fn configured_patience(configured: Option<&str>) -> Result<Duration, TransportError> {
    let Some(text) = configured.filter(|text| !text.is_empty()) else { return Ok(STALL) };
    let wrong = || TransportError::Setting { name: TIMEOUT, value: text.to_owned() };
    parse_duration(text).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

/// Who asks must say so, or may not have it.
async fn denied(url: &Url, response: Response, sent: Sent) -> TransportError {
    let status = response.status().as_u16();
    let body = part::body(url, response, SENTENCE).await.unwrap_or_default();
    let told = serde_json::from_slice::<pocket_index::publish::ApiError>(&body).ok();
    let message = told.map(|told| format!("{} ({})", told.message.escape_debug(), told.code.escape_debug()));
    TransportError::Denied { url: shown(url), status, message, sent }
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
        assert_eq!(configured_patience(None).unwrap(), STALL);
        assert_eq!(configured_patience(Some("")).unwrap(), STALL);
        assert_eq!(configured_patience(Some("500ms")).unwrap(), Duration::from_millis(500));
        for wrong in ["5", "soon", "0"] {
            let error = configured_patience(Some(wrong)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`POCKET_HTTP_TIMEOUT` is `{wrong}`")), "{error}");
        }
    }
}
