use super::*;
use crate::signature::SecretKey;
use crate::testing::{TestIndex, deprecation, key, name, owner_keys, release, version, withdrawal};

/// The plugin's file after these events, each signed by its keys.
fn file(events: &[(Event, &[&SecretKey])]) -> String {
    let index = TestIndex::new();
    for (event, keys) in events {
        index.append(event.clone(), keys);
    }
    index.text("redis")
}

fn policy() -> Policy {
    Policy::new([key(101).public()])
}

fn replay(text: &str) -> Result<History, HistoryError> {
    History::replay(&name("redis"), text, &policy())
}

/// What an index says to an event after a first release by `key(1)`.
fn refused(event: Event, keys: &[&SecretKey]) -> Problem {
    let index = TestIndex::new();
    index.append(Event::from(release("redis", "1.0.0")), &[&key(1)]);
    match index.try_append(&event, keys).expect_err("the event does not hold") {
        crate::append::AppendError::History(error) => {
            assert_eq!((error.line, error.name.as_str()), (2, "redis"));
            *error.problem
        }
        other => panic!("refused for another reason: {other}"),
    }
}

fn status(history: &History, version_text: &str) -> Status {
    history.release(&version(version_text)).expect("the version is there").status().clone()
}

#[test]
fn lists_are_not_taken_for_the_objects_of_an_event() {
    let release = Event::from(release("redis", "1.0.0")).to_text();
    let archive = release.split_once("\"archives\":[").expect("it lists archives").1.trim_end_matches("]}");
    let values: Vec<String> = match serde_json::from_str(archive).expect("it lists one archive") {
        serde_json::Value::Object(fields) => fields.values().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    };
    let as_list = release.replace(archive, &format!("[{}]", values.join(",")));
    let dependency = release.replace("\"dependencies\":{}", "\"dependencies\":{\"geo\":[\"^1\",null,false]}");
    let permissions = release.replace("\"permissions\":{}", "\"permissions\":[[],[],[],[],null,null]");
    for event in [as_list, dependency, permissions] {
        assert_ne!(event, release);
        assert!(matches!(parse_event(&event), Err(LineError::EventFields { .. })), "{event}");
    }
    let whole = "[\"yank\",{\"name\":\"redis\",\"version\":\"1.0.0\"}]";
    assert!(matches!(parse_event(whole), Err(LineError::EventJson(_))));
}

#[test]
fn a_history_adds_up_what_the_lines_say() {
    let (owner, second) = (key(1), key(2));
    let text = file(&[
        (Event::from(release("redis", "1.0.0")), &[&owner]),
        (Event::from(release("redis", "1.1.0")), &[&owner]),
        (Event::from(release("redis", "2.0.0-rc.1")), &[&owner, &second]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&owner]),
        (Event::Revoke(withdrawal("redis", "1.1.0")), &[&owner]),
        (Event::Deprecate(deprecation("redis", None)), &[&owner]),
        (Event::OwnerKeys(owner_keys("redis", &[&second], 1)), &[&owner]),
    ]);
    let history = replay(&text).expect("every line holds");

    let reason = "it breaks".to_owned();
    assert_eq!(status(&history, "1.0.0"), Status::Yanked { reason: reason.clone() });
    assert_eq!(status(&history, "1.1.0"), Status::Revoked { reason });
    assert_eq!(status(&history, "2.0.0-rc.1"), Status::Available);
    assert_eq!(history.deprecations().len(), 1);
    assert_eq!(history.owners_at(0).expect("owned").keys().collect::<Vec<_>>(), [&second.public()]);

    let candidate = history.release(&version("2.0.0-rc.1")).expect("it is there");
    assert_eq!((candidate.seq(), candidate.log(), candidate.at()), (2, 2, 1_790_000_000));
    // The second key's signature holds, but it was no owner yet.
    assert_eq!(candidate.signers(), [owner.public()]);
    let line = text.lines().nth(2).expect("seven lines");
    assert_eq!(Some(candidate.line()), history.line(2));
    assert_eq!(candidate.line(), Digest::of(line.as_bytes()));
}

