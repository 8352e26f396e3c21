//! The lines of a plugin's file in another order, number or spelling.

use insta::assert_snapshot;
use pocket_index::package::release_of;
use pocket_index::record::Event;

use crate::index::{ALICE, Index, lua, path, sign};
use crate::scene::{Refusal, Scene};

/// A mirror changes the lines of `moved`, of which there are three.
#[track_caller]
fn mirrored(change: impl FnOnce(&mut Vec<String>)) -> Refusal {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let mut lines = index.lines("moved");
        change(&mut lines);
        index.replace("moved", &lines);
    };
    scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"])
}

/// A mirror changes the text of a line.
#[track_caller]
fn spelled(from: &str, to: &str) -> Refusal {
    let scene = Scene::new(Index::honest());
    scene.refused_from_a_mirror(|index| index.edit("moved", from, to), &["plugin", "install", "moved"])
}

#[test]
fn lines_in_another_order() {
    assert_snapshot!(mirrored(|lines| lines.swap(1, 2)), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: `seq` is 2, expected 1
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_line_twice() {
    assert_snapshot!(mirrored(|lines| lines.push(lines[2].clone())), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 4 of the index file of `moved` is refused
      cause: `seq` is 2, expected 3
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_line_taken_out_of_the_middle() {
    assert_snapshot!(mirrored(|lines| drop(lines.remove(1))), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: `seq` is 2, expected 1
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_first_line_taken_away() {
    assert_snapshot!(mirrored(|lines| drop(lines.remove(0))), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `moved` is refused
      cause: `seq` is 1, expected 0
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_line_that_names_another_one_before_it() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let lines = index.lines("moved");
        let prev = |line: &str| line[line.find("sha256:").unwrap()..][..71].to_owned();
        let (one, other) = (prev(&lines[1]), prev(&lines[2]));
        index.edit("moved", &format!(r#""seq":2,"prev":"{other}""#), &format!(r#""seq":2,"prev":"{one}""#));
    };
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `moved` is refused
      cause: `prev` is sha256:bc1e55…, but the line before has sha256:98e248…
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_later_time_of_arrival() {
    // Nobody signed the time but the log.
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let mut lines = index.lines("moved");
        lines[2] = lines[2].replace(r#""at":1790000000"#, r#""at":1790000001"#);
        index.replace("moved", &lines);
    };
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: the log does not hold `pocket/leaf/v1 moved 2 sha256:83e7f5…` as leaf 6 of 9: its root is TsF1X4…=, the proof leads to QoeyDa…=
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn another_place_in_the_log() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| index.edit("geo", r#""log":8"#, r#""log":7"#);
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "geo"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: the log does not hold `pocket/leaf/v1 geo 1 sha256:050c6d…` as leaf 7 of 9: its root is TsF1X4…=, the proof leads to 0ogLBt…=
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_newest_line_declared_unpublished() {
    // A line beyond the checkpoint is passed over in silence, so this hides 1.1.0; the line before it still holds.
    let scene = Scene::installed(Index::honest(), &["geo"]);
    let attack = |index: &mut Index| index.edit("geo", r#""log":8"#, r#""log":9"#);
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "pair", "geo@=1.0.0"]), @"
    error: the registry `REGISTRY/` shows another history than before; both sides are kept in `SANDBO…-1.txt`
      cause: event 2 of `geo` was sha256:694a86… when it was seen before, now it is gone: the file ends after 1
      hint: ask others who use the registry what it shows them, and send them what is kept; nothing was changed
    exit code 6
    ");
}

#[test]
fn spaces_between_tokens() {
    assert_snapshot!(spelled(r#""seq":1"#, r#""seq": 1"#), @r#"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: the line is written another way from offset 7 on: expected `1,\"prev\":\"sha256:bc1e556`, found ` 1,\"prev\":\"sha256:bc1e55`
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    "#);
}

#[test]
fn an_escape_in_the_frame() {
    assert_snapshot!(spelled(r#""seq":1"#, r#""s\u0065q":1"#), @r#"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: the line is written another way from offset 3 on: expected `eq\":1,\"prev\":\"sha256:bc1`, found `\\u0065q\":1,\"prev\":\"sha25`
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    "#);
}

#[test]
fn a_number_with_a_leading_zero() {
    assert_snapshot!(spelled(r#""seq":1"#, r#""seq":01"#), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: the line is no index line
      cause: invalid number at line 1 column 9
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_number_with_an_exponent() {
    assert_snapshot!(spelled(r#""at":1790000000"#, r#""at":179e7"#), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `moved` is refused
      cause: the line is no index line
      cause: invalid type: floating point `1790000000.0`, expected u64 at line 1 column 39
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_field_that_stands_twice() {
    assert_snapshot!(spelled(r#""seq":1"#, r#""seq":1,"seq":1"#), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `moved` is refused
      cause: the line is no index line
      cause: duplicate field `seq` at line 1 column 14
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_kind_that_stands_twice() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let event = Event::from(release_of(&[lua("geo", "1.2.0", "")]).unwrap()).to_text();
    let event = event.replacen(r#"{"kind":"release""#, r#"{"kind":"yank","kind":"release""#, 1);
    let signatures = vec![crate::index::key(ALICE).sign_event("release", &event)];
    let attack = |index: &mut Index| index.log_event("geo", &event, &signatures);
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "update"]), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the event is not the JSON object it must be
      cause: the key `kind` stands twice at line 1 column 31
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn windows_line_ends() {
    assert_snapshot!(mirrored(|lines| lines.iter_mut().for_each(|line| line.push('\r'))), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `moved` is refused
      cause: byte 0x0d at offset 712 is a control character
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_file_that_is_cut_off() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let mut text = index.files[&path("moved")].clone();
        text.truncate(text.len() - 40);
        index.put(&path("moved"), text);
    };
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `moved` is refused
      cause: the line does not end with a newline, so the file was cut off
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn an_empty_file() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| index.put(&path("moved"), "");
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `moved` is refused
      cause: the file is empty
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn bytes_that_are_no_text() {
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| index.put(&path("moved"), [0xff, 0xfe, b'\n']);
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "moved"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `moved` in the registry `REGISTRY/` are refused
      cause: invalid utf-8 sequence of 1 bytes from index 0
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_version_that_comes_out_a_second_time() {
    let scene = Scene::installed(Index::honest(), &["geo@=1.0.0"]);
    let event = Event::from(release_of(&[lua("geo", "1.1.0", "keywords: [other]\n")]).unwrap());
    let attack = |index: &mut Index| index.log_event("geo", &event.to_text(), &sign(&event, &[ALICE]));
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "update"]), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: version 1.1.0 was released before, in line 2
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_name_in_another_case() {
    let scene = Scene::new(Index::honest());
    assert_snapshot!(scene.refused(&["plugin", "install", "Geo"]), @"
    error: `Geo` names no plugin: `Geo` is no plugin name: expected lower-case letters, digits and single hyphens, starting with a letter (`[a-z][a-z0-9]*(-[a-z0-9]+)*`); or give `github.com/owner/repo`, a URL, or the path of an archive, folder or file
    exit code 1
    ");
    let attack = |index: &mut Index| index.edit("geo", r#""name":"geo""#, r#""name":"Geo""#);
    assert_snapshot!(scene.refused_from_a_mirror(attack, &["plugin", "install", "geo"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `geo` is refused
      cause: the event is no `release` event
      cause: `Geo` is no plugin name: expected lower-case letters, digits and single hyphens, starting with a letter (`[a-z][a-z0-9]*(-[a-z0-9]+)*`)
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}
