//! A registry in a bucket of a real S3-compatible server, with several servers on it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, RetryConfig};

use crate::http::{ask, get, publish};
use crate::plugin::{author, release};
use crate::program::{PROGRAM, Program, key_of};
use crate::seaweed::{self, Seaweed};
use crate::tree::{Files, Published, check};

/// A command about a registry in the bucket.
fn command(seaweed: &Seaweed, arguments: &[&str], prefix: &str, key: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .args(["--bucket", "pocket", "--prefix", prefix, "--endpoint", &seaweed.endpoint()])
        .arg("--key")
        .arg(key)
        .env("AWS_ACCESS_KEY_ID", "admin")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1");
    command
}

fn serving(seaweed: &Seaweed, prefix: &str, key: &Path) -> Command {
    command(seaweed, &["--addr", "127.0.0.1:0"], prefix, key)
}

fn serve(seaweed: &Seaweed, prefix: &str, key: &Path) -> Program {
    Program::start(&mut serving(seaweed, prefix, key)).expect("it serves")
}

/// What everybody can read in the bucket, checked.
fn published(seaweed: &Seaweed, prefix: &str, key: &Path) -> Published {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = seaweed.store(RetryConfig::default());
    let below = format!("{prefix}/tree");
    let files: Files = runtime.block_on(async {
        let listed: Vec<_> = store.list(Some(&below.as_str().into())).try_collect().await.unwrap();
        let mut files = Files::new();
        for meta in listed {
            let bytes = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
            let path = meta.location.as_ref()[below.len() + 1..].to_owned();
            files.insert(path, bytes.to_vec());
        }
        files
    });
    check(&files, &key_of(key))
}

#[test]
fn two_servers_on_one_bucket_keep_one_log() {
    let (seaweed, folder) = (seaweed::shared(), tempfile::tempdir().unwrap());
    let key = folder.path().join("registry.key");
    let servers = [serve(&seaweed, "shared", &key), serve(&seaweed, "shared", &key)];
    // The same version at once: exactly one wins.
    for round in 0..5 {
        let version = format!("1.{round}.0");
        let sent = [0, 1].map(|number| {
            let (address, body) =
                (servers[number].address, release("greeting", &version, &format!("return {number}"), &author(1)));
            std::thread::spawn(move || publish(address, &body))
        });
        let mut answers = sent.map(|sent| sent.join().unwrap());
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers.each_ref().map(|answer| answer.status), [201, 409], "{answers:?}");
        assert_eq!(answers[1].text().matches("sha256:").count(), 2, "{}", answers[1].text());
    }
    // Different plugins at once: all land.
    let sent: Vec<_> = (0..8)
        .map(|number| {
            let (address, body) =
                (servers[number % 2].address, release(&format!("plugin{number}"), "1.0.0", "return", &author(1)));
            std::thread::spawn(move || publish(address, &body))
        })
        .collect();
    for sent in sent {
        let answer = sent.join().unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    assert_eq!(published(&seaweed, "shared", &key).len(), 13);
    // Each serves what the other wrote, with the same tag.
    let [one, other] = servers.each_ref().map(|server| get(server.address, "/index/gr/ee/greeting"));
    assert_eq!((one.status, &one.body, one.header("etag")), (200, &other.body, other.header("etag")));
}

#[test]
fn a_bucket_that_is_down_is_said_and_nothing_is_lost() {
    let (mut seaweed, folder) = (Seaweed::start(), tempfile::tempdir().unwrap());
    let key = folder.path().join("registry.key");
    let server = serve(&seaweed, "down", &key);
    assert_eq!(publish(server.address, &release("greeting", "1.0.0", "return 1", &author(1))).status, 201);
    seaweed.stop();
    let body = release("greeting", "1.1.0", "return 2", &author(1));
    let refused = publish(server.address, &body);
    assert_eq!(
        (refused.status, refused.code().as_str(), refused.header("retry-after")),
        (503, "storage_unavailable", Some("5"))
    );
    assert_eq!(get(server.address, "/readyz").status, 503);
    assert_eq!(get(server.address, "/index/gr/ee/greeting").status, 503);
    assert_eq!(get(server.address, "/healthz").status, 200);
    seaweed.start_again();
    assert!(matches!(publish(server.address, &body).status, 200 | 201));
    assert_eq!(published(&seaweed, "down", &key).len(), 2);
    // A start without its bucket does not begin a new log.
    seaweed.stop();
    assert!(Program::start(&mut serving(&seaweed, "down", &key)).is_none());
}

#[test]
fn a_server_that_is_killed_at_any_moment_leaves_everything_or_nothing_in_the_bucket() {
    let (seaweed, folder) = (seaweed::shared(), tempfile::tempdir().unwrap());
    let key = folder.path().join("registry.key");
    let witness = serve(&seaweed, "killed", &key);
    let (mut promised, mut cut) = (0, 0);
    for moment in 0..40_u64 {
        let mut server = serve(&seaweed, "killed", &key);
        let address = server.address;
        let sent = std::thread::spawn(move || {
            let send = |number: u64| {
                let body = release(&format!("plugin{moment}x{number}"), "1.0.0", "return", &author(1));
                ask(address, "PUT", "/api/v1/publish", &[], &body).filter(|answer| answer.status == 201)
            };
            (0..3).map_while(send).count()
        });
        std::thread::sleep(Duration::from_millis(moment * 3));
        server.kill();
        let answered = sent.join().unwrap();
        (promised, cut) = (promised + answered, cut + usize::from(answered < 3));
        if moment % 8 == 7 {
            assert!(published(&seaweed, "killed", &key).len() >= promised, "{moment}");
        }
    }
    // Another server goes on where the killed ones stopped.
    assert_eq!(publish(witness.address, &release("last", "1.0.0", "return", &author(1))).status, 201);
    let all = published(&seaweed, "killed", &key);
    assert!(all.len() > promised && all.len() <= promised + cut + 1, "{} of {promised} and {cut}", all.len());
    assert!(cut >= 15, "{cut} runs were cut");
}

#[test]
fn clearing_up_a_bucket_that_is_served_takes_nothing_young() {
    let (seaweed, folder) = (seaweed::shared(), tempfile::tempdir().unwrap());
    let key = folder.path().join("registry.key");
    let server = serve(&seaweed, "cleared", &key);
    assert_eq!(publish(server.address, &release("greeting", "1.0.0", "return 1", &author(1))).status, 201);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = seaweed.store(RetryConfig::default());
    let orphan = "cleared/tree/a/00/00.tar.gz".into();
    runtime.block_on(store.put(&orphan, "x".into())).unwrap();
    for arguments in [&["gc", "--dry-run"][..], &["gc"]] {
        let output = command(&seaweed, arguments, "cleared", &key).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let removed = "0 archives, 0 begun tiles and bundles, 0 old search lists, 0 temporary files, 0 files of staged releases: 0 bytes";
        assert!(output.status.success() && told.contains(removed), "{told} {output:?}");
    }
    assert!(runtime.block_on(store.head(&orphan)).is_ok(), "a publish may be about to name it");
    assert_eq!(publish(server.address, &release("greeting", "1.1.0", "return 2", &author(1))).status, 201);
    assert_eq!(published(&seaweed, "cleared", &key).len(), 2);
}