#[test]
fn a_yank_can_be_taken_back_but_a_revocation_cannot() {
    let owner = key(1);
    let yanked = file(&[
        (Event::from(release("redis", "1.0.0")), &[&owner]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&owner]),
        (Event::Unyank(withdrawal("redis", "1.0.0")), &[&owner]),
    ]);
    assert_eq!(status(&replay(&yanked).expect("holds"), "1.0.0"), Status::Available);

    let revoked = file(&[
        (Event::from(release("redis", "1.0.0")), &[&owner]),
        (Event::Revoke(withdrawal("redis", "1.0.0")), &[&owner]),
        (Event::Unyank(withdrawal("redis", "1.0.0")), &[&owner]),
    ]);
    assert!(matches!(status(&replay(&revoked).expect("holds"), "1.0.0"), Status::Revoked { .. }));
}

#[test]
fn a_stranger_signs_nothing() {
    let stranger = key(9);
    for event in [
        Event::from(release("redis", "1.1.0")),
        Event::Yank(withdrawal("redis", "1.0.0")),
        Event::Unyank(withdrawal("redis", "1.0.0")),
        Event::Revoke(withdrawal("redis", "1.0.0")),
        Event::Deprecate(deprecation("redis", Some("1.0.0"))),
        Event::OwnerKeys(owner_keys("redis", &[&stranger], 1)),
    ] {
        let problem = refused(event, &[&stranger]);
        let Problem::Ownership(OwnershipError::NotEnoughOwners { found: 0, needed: 1, owners, signers, .. }) = problem
        else {
            panic!("another problem: {problem}");
        };
        assert_eq!((owners, signers), (vec![key(1).public()], vec![stranger.public()]));
    }
}

#[test]
fn the_registry_withdraws_but_neither_publishes_nor_hands_over() {
    let registry = key(101);
    let text = file(&[
        (Event::from(release("redis", "1.0.0")), &[&key(1)]),
        (Event::Deprecate(deprecation("redis", None)), &[&registry]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&registry]),
        (Event::Unyank(withdrawal("redis", "1.0.0")), &[&registry]),
        (Event::Revoke(withdrawal("redis", "1.0.0")), &[&registry]),
    ]);
    assert!(matches!(status(&replay(&text).expect("holds"), "1.0.0"), Status::Revoked { .. }));

    for event in [Event::from(release("redis", "1.1.0")), Event::OwnerKeys(owner_keys("redis", &[&registry], 1))] {
        let problem = refused(event, &[&registry]);
        assert!(matches!(problem, Problem::Ownership(OwnershipError::NotEnoughOwners { .. })), "{problem}");
    }
}

#[test]
fn a_threshold_counts_distinct_owners() {
    let (a, b) = (key(1), key(2));
    let index = TestIndex::new();
    index.append(Event::from(release("redis", "1.0.0")), &[&a]);
    index.append(Event::OwnerKeys(owner_keys("redis", &[&a, &b], 2)), &[&a]);

    let next = Event::from(release("redis", "1.1.0"));
    for too_few in [&[&a][..], &[&a, &a], &[&a, &key(3)]] {
        let error = index.try_append(&next, too_few).expect_err("one owner signed, two are needed");
        let crate::append::AppendError::History(error) = error else { panic!("{error}") };
        let Problem::Ownership(OwnershipError::NotEnoughOwners { found, needed, .. }) = *error.problem else {
            panic!("{error}")
        };
        assert_eq!((found, needed), (1, 2));
    }
    assert!(index.try_append(&next, &[&b, &a]).is_ok());
}

#[test]
fn keys_that_were_replaced_do_not_sign_any_more() {
    let index = TestIndex::new();
    index.append(Event::from(release("redis", "1.0.0")), &[&key(1)]);
    index.append(Event::OwnerKeys(owner_keys("redis", &[&key(2)], 1)), &[&key(1)]);
    assert!(index.try_append(&Event::from(release("redis", "1.1.0")), &[&key(1)]).is_err());
    assert!(index.try_append(&Event::from(release("redis", "1.1.0")), &[&key(2)]).is_ok());
}

#[test]
fn a_version_comes_out_once() {
    let problem = refused(Event::from(release("redis", "1.0.0")), &[&key(1)]);
    assert!(matches!(problem, Problem::DuplicateVersion { first: 1, .. }), "{problem}");
}

