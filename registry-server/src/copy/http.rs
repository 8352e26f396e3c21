//! A registry that a web server serves, to be read.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::retry::{Again, Failed, Progress};
use crate::RegistryError;
use crate::storage::{Condition, Entry, Fault, Pieces, Put, Storage, StorageError, Stored, TREE, Tag};

/// How long a connection may take, and how long nothing may come.
const PATIENCE: Duration = Duration::from_secs(20);
/// 512 MiB: no file of a registry is larger.
pub(super) const MAX_FILE: usize = 512 << 20;

/// A mirror or a bucket behind a CDN may send readers on, not in circles.
const REDIRECTS: usize = 5;

/// A token on its way to a registry. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(HeaderValue);

impl Secret {
    /// The token that stands in a variable; none if it cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim())).ok()?;
        value.set_sensitive(true);
        (!text.trim().is_empty()).then_some(Self(value))
    }

    /// The token that this variable holds; none if it is not set, or empty. It is not on the command line, where every user of the machine
    /// could read it.
    ///
    /// # Errors
    /// What it holds cannot be a token.
    pub fn of_variable(name: &str) -> Result<Option<Self>, RegistryError> {
        let Some(text) = std::env::var(name).ok().filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = || RegistryError::Setting { message: format!("what {name} holds cannot be a token") };
        Self::new(&text).map(Some).ok_or_else(wrong)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A token does not travel in the clear, except to this machine itself.
fn is_private_line(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    url.scheme() == "https" || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The static tree at a URL.
#[derive(Debug)]
pub(crate) struct Remote {
    client: Client,
    base: Url,
    /// Whether what fails is asked for again.
    patience: Option<Progress>,
}

impl Remote {
    /// The tree at `base`. It sees the token, and no other server does: redirects are an error then.
    pub fn new(mut base: Url, token: Option<&Secret>) -> Result<Self, RegistryError> {
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // Fails where the program chose one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder().redirect(within_tls());
        if let Some(Secret(value)) = token {
            if !is_private_line(&base) {
                let message = format!("a token for `{base}` would travel unencrypted: use its `https://` address");
                return Err(RegistryError::Setting { message });
            }
            client =
                client.redirect(Policy::none()).default_headers([(AUTHORIZATION, value.clone())].into_iter().collect());
        }
        let client = client
            .user_agent(concat!("pocket-registry/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .build();
        Ok(Self { client: client.map_err(|source| RegistryError::Client { source })?, base, patience: None })
    }

    /// The same, which asks again where a server has much to do or a connection does not hold: nobody waits for a copy.
    pub fn patient(self) -> Self {
        Self { patience: Some(Progress::default()), ..self }
    }

    async fn get(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        let mut attempt = 1;
        loop {
            let failed = match self.get_once(path).await {
                Ok(found) => {
                    self.patience.iter().for_each(Progress::made);
                    return Ok(found);
                }
                Err(failed) => failed,
            };
            let pause = self.patience.as_ref().and_then(|progress| progress.pause(attempt, failed.again));
            let Some(pause) = pause else { return Err(failed.error) };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn get_once(&self, path: &str) -> Result<Option<Stored>, Failed> {
        let shown = path.strip_prefix(TREE).unwrap_or(path);
        let url = self.base.join(shown).map_err(|error| for_good(&self.base, error))?;
        let broken = |error: reqwest::Error| Failed { again: Again::after_error(&error), error: failed(&url, error) };
        let mut response = self.client.get(url.clone()).send().await.map_err(broken)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => {
                let error = failed(&url, format!("the server answered {status}"));
                return Err(Failed { error, again: Again::after(status, response.headers()) });
            }
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_FILE {
                return Err(for_good(&url, format!("it is larger than {MAX_FILE} bytes")));
            }
        }
        Ok(Some(Stored { bytes: bytes.freeze(), tag: Tag(String::new()) }))
    }
}

/// Redirects that [`check_redirect`] allows.
fn within_tls() -> Policy {
    Policy::custom(|attempt| match check_redirect(attempt.previous(), attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(message) => attempt.error(message),
    })
}

/// Whoever may read and change what is sent in the clear must not come in between.
fn check_redirect(previous: &[Url], next: &Url) -> Result<(), String> {
    let from = previous.last().ok_or("nobody asked")?;
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(format!("`{from}` sends to `{next}`, without TLS"));
    }
    if previous.len() > REDIRECTS {
        return Err(format!("`{from}` sends to `{next}`, after {REDIRECTS} others that did the same"));
    }
    Ok(())
}

fn failed(url: &Url, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError { doing: "fetch", path: url.to_string(), fault: Fault::Unreachable, source: source.into() }
}

fn for_good(url: &Url, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failed {
    Failed { error: failed(url, source), again: Again::Never }
}

pub(super) fn not_here(path: &str) -> StorageError {
    StorageError { doing: "change", path: path.to_owned(), fault: Fault::Broken, source: "it is another's".into() }
}

#[async_trait]
impl Storage for Remote {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        self.get(path).await
    }

    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        let stored = self.get(path).await?;
        Ok(stored.map(|stored| Entry {
            path: path.to_owned(),
            length: stored.bytes.len() as u64,
            tag: stored.tag,
            modified: SystemTime::now(),
        }))
    }

    async fn pieces(&self, entry: &Entry, _: Range<u64>) -> Result<Pieces, StorageError> {
        Err(not_here(&entry.path))
    }

    async fn put(&self, path: &str, _: Bytes, _: Condition) -> Result<Put, StorageError> {
        Err(not_here(path))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        Err(not_here(prefix))
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        Err(not_here(path))
    }

    fn place(&self) -> String {
        self.base.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that gives these answers, one a connection; none hangs up. Then it is gone.
    fn server(answers: Vec<&'static str>) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("somebody asks");
                let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                stream.write_all(answer.as_bytes()).expect("it is heard");
            }
        });
        url.parse().expect("a URL")
    }

    const BUSY: &str =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const DOWN: &str =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nwho";
    const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole";
    const NO: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_copy_goes_on_where_a_server_is_busy_or_hangs_up() {
        let remote = Remote::new(server(vec![BUSY, CUT, DOWN, "", WHOLE]), None).expect("a client").patient();
        let stored = remote.read("tree/config.json").await.expect("it comes at last").expect("it is there");
        assert_eq!(stored.bytes, "whole");
        let remote = Remote::new(server(vec![NO, WHOLE]), None).expect("a client").patient();
        let error = remote.read("tree/config.json").await.expect_err("that will not change");
        assert!(error.source.to_string().contains("403"), "{error:?}");
    }

    #[test]
    fn a_redirect_neither_leaves_tls_nor_goes_on_for_ever() {
        let url = |text: &str| text.parse::<Url>().expect("a URL");
        let (safe, open) = (url("https://a.example/x"), url("http://b.example/x"));
        assert_eq!(check_redirect(std::slice::from_ref(&safe), &url("https://b.example/x")), Ok(()));
        assert_eq!(check_redirect(std::slice::from_ref(&open), &safe), Ok(()));
        let told = check_redirect(std::slice::from_ref(&safe), &open).expect_err("it leaves TLS");
        assert_eq!(told, "`https://a.example/x` sends to `http://b.example/x`, without TLS");
        assert!(check_redirect(&vec![open.clone(); REDIRECTS], &open).is_ok());
        assert!(check_redirect(&vec![open.clone(); REDIRECTS + 1], &open).is_err());
    }
}
