//! What happens while it is looked at what may go.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use object_store::memory::InMemory;
use pocket_index::digest::Digest;

use super::*;
use crate::config::Limits;
use crate::routes::{Answers, Service};
use crate::storage::{Around, Bucket, Condition, StorageError, Tag};
use crate::testing::{author, release};
use crate::{Registry, Seed};

/// A bucket as the large services have them: the same bytes have the same tag. All in it is old but what is written while the index
/// files are listed for the first time.
#[derive(Debug)]
struct Meanwhile {
    inner: Bucket,
    written: Mutex<Option<(String, Bytes)>>,
    young: Mutex<BTreeSet<String>>,
}

impl Meanwhile {
    fn new(inner: Bucket, path: &str, bytes: Bytes) -> Self {
        Self { inner, written: Mutex::new(Some((path.to_owned(), bytes))), young: Mutex::default() }
    }

    async fn aged(&self, entry: Entry) -> Result<Entry, StorageError> {
        let bytes = self.inner.read(&entry.path).await?.map(|stored| stored.bytes).unwrap_or_default();
        let is_young = self.young.lock().expect("nobody panics").contains(&entry.path);
        let modified = if is_young { SystemTime::now() } else { SystemTime::UNIX_EPOCH };
        Ok(Entry { tag: Tag(Digest::of(&bytes).hex()), modified, ..entry })
    }
}

#[async_trait]
impl Around for Meanwhile {
    fn inner(&self) -> &dyn Storage {
        &self.inner
    }

    async fn entry_around(&self, path: &str) -> Result<Option<Entry>, StorageError> {
        match self.inner.entry(path).await? {
            Some(entry) => self.aged(entry).await.map(Some),
            None => Ok(None),
        }
    }

    async fn list_around(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let mut entries = Vec::new();
        for entry in self.inner.list(prefix).await? {
            entries.push(self.aged(entry).await?);
        }
        let written = (prefix == "tree/index/").then(|| self.written.lock().expect("nobody panics").take()).flatten();
        if let Some((path, bytes)) = written {
            self.inner.put(&path, bytes, Condition::Always).await?;
            self.young.lock().expect("nobody panics").insert(path);
        }
        Ok(entries)
    }
}

const ORPHAN: &str = "tree/a/00/00.tar.gz";

/// A registry with one release, and an archive that no line names.
struct Ground {
    bucket: Bucket,
    /// As it was before the release.
    before: Vec<(String, Bytes)>,
    _folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let bucket = Bucket::of(Arc::new(InMemory::new()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("registry.key");
        let registry = Registry::at(Arc::new(bucket.clone()), &key, Seed::Empty).await.expect("it is made");
        let before = files(&bucket).await;
        let service = Arc::new(Service::new(Arc::new(registry), Limits::default()));
        let body = Body::from(release("greeting", "1.0.0", "return 1", &author(1)));
        let request = Request::put("/api/v1/publish").body(body).expect("a request");
        let response = Answers::of_registry(service).to(request).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        bucket.put(ORPHAN, "x".into(), Condition::Always).await.expect("it is written");
        Self { bucket, before, _folder: folder }
    }
}

async fn files(bucket: &Bucket) -> Vec<(String, Bytes)> {
    let mut files = Vec::new();
    for entry in bucket.list("").await.expect("it is listed") {
        let stored = bucket.read(&entry.path).await.expect("it is read").expect("it is there");
        files.push((entry.path, stored.bytes));
    }
    files
}

/// The archives that are left.
async fn archives(storage: &dyn Storage) -> Vec<String> {
    let mut paths: Vec<_> =
        storage.list("tree/a/").await.expect("it is listed").into_iter().map(|entry| entry.path).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn an_archive_that_is_written_anew_meanwhile_stays_though_its_tag_is_the_same() {
    let ground = Ground::new().await;
    let storage = Meanwhile::new(ground.bucket, ORPHAN, "x".into());
    let removed = collect_in(&storage, Mode::Remove, SystemTime::now()).await.expect("it is looked at");
    assert_eq!((removed.archives, archives(&storage).await.len()), (0, 2));
    // When that publish is over and failed, it goes.
    storage.young.lock().expect("nobody panics").clear();
    let removed = collect_in(&storage, Mode::Remove, SystemTime::now()).await.expect("it is looked at");
    assert_eq!((removed.archives, archives(&storage).await.len()), (1, 1));
}

#[tokio::test]
async fn an_archive_stays_whose_line_is_decided_after_the_index_files_were_listed() {
    let ground = Ground::new().await;
    let head = ground.bucket.read(HEAD).await.expect("it is read").expect("it is there").bytes;
    for entry in ground.bucket.list("").await.expect("it is listed") {
        if !entry.path.starts_with("tree/a/") {
            ground.bucket.remove(&entry.path).await.expect("it is removed");
        }
    }
    for (path, bytes) in &ground.before {
        ground.bucket.put(path, bytes.clone(), Condition::Always).await.expect("it is written");
    }
    let storage = Meanwhile::new(ground.bucket, HEAD, head);
    let removed = collect_in(&storage, Mode::Remove, SystemTime::now()).await.expect("it is looked at");
    let left = archives(&storage).await;
    assert!(removed.archives == 1 && left.len() == 1 && left[0] != ORPHAN, "{removed:?} {left:?}");
}

#[tokio::test]
async fn nothing_goes_where_lines_of_the_log_are_not_there() {
    let index = "tree/index/gr/ee/greeting";
    for content in [None, Some(Bytes::new())] {
        let ground = Ground::new().await;
        match content {
            None => ground.bucket.remove(index).await.expect("it is removed"),
            Some(bytes) => drop(ground.bucket.put(index, bytes, Condition::Always).await.expect("it is written")),
        }
        let before = files(&ground.bucket).await;
        let storage = Meanwhile::new(ground.bucket, ORPHAN, "x".into());
        let error = collect_in(&storage, Mode::Remove, SystemTime::now()).await.expect_err("lines are missing");
        assert!(error.to_string().contains("the log has 1 events, the files here have 0 of them"), "{error}");
        assert_eq!(files(&storage.inner).await.len(), before.len());
    }
    let nothing = Bucket::of(Arc::new(InMemory::new()));
    nothing.put(ORPHAN, "x".into(), Condition::Always).await.expect("it is written");
    let error = collect_in(&nothing, Mode::Remove, SystemTime::now() + 2 * GRACE).await.expect_err("it is no registry");
    assert!(matches!(error, RegistryError::NoRegistry { .. }), "{error}");
}