#[test]
fn an_event_about_a_version_that_never_came_out_is_refused() {
    let problem = refused(Event::Yank(withdrawal("redis", "9.9.9")), &[&key(1)]);
    assert_eq!(problem.to_string(), "the `yank` event is about version 9.9.9, which was not released before");
}

#[test]
fn nothing_comes_before_the_first_release() {
    let index = TestIndex::new();
    let event = Event::OwnerKeys(owner_keys("redis", &[&key(1)], 1));
    let error = index.try_append(&event, &[&key(1)]).expect_err("nobody owns the plugin");
    let crate::append::AppendError::History(HistoryError { problem, .. }) = error else { panic!("{error}") };
    assert!(matches!(*problem, Problem::Ownership(OwnershipError::NoOwners { .. })), "{problem}");
}

#[test]
fn a_line_of_another_plugins_file_is_refused() {
    let text = file(&[(Event::from(release("redis", "1.0.0")), &[&key(1)])]);
    let error = History::replay(&name("other"), &text, &policy()).expect_err("the line is about `redis`");
    assert!(matches!(*error.problem, Problem::Name { .. }), "{error}");
}

#[test]
fn a_line_with_a_development_key_counts_only_if_it_is_compiled_in() {
    let text = file(&[(Event::from(release("redis", "1.0.0")), &[&key(1)])]);
    let everybody_has = policy().with_development_keys([key(1).public()]);
    let error = History::replay(&name("redis"), &text, &everybody_has).expect_err("not compiled in");
    assert!(matches!(*error.problem, Problem::Ownership(OwnershipError::DevelopmentKey { .. })), "{error}");

    let line = Digest::of(text.trim_end().as_bytes());
    assert!(History::replay(&name("redis"), &text, &everybody_has.with_development_lines([line])).is_ok());
}

#[test]
fn lines_that_the_checkpoint_does_not_cover_are_not_there_yet() {
    let text = file(&[
        (Event::from(release("redis", "1.0.0")), &[&key(1)]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&key(1)]),
    ]);
    let history = History::replay(&name("redis"), &text, &policy().published_up_to(1)).expect("line 1 holds");
    assert_eq!((history.len(), history.unpublished()), (1, 1));
    assert_eq!(status(&history, "1.0.0"), Status::Available);
}

