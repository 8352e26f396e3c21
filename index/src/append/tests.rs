use std::collections::BTreeSet;

use super::*;
use crate::log::{LogError, TreeHead, check_consistency, check_inclusion, leaf_hash};
use crate::manifest::Dependency;
use crate::record::{Event, Release};
use crate::testing::{AT, TestIndex, key, name, owner_keys, release, withdrawal};

const PLUGINS: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];

#[test]
fn six_hundred_events_are_all_in_the_log_which_only_grew() {
    let index = TestIndex::new();
    let (mut leaves, mut heads) = (Vec::new(), Vec::new());
    for number in 0..600 {
        let plugin = PLUGINS[number % PLUGINS.len()];
        let event = Event::from(release(plugin, &format!("1.{}.0", number / PLUGINS.len())));
        let appended = index.append(event, &[&key(1)]);
        leaves.push(leaf_of(&name(plugin), &appended.line));
        heads.push(appended.checkpoint);
    }

    let last = index.checkpoint();
    assert_eq!(last.size(), 600);
    for (number, leaf) in leaves.iter().enumerate() {
        check_inclusion(&last, leaf, number as u64, &index.files).expect("the leaf was appended there");
    }
    let sampled = [1, 2, 3, 127, 128, 255, 256, 257, 300, 511, 512, 513, 599, 600];
    for (place, old) in sampled.iter().enumerate() {
        for new in &sampled[place..] {
            let (old, new) = (heads[*old - 1].head(), &heads[*new - 1]);
            check_consistency(old, new, &index.files).expect("the log only grew");
            check_inclusion(new, &leaves[0], 0, &index.files).expect("the first leaf stays");
        }
    }
}

#[test]
fn the_files_of_an_append_come_in_an_order_that_survives_a_crash() {
    let index = TestIndex::new();
    let appended = index.append(Event::from(release("redis", "1.0.0")), &[&key(1)]);
    let paths: Vec<_> = appended.writes.iter().map(|write| write.path.as_str()).collect();
    assert_eq!(paths, ["log/tile/entries/000.p/1", "index/re/di/redis", "log/tile/0/000.p/1", "log/checkpoint"]);
}

#[test]
fn after_a_crash_at_any_write_the_index_recovers_and_takes_the_event_again_or_has_it() {
    for written in 0..4 {
        let index = TestIndex::new();
        index.append(Event::from(release("other", "1.0.0")), &[&key(2)]);
        let event = Event::from(release("redis", "1.0.0"));
        let cut_off = index.try_append(&event, &[&key(1)]).expect("the event holds");
        index.files.write(&cut_off.writes[..written]);

        let appender = Appender::new(&index.files, &index.signer, &index.policy);
        let recovered = appender.recover(AT).expect("a crash at a write is recoverable");
        // Once the line stands in its file, it is finished; before, it never was.
        assert_eq!(recovered.is_some(), written >= 2, "{written} files written");
        match recovered {
            Some(appended) => index.files.write(&appended.writes),
            None => drop(index.append(event, &[&key(1)])),
        }
        let leaf = leaf_of(&name("redis"), &cut_off.line);
        check_inclusion(&index.checkpoint(), &leaf, 1, &index.files).expect("the line is in the log once");
        index.append(Event::Yank(withdrawal("redis", "1.0.0")), &[&key(1)]);
    }
}

#[test]
fn nothing_is_appended_over_an_unfinished_line() {
    let index = TestIndex::new();
    let cut_off = index.try_append(&Event::from(release("redis", "1.0.0")), &[&key(1)]).expect("holds");
    index.files.write(&cut_off.writes[..2]);
    let error = index.try_append(&Event::from(release("other", "1.0.0")), &[&key(2)]).expect_err("recover first");
    assert!(matches!(error, AppendError::Unfinished { seq: 0, .. }), "{error}");
}

#[test]
fn a_lost_checkpoint_does_not_start_the_log_anew() {
    let index = TestIndex::new();
    index.append(Event::from(release("redis", "1.0.0")), &[&key(1)]);
    index.files.0.borrow_mut().remove(layout::CHECKPOINT);
    let error = index.try_append(&Event::from(release("redis", "1.1.0")), &[&key(1)]).expect_err("it is missing");
    assert!(matches!(error, AppendError::Missing { .. }), "{error}");
}

#[test]
fn a_registry_does_not_take_an_event_it_cannot_check() {
    let index = TestIndex::new();
    let event = r#"{"kind":"party","name":"redis"}"#;
    let submission =
        Submission { name: &name("redis"), event, signatures: vec![key(1).sign_event("party", event)], at: AT };
    let error = Appender::new(&index.files, &index.signer, &index.policy).append(submission).expect_err("unknown");
    assert!(matches!(error, AppendError::UnknownKind { .. }), "{error}");
}

#[test]
fn an_append_reads_only_the_files_it_announces() {
    struct Watched<'a>(&'a TestIndex, std::cell::RefCell<BTreeSet<String>>);
    impl Files for Watched<'_> {
        fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
            self.1.borrow_mut().insert(path.to_owned());
            self.0.files.read(path)
        }
    }
    let index = TestIndex::new();
    for number in 0..260 {
        let plugin = PLUGINS[number % PLUGINS.len()];
        let event = Event::from(release(plugin, &format!("1.{}.0", number / PLUGINS.len())));
        let watched = Watched(&index, Default::default());
        let text = event.to_text();
        let submission = Submission {
            name: event.name(),
            event: &text,
            signatures: vec![key(1).sign_event("release", &text)],
            at: AT,
        };
        let announced: BTreeSet<_> = files_to_append(event.name(), number as u64).into_iter().collect();
        let appended = Appender::new(&watched, &index.signer, &index.policy).append(submission).expect("holds");
        assert!(watched.1.borrow().is_subset(&announced), "event {number}");
        index.files.write(&appended.writes);
    }
}

