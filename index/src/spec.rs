//! The specification's worked example is what this crate computes.

use data_encoding::HEXLOWER;

use crate::append::{Appender, Files as _, Submission, start};
use crate::digest::{Digest, TreeDigest};
use crate::log::{Leaf, NoteSigner, node_hash};
use crate::record::{Event, Policy, Release, Withdrawal};
use crate::testing::{MemoryFiles, key, name, release, version};

const SPECIFICATION: &str = include_str!("../README.md");

fn events() -> [Event; 2] {
    let mut hello = Release { description: "Says hello".to_owned(), ..release("hello", "1.0.0") };
    hello.nodes = vec!["hello".parse().expect("a node type")];
    hello.archives[0].size = 345;
    hello.archives[0].unpacked = 678;
    hello.archives[0].sha256 = Digest::of(b"made up");
    hello.archives[0].tree = TreeDigest::from_bytes(*Digest::of(b"made up too").as_bytes());
    let reason = "says goodbye instead".to_owned();
    let yank = Withdrawal { name: name("hello"), version: version("1.0.0"), reason };
    [Event::from(hello), Event::Yank(yank)]
}

/// The example's files.
fn index() -> (MemoryFiles, NoteSigner) {
    let (files, signer) = (MemoryFiles::default(), NoteSigner::new("example.org/log", key(2)).expect("a valid origin"));
    let policy = Policy::new([key(3).public()]);
    files.write(&start(&signer, &policy, 1_789_990_000));
    for (event, at) in events().into_iter().zip([1_790_000_000, 1_790_000_060]) {
        let text = event.to_text();
        let signatures = vec![key(1).sign_event(event.kind(), &text)];
        let submission = Submission { name: event.name(), event: &text, signatures, at };
        let appended = Appender::new(&files, &signer, &policy).append(submission).expect("the event holds");
        files.write(&appended.writes);
    }
    (files, signer)
}

/// What the specification's example must say, by the place it stands in.
fn facts() -> Vec<(&'static str, String)> {
    let (files, signer) = index();
    let text = |path: &str| String::from_utf8(files.read(path).expect("memory").expect(path)).expect("text");
    let file = text("index/he/ll/hello");
    let lines: Vec<&str> = file.lines().collect();
    let leaves = [0, 1].map(|seq| Leaf { name: name("hello"), seq, line: Digest::of(lines[seq as usize].as_bytes()) });
    let root = node_hash(&leaves[0].hash(), &leaves[1].hash());
    let signed = format!("pocket/yank/v1\n{}", events()[1].to_text());
    let leaf = |number: usize| leaves[number].to_string().trim_end().to_owned();
    let hash = |number: usize| HEXLOWER.encode(leaves[number].hash().as_bytes());
    vec![
        ("OWNER", key(1).public().to_string()),
        ("FINGERPRINT", key(1).public().fingerprint().to_string()),
        ("LOGKEY", signer.key().to_string()),
        ("EVENTKEY", key(3).public().to_string()),
        ("LINE0", lines[0].to_owned()),
        ("LINE1", lines[1].to_owned()),
        ("HEX0", leaves[0].line.hex()),
        ("HEX1", leaves[1].line.hex()),
        ("MESSAGE1", Digest::of(signed.as_bytes()).hex()),
        ("SIGNED1", signed),
        ("LEAF0", leaf(0)),
        ("LEAF1", leaf(1)),
        ("LEAFHASH0", hash(0)),
        ("LEAFHASH1", hash(1)),
        ("LENGTH", format!("0x{:02x}", leaves[0].to_string().len())),
        ("ROOT", HEXLOWER.encode(root.as_bytes())),
        ("CHECKPOINT", text("log/checkpoint").trim_end().to_owned()),
    ]
}

#[test]
fn the_worked_example_of_the_specification_is_what_this_crate_computes() {
    for (place, fact) in facts() {
        assert!(SPECIFICATION.contains(&fact), "{place} should be\n{fact}");
    }
}

#[test]
fn the_limits_that_the_specification_states_are_those_of_this_crate() {
    use crate::record::{
        MAX_ARCHIVES, MAX_FILE_BYTES, MAX_INTEGER, MAX_LINE_BYTES, MAX_OWNER_KEYS, MAX_REASON_BYTES, MAX_SIGNATURES,
    };
    assert_eq!((MAX_FILE_BYTES, MAX_LINE_BYTES, MAX_SIGNATURES), (16 << 20, 256 << 10, 16));
    assert_eq!((MAX_ARCHIVES, MAX_OWNER_KEYS, MAX_REASON_BYTES), (64, 16, 1024));
    assert_eq!(MAX_INTEGER, (1 << 53) - 1);
    assert_eq!((crate::config::MAX_CONFIG_BYTES, crate::publish::MAX_HEADER_BYTES), (64 << 10, 1 << 20));
}