#[test]
fn an_unknown_kind_stays_in_the_chain_and_changes_nothing() {
    let index = TestIndex::new();
    let first = index.append(Event::from(release("redis", "1.0.0")), &[&key(1)]).line;
    let event = r#"{"kind":"party","name":"redis","guests":[1, 2]}"#;
    let place = Place { seq: 1, prev: Some(first.digest), log: 1, at: 1_790_000_000 };
    let line = Line::frame(place, event, vec![key(5).sign_event("party", event)]).expect("well-formed");
    let history = replay(&format!("{}{}\n", index.text("redis"), line.to_text())).expect("the chain holds");
    assert_eq!((history.len(), history.head()), (2, Some(line.digest)));

    let unsigned = line.to_text().replace(r#""guests":[1"#, r#""guests":[7"#);
    assert!(replay(&format!("{}{unsigned}\n", index.text("redis"))).is_err());
}

#[test]
fn absence_of_signatures_is_an_error() {
    let event = Event::from(release("redis", "1.0.0")).to_text();
    let place = Place { seq: 0, prev: None, log: 0, at: 0 };
    assert!(matches!(Line::frame(place, &event, Vec::new()), Err(LineError::NoSignatures)));
}

#[test]
fn an_event_keeps_the_bytes_that_were_signed() {
    let event = r#"{ "name":"redis","kind":"deprecate",  "reason":"\u00e9", "later":{"b":1,"a":2.50} }"#;
    let place = Place { seq: 0, prev: None, log: 0, at: 0 };
    let line = Line::frame(place, event, vec![key(1).sign_event("deprecate", event)]).expect("well-formed");
    assert_eq!(line.event_bytes, event);
    assert_eq!(Line::parse(&line.to_text()).expect("just written"), line);
}

#[test]
fn a_line_has_one_spelling() {
    let text = file(&[(Event::from(release("redis", "1.0.0")), &[&key(1)])]);
    let text = text.trim_end();
    for other in [
        text.replacen("{\"seq\":0,\"prev\":null", "{\"prev\":null,\"seq\":0", 1),
        text.replacen("\"seq\":0", "\"seq\": 0", 1),
        text.replacen("\"log\":0", "\"log\":0,\"more\":1", 1),
        text.replacen("\"prev\":null,", "", 1),
        format!("{text} "),
    ] {
        assert!(matches!(Line::parse(&other), Err(LineError::Spelling { .. } | LineError::Frame(_))), "{other}");
    }
}

#[test]
fn an_event_that_two_readers_could_read_differently_is_refused() {
    for event in [
        r#"{"kind":"yank","kind":"revoke","name":"redis","version":"1.0.0"}"#,
        r#"{"kind":"yank","name":"redis","version":"1.0.0","x":{"a":1,"a":2}}"#,
        r#"{"kind":"yank/v1\nx","name":"redis","version":"1.0.0"}"#,
        r#"{"kind":"yank","name":"redis","version":"1.0"}"#,
        r#"{"name":"redis","version":"1.0.0"}"#,
        r#"{"kind":"yank","name":"redis","version":"1.0.0","reason":"\u001b[31m"}"#,
        r#"{"kind":"owner-keys","name":"redis","keys":[],"threshold":1}"#,
        "[]",
    ] {
        assert!(line::parse_event(event).is_err(), "{event}");
    }
}

#[test]
fn a_release_must_name_its_archives_rightly() {
    let check = |change: fn(&mut Release)| {
        let mut release = release("redis", "1.0.0");
        change(&mut release);
        check::check_event(&Event::from(release)).expect_err("the change is an error")
    };
    assert!(matches!(check(|r| r.archives.clear()), EventError::NoArchives { .. }));
    assert!(matches!(check(|r| r.archives.push(r.archives[0].clone())), EventError::TargetTwice { .. }));
    assert!(matches!(check(|r| r.archives[0].file = "../x".to_owned()), EventError::FileName { .. }));
    assert!(matches!(check(|r| r.archives[0].size = 1 << 53), EventError::Integer { field: "size", .. }));
    assert!(matches!(check(|r| r.version = version("1.0.0+build")), EventError::BuildMetadata { .. }));
}

#[test]
fn lines_that_are_missing_moved_or_changed_are_refused() {
    let text = file(&[
        (Event::from(release("redis", "1.0.0")), &[&key(1)]),
        (Event::from(release("redis", "1.1.0")), &[&key(1)]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&key(1)]),
    ]);
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    for order in [vec![1, 2], vec![0, 2], vec![1, 0, 2], vec![0, 1, 1, 2], vec![0, 2, 1]] {
        let other: String = order.iter().map(|line| lines[*line]).collect();
        assert!(replay(&other).is_err(), "{order:?}");
    }
    // Another line 1 that would hold in its own right: line 2 was written after another one.
    let changed = text.replacen("1790000000", "1790000001", 1);
    let error = replay(&changed).expect_err("line 1 has another digest");
    assert_eq!(error.line, 2);
    assert!(matches!(*error.problem, Problem::Chain { .. }), "{error}");
}

#[test]
fn every_changed_byte_of_a_file_is_refused_or_leaves_another_digest() {
    let text = file(&[
        (Event::from(release("redis", "1.0.0")), &[&key(1)]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&key(1)]),
    ]);
    let head = replay(&text).expect("untouched").head();
    for at in 0..text.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // Only place and time of the last line are outside signatures and chain. The log holds its digest.
            if let Ok(history) = replay(&changed) {
                assert_ne!(history.head(), head, "byte {at}, bit {bit:#x}");
            }
        }
    }
}

#[test]
fn every_cut_of_a_file_is_refused_unless_it_falls_between_lines() {
    let text = file(&[
        (Event::from(release("redis", "1.0.0")), &[&key(1)]),
        (Event::Yank(withdrawal("redis", "1.0.0")), &[&key(1)]),
    ]);
    for end in 0..text.len() {
        if text[..end].ends_with('\n') {
            assert_eq!(replay(&text[..end]).expect("a shorter file").len(), 1);
        } else {
            assert!(replay(&text[..end]).is_err(), "cut at {end}");
        }
    }
}
