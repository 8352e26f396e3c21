//! What several writers, and writers that die, leave behind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use pocket_index::log::NoteKey;
use pocket_index::publish::PublishHeader;

use crate::config::Limits;
use crate::routes::{Answers, Service};
use crate::storage::{Bucket, Condition, Faulty, Folder, Storage, TREE, When};
use crate::testing::{Files, Published, author, check, release, yank};
use crate::{Registry, RegistryError, Seed};

/// A place, and the key of the registry there.
struct Ground {
    storage: Arc<dyn Storage>,
    folder: tempfile::TempDir,
}

impl Ground {
    fn memory() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { storage: Arc::new(Bucket::of(Arc::new(InMemory::new()))), folder }
    }

    /// A bucket that takes a while, so that writers come between each other's steps.
    fn slow() -> Self {
        let wait = Duration::from_millis(1);
        let config = ThrottleConfig { wait_get_per_call: wait, wait_put_per_call: wait, ..ThrottleConfig::default() };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = ThrottledStore::new(InMemory::new(), config);
        Self { storage: Arc::new(Bucket::of(Arc::new(store))), folder }
    }

    fn folder() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { storage: Arc::new(Folder::plain(folder.path().join("registry"))), folder }
    }

    async fn open(&self) -> Registry {
        self.open_on(Arc::clone(&self.storage)).await.expect("it opens")
    }

    async fn open_on(&self, storage: Arc<dyn Storage>) -> Result<Registry, RegistryError> {
        Registry::at(storage, &self.key(), Seed::Empty).await
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("registry.key")
    }

    async fn files(&self) -> Files {
        let mut files = Files::new();
        for entry in self.storage.list(TREE).await.expect("it is listed") {
            let stored = self.storage.read(&entry.path).await.expect("it is read").expect("it is there");
            files.insert(entry.path[TREE.len()..].to_owned(), stored.bytes.to_vec());
        }
        files
    }

    async fn published(&self, key: &NoteKey) -> Published {
        check(&self.files().await, key)
    }
}

/// What a server on this registry answers.
async fn send(registry: &Arc<Registry>, body: Vec<u8>) -> (StatusCode, String) {
    let service = Arc::new(Service::new(Arc::clone(registry), Limits::default()));
    let request = Request::put("/api/v1/publish").body(Body::from(body)).expect("a request");
    let response = Answers::of_registry(service).to(request).await;
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a short body");
    (status, String::from_utf8(body.to_vec()).expect("JSON"))
}

/// What is sent in every run, and what the search list says after all of it.
fn bodies() -> [Vec<u8>; 3] {
    let key = author(1);
    [
        release("greeting", "1.0.0", "return 1", &key),
        release("other", "1.0.0", "return 2", &key),
        yank("greeting", "1.0.0", "it says 1", &key),
    ]
}

/// Dies at write number `last` of a start and three publishes. Tells whether it came so far.
async fn dies(ground: &Ground, key: &NoteKey, last: usize, when: When) -> bool {
    let before = ground.published(key).await;
    let faulty = Arc::new(Faulty::new(Arc::clone(&ground.storage), last, when));
    let mut answered = Vec::new();
    if let Ok(registry) = ground.open_on(Arc::clone(&faulty) as Arc<dyn Storage>).await {
        let registry = Arc::new(registry);
        for body in bodies() {
            let (status, _) = send(&registry, body).await;
            assert!(status.is_success() || status.is_server_error(), "{status}");
            answered.push(status.is_success());
        }
    }
    // What clients see now fits together, and nothing that was answered is missing.
    let seen = ground.published(key).await;
    assert!(before.is_subset(&seen), "{last} {when:?}");
    let added = seen.len() - before.len();
    let promised = answered.iter().filter(|answered| **answered).count();
    assert!(added == promised || added == promised + 1, "{last} {when:?}: {added} of {promised}");
    // The next start finishes what was decided, and the author's second try ends well.
    let registry = Arc::new(ground.open().await);
    let repaired = ground.published(key).await;
    assert!(seen.is_subset(&repaired) && repaired.len() <= before.len() + promised + 1, "{last} {when:?}");
    let left = bodies().into_iter().enumerate().skip(repaired.len() - before.len());
    for (number, body) in left {
        let (status, text) = send(&registry, body).await;
        assert!(status.is_success(), "{number} after {last} {when:?}: {status} {text}");
    }
    let all = ground.published(key).await;
    assert_eq!(all.len(), before.len() + 3, "{last} {when:?}");
    let list = String::from_utf8(ground.files().await["search.json"].clone()).expect("it is text");
    assert!(list.contains("\"other\"") && !list.contains("\"greeting\""), "{last} {when:?}: {list}");
    faulty.is_dead()
}

async fn dies_everywhere(ground: impl AsyncFn() -> Ground) -> usize {
    let mut points = 0;
    for when in [When::Before, When::After] {
        for last in 0.. {
            let ground = ground().await;
            let key = ground.open().await.key().clone();
            if !dies(&ground, &key, last, when).await {
                break;
            }
            points += 1;
        }
    }
    points
}

