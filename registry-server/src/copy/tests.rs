//! What a copy takes, keeps and refuses.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use object_store::memory::InMemory;
use pocket_index::digest::Digest;
use pocket_index::log::{Frontier, Leaf, encode_entry};

use super::left_out::Before;
use super::*;
use crate::checkpoint::now;
use crate::config::Limits;
use crate::routes::{Answers, Service};
use crate::storage::{Bucket, Faulty, When};
use crate::testing::{author, release, yank};
use crate::{Registry, Seed};

/// A registry with a release of `greeting` and one of `other`, and where it is copied to.
struct Ground {
    from: Bucket,
    to: Bucket,
    registry: Arc<Registry>,
    _folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let [from, to] = [0; 2].map(|_| Bucket::of(Arc::new(InMemory::new())));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("registry.key");
        let registry = Registry::at(Arc::new(from.clone()), &key, Seed::Empty).await.expect("it is made");
        let ground = Self { from, to, registry: Arc::new(registry), _folder: folder };
        ground.publish(release("greeting", "1.0.0", "return 1", &author(1))).await;
        ground.publish(release("other", "1.0.0", "return 2", &author(2))).await;
        ground
    }

    async fn publish(&self, body: Vec<u8>) {
        let service = Arc::new(Service::new(Arc::clone(&self.registry), Limits::default()));
        let request = Request::put("/api/v1/publish").body(Body::from(body)).expect("a request");
        let response = Answers::of_registry(service).to(request).await;
        assert!(response.status().is_success(), "{}", response.status());
    }

    async fn copy(&self, wanted: &[&str]) -> Result<Copied, String> {
        let names = wanted.iter().map(|name| name.parse().expect("a name")).collect::<Vec<_>>();
        let wanted = if names.is_empty() { Wanted::All } else { Wanted::Named(names) };
        self.run(Unsound::Ends, &wanted).await
    }

    async fn run(&self, unsound: Unsound, wanted: &Wanted) -> Result<Copied, String> {
        let copy = Copy { from: &self.from, to: &self.to, below: "", unsound };
        copy.run(wanted, None).await.map_err(|error| error.to_string())
    }

    /// Copies everything that is sound, and tells what became of the rest.
    async fn mirror(&self) -> (Copied, Vec<(String, Before, String)>) {
        let copied = self.run(Unsound::IsLeftOut(Duration::ZERO), &Wanted::All).await.expect("what is sound is copied");
        let told = copied.left_out.iter().map(|one| (one.name.to_string(), one.before, one.reason.clone()));
        let told = told.collect();
        (copied, told)
    }

    /// Every path of the copy that a reader finds a plugin by.
    async fn found(&self) -> (Vec<String>, String) {
        let files = self.to.list("index/").await.expect("it is listed");
        let list = read(&self.to, layout::SEARCH).await;
        (files.into_iter().map(|entry| entry.path).collect(), String::from_utf8_lossy(&list).into_owned())
    }

    async fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        self.from.put(&in_tree(path), bytes.into(), Condition::Always).await.expect("it is written");
    }

    /// The log with these leaves instead, signed by its key.
    async fn sign(&self, leaves: &[Leaf]) {
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| drop(frontier.push(leaf.hash())));
        let bundle: Vec<u8> = leaves.iter().flat_map(encode_entry).collect();
        self.put(&format!("log/tile/entries/000.p/{}", leaves.len()), bundle).await;
        let (signer, keys) = (self.registry.signer(), self.registry.keys_digest());
        let checkpoint = Checkpoint::sign(leaves.len() as u64, frontier.root(), keys, signer);
        let checkpoint = checkpoint.stated_at(now().expect("a clock"), signer).expect("it fits");
        self.put(layout::CHECKPOINT, checkpoint.note().to_owned()).await;
    }

    async fn leaf(&self, name: &str, seq: u64) -> Leaf {
        let name = name.parse().expect("a name");
        let text = read(&self.from, &in_tree(&layout::index_file(&name))).await;
        let line = str::from_utf8(&text).expect("text").lines().nth(seq as usize).expect("a line");
        let line = pocket_index::record::Line::parse(line).expect("a line");
        Leaf { name, seq, line: line.digest }
    }
}

async fn read(storage: &Bucket, path: &str) -> Bytes {
    storage.read(path).await.expect("it is read").unwrap_or_else(|| panic!("`{path}` is missing")).bytes
}