#[test]
fn a_second_history_under_the_same_key_is_caught() {
    let (honest, forked) = (TestIndex::new(), TestIndex::new());
    for index in [&honest, &forked] {
        index.append(Event::from(release("redis", "1.0.0")), &[&key(1)]);
    }
    honest.append(Event::Revoke(withdrawal("redis", "1.0.0")), &[&key(1)]);
    let seen = honest.checkpoint();
    let older = forked.checkpoint();
    assert!(matches!(check_consistency(seen.head(), &older, &forked.files), Err(LogError::Smaller { old: 2, new: 1 })));

    forked.append(Event::Yank(withdrawal("redis", "1.0.0")), &[&key(1)]);
    let other = forked.checkpoint();
    assert!(matches!(check_consistency(seen.head(), &other, &forked.files), Err(LogError::Forked { size: 2, .. })));

    forked.append(Event::OwnerKeys(owner_keys("redis", &[&key(2)], 1)), &[&key(1)]);
    let longer = forked.checkpoint();
    assert!(matches!(check_consistency(seen.head(), &longer, &forked.files), Err(LogError::Inconsistent(_))));
    let renamed = TreeHead { origin: "example.com/log".to_owned(), ..seen.head().clone() };
    assert!(matches!(check_consistency(&renamed, &longer, &forked.files), Err(LogError::OtherLog { .. })));
    assert!(check_consistency(older.head(), &longer, &forked.files).is_ok(), "size 1 was the same for both");
}

#[test]
fn the_bundles_hold_the_leaves_that_the_tiles_hash() {
    let index = TestIndex::new();
    for number in 0..3 {
        index.append(Event::from(release("redis", &format!("1.{number}.0"))), &[&key(1)]);
    }
    let bundle = index.files.read("log/tile/entries/000.p/3").expect("memory").expect("written");
    let tile = index.files.read("log/tile/0/000.p/3").expect("memory").expect("written");
    let leaves = decode_entries(&bundle, 3).expect("well-formed");
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf_hash(leaf.to_string().as_bytes()).as_bytes()).collect();
    assert_eq!(tile, hashes);
    for end in 0..bundle.len() {
        assert!(decode_entries(&bundle[..end], 3).is_err(), "cut at {end}");
    }
}

#[test]
fn an_append_states_when_it_was_made_and_never_an_earlier_time_than_before() {
    let index = TestIndex::new();
    let append = |version: &str, at: u64| {
        let event = Event::from(release("redis", version));
        let text = event.to_text();
        let signatures = vec![key(1).sign_event("release", &text)];
        let submission = Submission { name: event.name(), event: &text, signatures, at };
        let appended = Appender::new(&index.files, &index.signer, &index.policy).append(submission)?;
        index.files.write(&appended.writes);
        let signed = index.checkpoint().signed_at(index.signer.key()).expect("its own line holds");
        Ok::<_, AppendError>((appended.line.at, signed.expect("it states a time")))
    };
    assert_eq!(append("1.0.0", AT + 100).expect("it holds"), (AT + 100, AT + 100));
    assert_eq!(append("1.1.0", AT + 40).expect("clocks differ a little"), (AT + 100, AT + 100));
    let error = append("1.2.0", AT - 900).expect_err("the clock is wrong");
    assert!(matches!(error, AppendError::Clock(behind) if behind.signed == AT + 100), "{error}");
    assert_eq!(index.checkpoint().keys(), index.policy.keys_digest());
}

/// A release whose line is almost as long as a line may be.
fn long_release(minor: usize) -> Event {
    let any = Dependency { version: ">=1.0.0".parse().expect("a range"), registry: None, optional: false };
    let names = (0..2_000).map(|number| name(&format!("{}-{number}", "x".repeat(50))));
    let dependencies = names.map(|name| (name, any.clone())).collect();
    Event::from(Release { dependencies, ..release("redis", &format!("1.{minor}.0")) })
}

#[test]
fn a_file_does_not_grow_beyond_what_readers_take_and_keeps_room_to_withdraw_a_version() {
    let index = TestIndex::new();
    let mut text = String::new();
    let mut prev = None;
    for minor in 0.. {
        // The log is as long as the numbers in the lines say.
        index.append(Event::from(release("other", &format!("1.{minor}.0"))), &[&key(2)]);
        let event = long_release(minor).to_text();
        let (seq, signatures) = (minor as u64, vec![key(1).sign_event("release", &event)]);
        let line = Line::frame(Place { seq, prev, log: seq, at: AT }, &event, signatures).expect("a line");
        let grown = text.len() + line.to_text().len() + 1;
        if grown > MAX_FILE_BYTES - KEPT_FREE {
            break;
        }
        prev = Some(line.digest);
        text.push_str(&line.to_text());
        text.push('\n');
    }
    let path = layout::index_file(&name("redis"));
    index.files.write(&[Write { path, bytes: text.into_bytes() }]);
    let before = index.checkpoint();
    let error = index.try_append(&long_release(999), &[&key(1)]).expect_err("it is too long");
    let AppendError::FileFull { kind, bytes, more, most, .. } = &error else { panic!("{error}") };
    assert_eq!((kind.as_str(), *bytes, *most), ("release", index.text("redis").len(), MAX_FILE_BYTES - KEPT_FREE));
    assert!(more > most, "{error}");
    assert_eq!(index.checkpoint(), before);
    index.append(Event::Revoke(withdrawal("redis", "1.0.0")), &[&key(1)]);
    History::replay(&name("redis"), &index.text("redis"), &index.policy).expect("readers take it");
}