#[tokio::test]
async fn a_writer_that_dies_at_any_write_leaves_everything_or_nothing() {
    let memory = dies_everywhere(async || Ground::memory()).await;
    let folder = dies_everywhere(async || Ground::folder()).await;
    assert!(memory >= 40 && folder >= 40, "{memory} {folder}");
}

/// A log whose next leaves complete a tile.
async fn almost_full() -> Ground {
    let ground = Ground::memory();
    let registry = Arc::new(ground.open().await);
    let key = author(1);
    for number in 0..254 {
        let (status, text) = send(&registry, release(&format!("filler-{number}"), "1.0.0", "return", &key)).await;
        assert_eq!(status, StatusCode::CREATED, "{text}");
    }
    ground
}

#[tokio::test]
async fn so_does_one_that_dies_while_a_tile_becomes_full() {
    let full = almost_full().await;
    let files = full.files().await;
    let key = std::fs::read(full.key()).expect("it is read");
    let points = dies_everywhere(async || {
        let ground = Ground::memory();
        std::fs::write(ground.key(), &key).expect("it is written");
        for (path, bytes) in &files {
            let put = ground.storage.put(&format!("{TREE}{path}"), bytes.clone().into(), Condition::Always).await;
            put.expect("it is written");
        }
        ground
    });
    let points = points.await;
    assert!(points >= 42, "{points}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_publish_the_same_version_exactly_one_wins() {
    for round in 0..10 {
        let ground = Ground::slow();
        let (one, other) = (Arc::new(ground.open().await), Arc::new(ground.open().await));
        let bodies = ["return 1", "return 2"].map(|source| release("greeting", "1.0.0", source, &author(1)));
        let [first, second] = bodies;
        let (a, b) = tokio::join!(send(&one, first), send(&other, second));
        let (lost, won) = if a.0 == StatusCode::CREATED { (b, a) } else { (a, b) };
        assert_eq!((won.0, lost.0), (StatusCode::CREATED, StatusCode::CONFLICT), "{round}: {won:?} {lost:?}");
        assert!(lost.1.contains("version_exists") && lost.1.matches("sha256:").count() == 2, "{}", lost.1);
        assert_eq!(ground.published(one.key()).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_publish_different_plugins_at_once_all_succeed_in_one_log() {
    let ground = Ground::slow();
    let mut sent = Vec::new();
    for server in 0..4_u8 {
        let registry = Arc::new(ground.open().await);
        sent.push(tokio::spawn(async move {
            for number in 0..5 {
                let name = format!("plugin-{server}-{number}").replace('-', "");
                let (status, text) = send(&registry, release(&name, "1.0.0", "return", &author(server))).await;
                assert_eq!(status, StatusCode::CREATED, "{text}");
            }
        }));
    }
    for server in sent {
        server.await.expect("all of it succeeds");
    }
    let registry = ground.open().await;
    assert_eq!(ground.published(registry.key()).await.len(), 20);
    let list = String::from_utf8(ground.files().await["search.json"].clone()).expect("it is text");
    assert_eq!(list.lines().count(), 1 + 20, "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_anew_and_publishing_at_once_keep_the_times_in_order() {
    let ground = Ground::slow();
    let (one, other) = (Arc::new(ground.open().await), Arc::new(ground.open().await));
    let refreshing = tokio::spawn(async move {
        for _ in 0..20 {
            other.write().await.refresh(crate::checkpoint::Age::Any).await.expect("it is signed");
        }
    });
    for number in 0..10 {
        let (status, text) = send(&one, release(&format!("plugin{number}"), "1.0.0", "return", &author(1))).await;
        assert_eq!(status, StatusCode::CREATED, "{text}");
    }
    refreshing.await.expect("all of it succeeds");
    assert_eq!(ground.published(one.key()).await.len(), 10);
}

#[tokio::test]
async fn a_server_with_another_key_does_not_take_over_a_bucket() {
    let ground = Ground::memory();
    ground.open().await;
    std::fs::remove_file(ground.key()).expect("it is removed");
    let error = ground.open_on(Arc::clone(&ground.storage)).await.expect_err("there is no key");
    assert!(matches!(error, RegistryError::Io { .. }), "{error}");
    std::fs::write(ground.key(), author(9).to_text().as_bytes()).expect("it is written");
    let error = ground.open_on(Arc::clone(&ground.storage)).await.expect_err("it is another's");
    assert!(error.to_string().contains("`config.json` names ed25519:"), "{error}");
}

#[tokio::test]
async fn a_head_that_contradicts_the_checkpoint_stops_everything() {
    let ground = Ground::memory();
    let registry = Arc::new(ground.open().await);
    send(&registry, release("greeting", "1.0.0", "return 1", &author(1))).await;
    let head = ground.storage.read("head.json").await.expect("it is read").expect("it is there");
    // The same registry restored from a copy without its last event went another way.
    let forked = Ground::memory();
    std::fs::copy(ground.key(), forked.key()).expect("it is copied");
    let copy = Arc::new(forked.open().await);
    send(&copy, release("other", "1.0.0", "return 2", &author(1))).await;
    forked.storage.put("head.json", head.bytes, Condition::Always).await.expect("it is written");
    let (status, _) = send(&copy, release("third", "1.0.0", "return 3", &author(1))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(matches!(forked.open_on(Arc::clone(&forked.storage)).await, Err(RegistryError::Damaged { .. })));
}

#[tokio::test]
async fn a_newest_plugin_whose_file_cannot_be_read_stops_neither_a_start_nor_others() {
    let ground = Ground::memory();
    let registry = Arc::new(ground.open().await);
    send(&registry, release("greeting", "1.0.0", "return 1", &author(1))).await;
    let path = format!("{TREE}index/gr/ee/greeting");
    let mut text = ground.storage.read(&path).await.expect("it is read").expect("it is there").bytes.to_vec();
    text.extend(std::iter::repeat_n(b'x', pocket_index::record::MAX_FILE_BYTES));
    ground.storage.put(&path, text.into(), Condition::Always).await.expect("it is written");
    let again = Arc::new(ground.open().await);
    let (status, text) = send(&again, release("other", "1.0.0", "return 2", &author(1))).await;
    assert_eq!(status, StatusCode::CREATED, "{text}");
    assert!(String::from_utf8_lossy(&ground.files().await["search.json"]).contains("\"other\""));
}

#[tokio::test]
async fn who_signs_anew_lists_what_a_server_that_died_did_not() {
    let ground = Ground::memory();
    let (one, other) = (Arc::new(ground.open().await), ground.open().await);
    let before = ground.files().await["search.json"].clone();
    send(&one, release("greeting", "1.0.0", "return 1", &author(1))).await;
    let list = format!("{TREE}search.json");
    ground.storage.put(&list, before.into(), Condition::Always).await.expect("it is written");
    other.write().await.refresh(crate::checkpoint::Age::Any).await.expect("it is signed");
    assert!(String::from_utf8_lossy(&ground.files().await["search.json"]).contains("\"greeting\""));
}

#[tokio::test]
async fn an_archive_that_got_lost_comes_back_when_it_is_published_again() {
    let ground = Ground::memory();
    let registry = Arc::new(ground.open().await);
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    send(&registry, body.clone()).await;
    let archive = ground.storage.list("tree/a/").await.expect("it is listed").remove(0);
    ground.storage.remove(&archive.path).await.expect("it is removed");
    let (status, text) = send(&registry, body).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(ground.published(registry.key()).await.len(), 1);
}

#[tokio::test]
async fn a_line_that_an_older_program_left_without_a_checkpoint_is_finished() {
    let ground = Ground::memory();
    let registry = Arc::new(ground.open().await);
    let before = ground.files().await;
    send(&registry, release("greeting", "1.0.0", "return 1", &author(1))).await;
    // As a crash between the index file and the tiles left it when there was no `head.json`.
    for path in ["log/checkpoint", "search.json"] {
        let put = ground.storage.put(&format!("{TREE}{path}"), before[path].clone().into(), Condition::Always).await;
        put.expect("it is written");
    }
    for path in ["head.json", "tree/log/tile/0/000.p/1"] {
        ground.storage.remove(path).await.expect("it is removed");
    }
    assert!(ground.published(registry.key()).await.is_empty());
    let again = ground.open().await;
    assert_eq!(ground.published(again.key()).await.len(), 1);
}

#[tokio::test]
async fn what_was_decided_is_shown_though_who_sent_it_is_gone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inner = Arc::new(InMemory::new());
    let wait = Duration::from_millis(30);
    let slow = ThrottledStore::new(
        Arc::clone(&inner),
        ThrottleConfig { wait_put_per_call: wait, ..ThrottleConfig::default() },
    );
    let ground = Ground { storage: Arc::new(Bucket::of(Arc::new(slow))), folder };
    let registry = Arc::new(ground.open().await);
    let seen = Bucket::of(inner);
    let sending = tokio::spawn({
        let registry = Arc::clone(&registry);
        async move { send(&registry, release("greeting", "1.0.0", "return 1", &author(1))).await }
    });
    // The moment it is decided, and before anything else is written.
    while !seen
        .read("head.json")
        .await
        .expect("it is read")
        .is_some_and(|head| head.bytes.windows(8).any(|part| part == b"greeting"))
    {
        tokio::task::yield_now().await;
    }
    assert!(seen.read("tree/index/gr/ee/greeting").await.expect("it is read").is_none());
    sending.abort();
    sending.await.expect_err("who sent it is gone");
    drop(registry.turn().await);
    assert_eq!(ground.published(registry.key()).await.len(), 1);
}

#[tokio::test]
async fn who_signed_nothing_does_not_make_the_server_read_a_file() {
    let ground = Ground::memory();
    let registry = Arc::new(ground.open().await);
    let garbage = bytes::Bytes::from_static(b"garbage");
    ground.storage.put("tree/index/gr/ee/greeting", garbage, Condition::Always).await.expect("it is written");
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    let (mut header, archive) = PublishHeader::decode(&body).expect("a publish");
    header.signatures = vec![author(1).sign_event("release", "something else")];
    let (status, text) = send(&registry, [header.encode().as_slice(), archive].concat()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    let (status, text) = send(&registry, body).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
}