#[tokio::test]
async fn an_archive_that_was_damaged_in_the_copy_is_copied_again() {
    let ground = Ground::new().await;
    assert_eq!(ground.copy(&[]).await.expect("it is copied").archives, 2);
    let archive = ground.to.list("a/").await.expect("it is listed").remove(0);
    let whole = read(&ground.to, &archive.path).await;
    let mut bytes = whole.to_vec();
    bytes[20] ^= 1;
    ground.to.put(&archive.path, bytes.into(), Condition::Always).await.expect("it is written");
    assert_eq!(ground.copy(&[]).await.expect("it is copied").archives, 1);
    assert_eq!(read(&ground.to, &archive.path).await, whole);
}

#[tokio::test]
async fn files_of_another_log_are_neither_kept_nor_replaced() {
    let ground = Ground::new().await;
    for path in ["log/tile/entries/000.p/2", "log/tile/0/000.p/2"] {
        // A first copy of another registry that was cut off: its checkpoint would have come last.
        ground.to.put(path, "of another log".into(), Condition::Always).await.expect("it is written");
        let error = ground.copy(&[]).await.expect_err("two logs do not mix");
        assert!(error.contains(path) && error.matches("sha256:").count() == 2, "{error}");
        assert!(ground.to.entry(layout::CHECKPOINT).await.expect("it is looked at").is_none());
        ground.to.remove(path).await.expect("it is removed");
    }
    ground.copy(&[]).await.expect("it is copied");
}

#[tokio::test]
async fn a_copy_of_some_plugins_over_a_fuller_one_leaves_none_behind() {
    let ground = Ground::new().await;
    ground.copy(&[]).await.expect("it is copied");
    ground.publish(yank("other", "1.0.0", "it leaks", &author(2))).await;
    let copied = ground.copy(&["greeting"]).await.expect("it is copied");
    assert_eq!((copied.plugins, copied.of), (2, 2));
    let text = read(&ground.to, "index/ot/he/other").await;
    assert!(String::from_utf8_lossy(&text).contains("it leaks"));
    // Where the others cannot be brought up to date, the checkpoint stays as it is.
    ground.publish(yank("greeting", "1.0.0", "it leaks", &author(1))).await;
    ground.from.remove("tree/index/ot/he/other").await.expect("it is removed");
    let before = read(&ground.to, layout::CHECKPOINT).await;
    let error = ground.copy(&["greeting"]).await.expect_err("one would be left behind");
    assert!(error.contains("index/ot/he/other") && error.contains("would be left behind"), "{error}");
    assert_eq!(read(&ground.to, layout::CHECKPOINT).await, before);
}

#[tokio::test]
async fn of_two_checkpoints_of_one_tree_a_copy_keeps_the_later_one() {
    let ground = Ground::new().await;
    let old = read(&ground.from, "tree/log/checkpoint").await;
    let writer = ground.registry.write().await;
    let settled = writer.settle().await.expect("it fits together");
    let (there, signer) = (&settled.checkpoint, ground.registry.signer());
    let later = Checkpoint::sign(there.size(), there.head().root, there.keys(), signer);
    let later = later.stated_at(now().expect("a clock") + 100, signer).expect("it fits");
    ground.put(layout::CHECKPOINT, later.note().to_owned()).await;
    ground.copy(&[]).await.expect("it is copied");
    ground.put(layout::CHECKPOINT, old).await;
    ground.copy(&[]).await.expect("an old answer of a cache is no harm");
    assert_eq!(read(&ground.to, layout::CHECKPOINT).await, later.note());
}

#[tokio::test]
async fn a_log_with_two_histories_of_one_plugin_is_not_copied() {
    let ground = Ground::new().await;
    let one = ground.leaf("greeting", 0).await;
    let two = Leaf { line: Digest::of(b"another history"), ..one.clone() };
    ground.sign(&[two.clone(), one.clone()]).await;
    let error = ground.copy(&["greeting"]).await.expect_err("the log says two things");
    assert!(error.contains("it has two lines 1 of `greeting`"), "{error}");
    assert!(error.contains(&one.line.to_string()) && error.contains(&two.line.to_string()), "{error}");
}

#[tokio::test]
async fn a_line_stands_in_the_log_where_it_says() {
    let ground = Ground::new().await;
    ground.sign(&[ground.leaf("other", 0).await, ground.leaf("greeting", 0).await]).await;
    let error = ground.copy(&["greeting"]).await.expect_err("the lines say otherwise");
    assert!(error.contains("line 1 says that it is leaf 0, the log has it as 1"), "{error}");
}

#[tokio::test]
async fn a_begun_bundle_that_was_cleared_away_is_read_from_the_full_one() {
    let ground = Ground::new().await;
    let path = "log/tile/entries/000.p/2";
    let begun = read(&ground.from, &in_tree(path)).await;
    let later = Leaf { name: "later".parse().expect("a name"), seq: 0, line: Digest::of(b"") };
    let full = [begun.to_vec(), (0..254).flat_map(|seq| encode_entry(&Leaf { seq, ..later.clone() })).collect()];
    ground.from.remove(&in_tree(path)).await.expect("it is removed");
    let error = ground.copy(&[]).await.expect_err("neither is there");
    assert!(error.contains("it is missing, and so is `log/tile/entries/000`"), "{error}");
    ground.put("log/tile/entries/000", full.concat()).await;
    assert_eq!(ground.copy(&[]).await.expect("it is copied").plugins, 2);
    assert_eq!(read(&ground.to, path).await, begun);
}

