//! Long lists become short, and nothing of them is lost.

use object_store::memory::InMemory;
use pocket_index::search::{MAX_LISTED, Query};

use super::*;
use crate::Seed;
use crate::catalog::Catalog;
use crate::storage::Bucket;

fn entry(number: usize, description: &str) -> SearchEntry {
    let text = format!(
        r#"{{"name":"plugin{number:04}","version":"1.0.0","description":"{description}","runtime":"lua","nodes":[],"categories":["c{}"],"keywords":[]}}"#,
        number % 3
    );
    serde_json::from_str(&text).expect("an entry")
}

struct Ground {
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let storage = Arc::new(Bucket::of(Arc::new(InMemory::new())));
        let registry = Registry::at(storage, &folder.path().join("registry.key"), Seed::Empty).await;
        Self { registry: registry.expect("it is made"), _folder: folder }
    }

    async fn change(&self, change: impl FnOnce(&mut Listing)) {
        let (mut listing, condition) = read(&self.registry).await.expect("it is read");
        change(&mut listing);
        let put = self.registry.storage().put(&in_tree(layout::SEARCH), listing.to_text().into(), condition).await;
        assert!(matches!(put, Ok(Put::Done(_))), "{put:?}");
    }

    async fn file_away(&self, when: When) -> bool {
        file_away(&self.registry, &Downloads::default(), when).await.expect("it is written")
    }

    async fn found(&self, text: &str) -> usize {
        let query = Query::new(text).expect("a query");
        let page = Catalog::default().find(&self.registry, &query, |_| None).await.expect("it is read");
        assert_eq!(page.total, page.entries.len());
        page.total
    }
}

#[tokio::test]
async fn a_long_list_becomes_a_file_and_later_changes_join_it() {
    let ground = Ground::new().await;
    ground.change(|listing| *listing = Listing::of((0..MAX_LISTED).map(|number| entry(number, "first")))).await;
    assert!(!ground.file_away(When::Long).await, "it is not long yet");
    ground
        .change(|listing| {
            listing.put(&entry(999, "").name, Some(entry(999, "first")));
        })
        .await;
    assert!(ground.file_away(When::Long).await);
    let (short, _) = read(&ground.registry).await.expect("it is read");
    assert!(short.entries.is_empty() && short.removed.is_empty() && short.index.is_some());
    assert_eq!((ground.found("").await, ground.found("first").await), (MAX_LISTED + 1, MAX_LISTED + 1));
    // Changed, new at both ends and between, and gone.
    ground
        .change(|listing| {
            for number in [3, 500, 1_000] {
                listing.put(&entry(number, "").name, Some(entry(number, "second")));
            }
            listing.put(&entry(5, "").name, None);
        })
        .await;
    let expected = (MAX_LISTED + 2, MAX_LISTED - 1, 3);
    assert_eq!((ground.found("").await, ground.found("first").await, ground.found("second").await), expected);
    assert!(ground.file_away(When::Filed).await);
    let (short, _) = read(&ground.registry).await.expect("it is read");
    assert!(short.entries.is_empty() && short.removed.is_empty());
    assert_eq!((ground.found("").await, ground.found("first").await, ground.found("second").await), expected);
    assert!(!ground.file_away(When::Filed).await, "the same file is not written twice");
}

#[tokio::test]
async fn two_servers_that_shorten_a_list_at_once_lose_nothing() {
    let ground = Ground::new().await;
    ground.change(|listing| *listing = Listing::of((0..=MAX_LISTED).map(|number| entry(number, "first")))).await;
    let (one, other) = tokio::join!(ground.file_away(When::Long), ground.file_away(When::Long));
    assert!(one || other);
    assert_eq!(ground.found("first").await, MAX_LISTED + 1);
}

#[tokio::test]
async fn a_file_that_is_gone_leaves_what_was_known_before() {
    let ground = Ground::new().await;
    ground.change(|listing| *listing = Listing::of((0..=MAX_LISTED).map(|number| entry(number, "first")))).await;
    ground.file_away(When::Long).await;
    let catalog = Catalog::default();
    let query = Query::new("").expect("a query");
    assert_eq!(catalog.find(&ground.registry, &query, |_| None).await.expect("it is read").total, MAX_LISTED + 1);
    ground
        .change(|listing| {
            listing.index.iter_mut().for_each(|file| file.sha256 = pocket_index::digest::Digest::of(b"x"))
        })
        .await;
    assert_eq!(catalog.find(&ground.registry, &query, |_| None).await.expect("it is kept").total, MAX_LISTED + 1);
    assert_eq!(ground.found("").await, 0, "who begins now knows nothing, and serves the rest");
}
