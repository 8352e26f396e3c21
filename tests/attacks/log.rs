//! The log: older, smaller, forked, rewritten, or without a proof.

use insta::assert_snapshot;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::package::release_of;
use pocket_index::record::Event;

use crate::index::{ALICE, AT, Index, MALLORY, ORIGIN, lua, path, sign};
use crate::scene::{Fault, Scene};

const INSTALL: &[&str] = &["plugin", "install", "geo"];
const UPDATE: &[&str] = &["plugin", "update"];

/// A user who saw `geo` 1.2.0, which came last.
fn up_to_date() -> (Index, Scene) {
    let older = Index::honest();
    let mut newer = older.clone();
    newer.publish(&[lua("geo", "1.2.0", "")], &[ALICE]);
    (older, Scene::installed(newer, &["geo@=1.0.0"]))
}

#[test]
fn an_older_file_under_the_new_checkpoint() {
    let (older, scene) = up_to_date();
    let attack = |index: &mut Index| index.put(&path("geo"), older.files[&path("geo")].clone());
    assert_snapshot!(scene.refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: event 3 of `geo` was sha256:3020cb… when it was seen before, now it is gone: the file ends after 2
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn the_whole_older_tree() {
    let (older, scene) = up_to_date();
    assert_snapshot!(scene.refused_from_a_mirror(|index| *index = older, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log shrank: 9 leaves, but 10 were seen before
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn the_whole_older_tree_for_somebody_who_only_has_the_lock() {
    let (older, scene) = up_to_date();
    std::fs::remove_dir_all(scene.user.home()).unwrap();
    assert_snapshot!(scene.refused_from_a_mirror(|index| *index = older, &["plugin", "install"]), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log shrank: 9 leaves, but 10 were seen before
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn a_tree_that_got_smaller() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    assert_snapshot!(scene.refused_from_the_registry(|index| index.forget(3), UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log shrank: 6 leaves, but 9 were seen before
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn another_root_of_the_same_size() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let attack = |index: &mut Index| {
        let mut lines = index.lines("pair");
        lines[2] = lines[2].replace(r#""at":1790000000"#, r#""at":1790000001"#);
        index.rewrite("pair", &lines);
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log has two roots for 9 leaves: TsF1X4…= was seen before, now it is S/KZsu…=
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
    let evidence: Vec<_> = std::fs::read_dir(scene.user.home().join("evidence")).unwrap().collect();
    assert_eq!(evidence.len(), 1, "both checkpoints are kept");
}

#[test]
fn a_larger_tree_that_did_not_grow_from_the_one_before() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let attack = |index: &mut Index| {
        let mut lines = index.lines("pair");
        lines[2] = lines[2].replace(r#""at":1790000000"#, r#""at":1790000001"#);
        index.rewrite("pair", &lines);
        index.publish(&[lua("geo", "1.2.0", "")], &[ALICE]);
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log of 10 leaves did not grow out of the one of 9 leaves seen before: the roots are TsF1X4…= and 33P8ue…=, the proof leads to S/KZsu…= and 33P8ue…=
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn a_larger_tree_whose_tiles_are_the_old_ones() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let attack = |index: &mut Index| {
        let (old, tile) = (index.files["log/tile/0/000.p/9"].clone(), "log/tile/0/000.p/10");
        index.publish(&[lua("geo", "1.2.0", "")], &[ALICE]);
        let mut mixed = old;
        mixed.extend([7; 32]);
        index.put(tile, mixed);
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log of 10 leaves did not grow out of the one of 9 leaves seen before: the roots are TsF1X4…= and btJuqv…=, the proof leads to TsF1X4…= and w77wio…=
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn a_line_that_is_not_in_the_log() {
    // The registry shows one user a release that the log does not have.
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let logged = index.clone();
        let event = Event::from(release_of(&[lua("gem", "1.0.0", "")]).unwrap());
        index.log_event("gem", &event.to_text(), &sign(&event, &[ALICE]));
        let file = index.files[&path("gem")].clone();
        *index = logged;
        index.put(&path("gem"), String::from_utf8(file).unwrap().replace(r#""log":9"#, r#""log":4"#));
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "install", "gem"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `gem` in the registry `REGISTRY/` are refused
      cause: the log does not hold `pocket/leaf/v1 gem 0 sha256:3738b0…` as leaf 4 of 9: its root is TsF1X4…=, the proof leads to ERaC7p…=
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_leaf_that_speaks_of_another_line() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let event = Event::from(release_of(&[lua("gem", "1.0.0", "")]).unwrap());
        let line = format!(
            r#"{{"seq":0,"prev":null,"log":9,"at":1790000000,"event":{},"signatures":{}}}"#,
            event.to_text(),
            serde_json::to_string(&sign(&event, &[ALICE])).unwrap()
        );
        index.replace("gem", &[line]);
        index.log_leaf("gem", 0, Digest::of(b"another line"));
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "install", "gem"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `gem` in the registry `REGISTRY/` are refused
      cause: the log does not hold `pocket/leaf/v1 gem 0 sha256:66acde…` as leaf 9 of 10: its root is WBNoxg…=, the proof leads to gjTMd4…=
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn tiles_that_are_cut() {
    let attack = |index: &mut Index| {
        index.files.values_mut().filter(|bytes| bytes.len() == 9 * 32).for_each(|bytes| bytes.truncate(9 * 32 - 1));
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: the log's tile `log/tile/0/000.p/9` has 287 bytes, expected 288, 32 for each hash
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn tiles_of_garbage() {
    let attack = |index: &mut Index| {
        index.files.values_mut().filter(|bytes| bytes.len() == 9 * 32).for_each(|bytes| bytes.fill(0x41));
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: the log does not hold `pocket/leaf/v1 geo 1 sha256:694a86…` as leaf 8 of 9: its root is TsF1X4…=, the proof leads to YKNQC3…=
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn no_tile_where_a_proof_should_be() {
    let scene = Scene::new(Index::honest());
    scene.fail("log/tile/", Fault::Status(404));
    assert_snapshot!(scene.refused(INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the registry `REGISTRY/` does not show what would prove its entries
      cause: there is nothing at REGISTRY/log/tile/0/000 (404)
      hint: what nobody can check is not used; report it to whoever runs the registry
    exit code 6
    ");
}

#[test]
fn an_error_where_a_proof_should_be() {
    let scene = Scene::new(Index::honest());
    scene.fail("log/tile/", Fault::Status(500));
    assert_snapshot!(scene.refused(INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the registry `REGISTRY/` cannot be read
      cause: REGISTRY/log/tile/0/000.p/9 answered 500
      hint: the server has a trouble of its own; try again later
    exit code 1
    ");
}

#[test]
fn silence_where_a_proof_should_be() {
    let mut scene = Scene::new(Index::honest());
    scene.stall("log/tile/");
    assert_snapshot!(scene.refused(INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the registry `REGISTRY/` cannot be read
      cause: REGISTRY/log/tile/0/000.p/9 did not answer in time
      cause: error sending request
      cause: operation timed out
      hint: try again; nothing was changed
    exit code 1
    ");
}

#[test]
fn no_checkpoint() {
    let scene = Scene::new(Index::honest());
    scene.fail("log/checkpoint", Fault::Status(404));
    assert_snapshot!(scene.refused(INSTALL), @"
    error: the registry `REGISTRY/` does not show what would prove its entries
      cause: there is nothing at REGISTRY/log/checkpoint (404)
      hint: what nobody can check is not used; report it to whoever runs the registry
    exit code 6
    ");
}

#[test]
fn a_checkpoint_that_was_edited() {
    let attack = |index: &mut Index| index.edit_file(layout::CHECKPOINT, "\n9\n", "\n10\n");
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the signature of plugins.test+3… does not verify over the note's text
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_checkpoint_of_another_log() {
    let other = Index::with_log("elsewhere.test", 7);
    let attack = |index: &mut Index| index.put(layout::CHECKPOINT, other.files[layout::CHECKPOINT].clone());
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the note is not signed by plugins.test+3…; it is signed by [elsewhere.test+8c37f3ef, elsewhere.test+2bccf4dd]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_checkpoint_that_another_key_signed_under_the_same_name() {
    let mut other = Index::with_log(ORIGIN, 7);
    other.publish(&[lua("geo", "1.0.0", "")], &[MALLORY]);
    let attack = |index: &mut Index| index.put(layout::CHECKPOINT, other.files[layout::CHECKPOINT].clone());
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the note is not signed by plugins.test+3…; it is signed by [plugins.test+e665565f, plugins.test+933faeea]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_checkpoint_without_a_signature() {
    let attack = |index: &mut Index| {
        let text = String::from_utf8(index.files[layout::CHECKPOINT].clone()).unwrap();
        index.put(layout::CHECKPOINT, &text[..text.find('—').unwrap()]);
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the signed note is malformed: the last signature line has no newline
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_checkpoint_with_an_extension_that_nobody_signed() {
    // The signature of the honest text, in a note whose text is another one.
    let attack = |index: &mut Index| {
        let text = String::from_utf8(index.files[layout::CHECKPOINT].clone()).unwrap();
        let forged = text.replace("\n9\n", "\n10\n").replace("\n\n", "\n\nextension\n\n");
        index.put(layout::CHECKPOINT, forged);
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the signature of plugins.test+3… does not verify over the note's text
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_checkpoint_with_a_thousand_signatures() {
    let attack = |index: &mut Index| {
        let mut text = String::from_utf8(index.files[layout::CHECKPOINT].clone()).unwrap();
        text.push_str(&"— somebody AAAAAAAA\n".repeat(1_000));
        index.put(layout::CHECKPOINT, text);
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the signed note is malformed: it has more than 100 signatures
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_good_signature_beside_a_bad_one_of_the_same_key() {
    let attack = |index: &mut Index| {
        let text = String::from_utf8(index.files[layout::CHECKPOINT].clone()).unwrap();
        let other = String::from_utf8(Index::empty().files[layout::CHECKPOINT].clone()).unwrap();
        let signature = &other[other.find('—').unwrap()..];
        index.put(layout::CHECKPOINT, text + signature);
    };
    assert_snapshot!(Scene::new(Index::honest()).refused_from_a_mirror(attack, INSTALL), @"
    error: the registry `REGISTRY/` is refused
      cause: the checkpoint is not a note that the log signed
      cause: the signature of plugins.test+3… does not verify over the note's text
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn signatures_of_strangers_beside_the_logs_are_no_harm() {
    let mut index = Index::honest();
    let text = String::from_utf8(index.files[layout::CHECKPOINT].clone()).unwrap();
    index.put(layout::CHECKPOINT, text + &"— somebody AAAAAAAA\n".repeat(98));
    let scene = Scene::new(index);
    scene.user.pocket(INSTALL).success();
}

#[test]
fn a_larger_log_that_was_signed_earlier() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let attack = |index: &mut Index| {
        index.publish(&[lua("gem", "1.0.0", "")], &[ALICE]);
        index.sign_at(AT - 1);
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, UPDATE), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: the log had 9 leaves at 2026-09-21T14:13:20Z, and its checkpoint of 10 leaves was signed before, at 2026-09-21T14:13:19Z
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

/// A line of `gem` that says that it came at this time, in the log that a user saw without it.
fn gem_at(at: u64) -> impl FnOnce(&mut Index) {
    move |index| {
        let event: Event = release_of(&[lua("gem", "1.0.0", "")]).unwrap().into();
        let (text, signatures) = (event.to_text(), serde_json::to_string(&sign(&event, &[ALICE])).unwrap());
        let log = index.leaves().len();
        let line = format!(r#"{{"seq":0,"prev":null,"log":{log},"at":{at},"event":{text},"signatures":{signatures}}}"#);
        index.log_line("gem", 0, &line);
    }
}

#[test]
fn a_line_that_is_older_than_the_log_that_was_seen_without_it() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    assert_snapshot!(scene.refused_from_the_registry(gem_at(AT - 301), &["plugin", "install", "gem"]), @"
    error: the events of `gem` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `gem` is refused
      cause: `at` is 2026-09-21T14:08:19Z, but at 2026-09-21T14:13:20Z the log had 9 leaves, and this one is leaf 9: the line is backdated
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_line_that_is_younger_than_its_checkpoint() {
    let scene = Scene::new(Index::honest());
    assert_snapshot!(scene.refused_from_the_registry(gem_at(AT + 301), &["plugin", "install", "gem"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `gem` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `gem` is refused
      cause: `at` is 2026-09-21T14:18:21Z, but the checkpoint that publishes it was signed at 2026-09-21T14:13:20Z
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_checkpoint_without_a_time() {
    let attack = |index: &mut Index| {
        let text = String::from_utf8(index.files[layout::CHECKPOINT].clone()).unwrap();
        let (timeless, _) = text.trim_end().rsplit_once('\n').unwrap();
        index.put(layout::CHECKPOINT, format!("{timeless}\n"));
    };
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    assert_snapshot!(scene.refused_from_a_mirror(attack, UPDATE), @"
    error: the registry `REGISTRY/` is too old to choose versions from
      cause: its checkpoint does not say when it was signed; 36500d ago is allowed
      hint: somebody may keep newer releases and withdrawals from you: ask whoever runs it, who signs anew with `pocket registry refresh`; --locked takes what is locked, and `max_age` of the registry in pocket.yaml allows more
    exit code 6
    ");
}