#[tokio::test]
async fn a_plugin_that_does_not_fit_together_is_left_out_and_the_others_are_copied() {
    let ground = Ground::new().await;
    let archive = ground.from.list("tree/a/").await.expect("it is listed").remove(0);
    let (path, whole) = (archive.path.trim_start_matches("tree/"), read(&ground.from, &archive.path).await);
    ground.put(path, "other bytes").await;
    let (copied, left_out) = ground.mirror().await;
    assert_eq!((copied.events, copied.plugins, copied.of, left_out.len()), (2, 1, 2, 1));
    let (name, before, reason) = &left_out[0];
    assert!(*before == Before::Absent && reason.contains(path) && reason.contains("the index says"), "{reason}");
    let (files, list) = ground.found().await;
    assert!(files.len() == 1 && !files[0].ends_with(name) && !list.contains(name), "{files:?} {list}");
    assert!(ground.to.entry(path).await.expect("it is looked at").is_none());
    let checkpoint = read(&ground.from, "tree/log/checkpoint").await;
    assert_eq!(read(&ground.to, layout::CHECKPOINT).await, checkpoint);
    ground.from.remove(&archive.path).await.expect("it is removed");
    assert!(ground.mirror().await.1[0].2.contains("it is missing"));
    ground.put(path, whole).await;
    assert_eq!(ground.mirror().await.0.plugins, 2, "it comes once it fits together");
}

#[tokio::test]
async fn what_an_earlier_copy_has_stays_if_it_is_whole_and_goes_if_it_would_hide_events() {
    let ground = Ground::new().await;
    ground.mirror().await;
    let path = "index/ot/he/other";
    let earlier = read(&ground.to, path).await;
    let good = read(&ground.from, &in_tree(path)).await;
    ground.put(path, "no line\n").await;
    let (copied, left_out) = ground.mirror().await;
    assert_eq!((copied.plugins, left_out[0].1), (1, Before::Whole));
    assert_eq!(read(&ground.to, path).await, earlier);
    assert!(ground.found().await.1.contains("\"other\""), "it is still found");

    ground.put(path, good).await;
    ground.publish(yank("other", "1.0.0", "it leaks", &author(2))).await;
    let grown = read(&ground.from, &in_tree(path)).await;
    // A registry that hides the yank from its readers.
    ground.put(path, earlier).await;
    let (copied, left_out) = ground.mirror().await;
    assert_eq!((copied.events, copied.plugins, left_out[0].1), (3, 1, Before::Partial));
    assert!(left_out[0].2.contains("it has 1 lines, the log 2 of them"), "{left_out:?}");
    let (files, list) = ground.found().await;
    assert!(files == ["index/gr/ee/greeting"] && !list.contains("\"other\""), "{files:?} {list}");
    assert_eq!(read(&ground.to, layout::CHECKPOINT).await, read(&ground.from, "tree/log/checkpoint").await);

    ground.put(path, grown).await;
    assert_eq!(ground.mirror().await.0.plugins, 2, "it comes back");
    assert!(String::from_utf8_lossy(&read(&ground.to, path).await).contains("it leaks"));
}

#[tokio::test]
async fn wherever_a_copy_is_cut_off_no_file_that_hides_events_stands_beside_a_newer_checkpoint() {
    let ground = Ground::new().await;
    ground.mirror().await;
    ground.publish(yank("other", "1.0.0", "it leaks", &author(2))).await;
    ground.put("index/ot/he/other", "no line\n").await;
    let (path, old) = ("index/ot/he/other", read(&ground.to, layout::CHECKPOINT).await);
    let mut cut = 0;
    loop {
        let to = Faulty::new(Arc::new(ground.to.clone()), cut, When::After);
        let copy = Copy { from: &ground.from, to: &to, below: "", unsound: Unsound::IsLeftOut(Duration::ZERO) };
        let is_done = copy.run(&Wanted::All, None).await.is_ok();
        let is_new = read(&ground.to, layout::CHECKPOINT).await != old;
        let is_there = ground.to.entry(path).await.expect("it is looked at").is_some();
        assert!(!(is_new && is_there), "after write {cut}");
        if is_done {
            break;
        }
        cut += 1;
    }
    assert!(cut > 3, "only {cut} writes were cut off");
}
