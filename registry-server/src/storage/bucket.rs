//! A bucket of an S3-compatible service, or memory. Several servers may write to one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    RetryConfig, UpdateVersion,
};

use super::probe::PROBES;
use super::{Condition, Entry, Fault, Pieces, Put, Storage, StorageError, Stored, Tag};

/// How long a bucket that does not answer is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
/// For one request with a large archive.
const REQUEST: Duration = Duration::from_secs(120);

/// Where a bucket is. Keys and region come from the environment, as for other programs: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketOptions {
    /// Its name.
    pub bucket: String,
    /// What its objects' names start with; empty for nothing.
    pub prefix: String,
    /// The URL of the service, if it is not Amazon's.
    pub endpoint: Option<String>,
}

/// The objects below a prefix.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    place: String,
}

impl Bucket {
    /// A bucket that is reached over the network.
    pub(crate) fn open(options: &BucketOptions) -> Result<Self, StorageError> {
        // Fails where the program chose one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig { max_retries: 3, retry_timeout: PATIENCE, ..RetryConfig::default() };
        let client = ClientOptions::new().with_connect_timeout(PATIENCE / 4).with_timeout(REQUEST);
        let mut builder = AmazonS3Builder::from_env()
            .with_client_options(client)
            .with_bucket_name(&options.bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(retry);
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        let place = format!("s3://{}/{}", options.bucket, options.prefix.trim_matches('/'));
        let objects = builder.build().map_err(|error| StorageError::of_bucket("open", &place, error))?;
        Ok(Self { objects: Arc::new(objects), prefix: Path::from(options.prefix.as_str()), place })
    }

    /// Objects that somebody else opened.
    #[cfg(test)]
    pub(crate) fn of(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, prefix: Path::default(), place: "memory".to_owned() }
    }

    fn full(&self, path: &str) -> Path {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.fold(self.prefix.clone(), |path, part| path.join(part))
    }

    fn entry_of(&self, path: &str, meta: &ObjectMeta) -> Result<Entry, StorageError> {
        let tag = self.tag(path, meta.e_tag.clone())?;
        Ok(Entry { path: path.to_owned(), length: meta.size, tag, modified: meta.last_modified.into() })
    }

    /// Without a tag there is no put-if-match.
    fn tag(&self, path: &str, e_tag: Option<String>) -> Result<Tag, StorageError> {
        let missing = || StorageError {
            doing: "take an ETag for",
            path: path.to_owned(),
            fault: Fault::Broken,
            source: "the service sends none".into(),
        };
        e_tag.map(Tag).ok_or_else(missing)
    }
}

#[async_trait]
impl Storage for Bucket {
    async fn read(&self, path: &str) -> Result<Option<Stored>, StorageError> {
        let failed = |error| StorageError::of_bucket("read", path, error);
        let result = match self.objects.get(&self.full(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            result => result.map_err(failed)?,
        };
        let tag = self.tag(path, result.meta.e_tag.clone())?;
        Ok(Some(Stored { bytes: result.bytes().await.map_err(failed)?, tag }))
    }

    async fn entry(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        match self.objects.head(&self.full(path)).await {
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StorageError::of_bucket("look at", path, error)),
            Ok(meta) => self.entry_of(path, &meta).map(Some),
        }
    }

    async fn pieces(&self, entry: &Entry, part: Range<u64>) -> Result<Pieces, StorageError> {
        if part.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let path = entry.path.clone();
        let if_match = Some(entry.tag.0.clone());
        let options = GetOptions { range: Some(GetRange::Bounded(part)), if_match, ..GetOptions::default() };
        let result = match self.objects.get_opts(&self.full(&path), options).await {
            Err(Error::Precondition { .. } | Error::NotFound { .. }) => return Err(StorageError::changed(path)),
            result => result.map_err(|error| StorageError::of_bucket("read", &path, error))?,
        };
        Ok(result.into_stream().map_err(move |error| StorageError::of_bucket("read", &path, error)).boxed())
    }

    async fn put(&self, path: &str, bytes: Bytes, condition: Condition) -> Result<Put, StorageError> {
        let mode = match condition {
            Condition::Always => PutMode::Overwrite,
            Condition::Absent => PutMode::Create,
            Condition::Unchanged(tag) => PutMode::Update(UpdateVersion { e_tag: Some(tag.0), version: None }),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.objects.put_opts(&self.full(path), bytes.into(), options).await {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::Refused),
            Err(error) => Err(StorageError::of_bucket("write", path, error)),
            Ok(put) => Ok(Put::Done(self.tag(path, put.e_tag)?)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let failed = |error| StorageError::of_bucket("list", prefix, error);
        let metas: Vec<_> = self.objects.list(Some(&self.full(prefix))).try_collect().await.map_err(failed)?;
        let own = self.prefix.as_ref();
        let entries = metas.iter().map(|meta| {
            let path = meta.location.as_ref().strip_prefix(own).unwrap_or_default().trim_start_matches('/');
            self.entry_of(path, meta)
        });
        entries.collect()
    }

    /// What a start that was cut off tried out.
    async fn temporary(&self) -> Result<Vec<Entry>, StorageError> {
        self.list(PROBES).await
    }

    async fn remove(&self, path: &str) -> Result<(), StorageError> {
        match self.objects.delete(&self.full(path)).await {
            Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(StorageError::of_bucket("remove", path, error)),
        }
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}
