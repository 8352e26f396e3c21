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

use crate::RegistryError;
use crate::storage::{Condition, Entry, Fault, Pieces, Put, Storage, StorageError, Stored, TREE, Tag};

/// How long a connection may take, and how long nothing may come.
const PATIENCE: Duration = Duration::from_secs(20);
/// 512 MiB: no file of a registry is larger.
const MAX_FILE: usize = 512 << 20;

/// A token on its way to a registry. `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(HeaderValue);

impl Secret {
    /// The token that stands in a variable; none if it cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim())).ok()?;
        value.set_sensitive(true);
        (!text.trim().is_empty()).then_some(Self(value))
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
}

impl Remote {
    /// The tree at `base`. It sees the token, and no other server does: redirects are an error then.
    pub fn new(mut base: Url, token: Option<&Secret>) -> Result<Self, RegistryError> {
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // Fails where the program chose one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder();
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
        Ok(Self { client: client.map_err(|source| RegistryError::Client { source })?, base })
    }

    async fn get(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        let shown = path.strip_prefix(TREE).unwrap_or(path);
        let url = self.base.join(shown).map_err(|error| failed(&self.base, error))?;
        let mut response = self.client.get(url.clone()).send().await.map_err(|error| failed(&url, error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(failed(&url, format!("the server answered {status}"))),
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failed(&url, error))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_FILE {
                return Err(failed(&url, format!("it is larger than {MAX_FILE} bytes")));
            }
        }
        Ok(Some(Stored { bytes: bytes.freeze(), tag: Tag(String::new()) }))
    }
}

fn failed(url: &Url, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    StorageError { doing: "fetch", path: url.to_string(), fault: Fault::Unreachable, source: source.into() }
}

fn not_here(path: &str) -> StorageError {
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
