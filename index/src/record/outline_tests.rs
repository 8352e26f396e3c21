//! What an outline finds out at once, what it finds out when it is asked, and what the log has to tell.

use super::*;
use crate::signature::SecretKey;
use crate::testing::{TestIndex, key, name, owner_keys, release, version, withdrawal};

/// An index of one plugin with these events.
fn index(events: &[(Event, &[&SecretKey])]) -> TestIndex {
    let index = TestIndex::new();
    for (event, keys) in events {
        index.append(event.clone(), keys);
    }
    index
}

fn three_releases_and_a_yank() -> TestIndex {
    let owner: &[&SecretKey] = &[&key(1)];
    index(&[
        (Event::from(release("redis", "1.0.0")), owner),
        (Event::from(release("redis", "1.1.0")), owner),
        (Event::Yank(withdrawal("redis", "1.0.0")), owner),
        (Event::from(release("redis", "1.2.0")), owner),
    ])
}

fn outline(text: &str) -> Result<Outline, HistoryError> {
    Outline::read(&name("redis"), text.to_owned(), std::sync::Arc::new(Policy::new([key(101).public()])))
}

/// The text with the first digit of line `number`'s signature changed, and every `prev` after it mended: what a host can do
/// without anybody's key.
fn with_bad_signature(text: &str, number: usize) -> String {
    rewritten(text, number, |line| {
        let at = line.find(r#""sig":""#).expect("a line is signed") + r#""sig":""#.len();
        let digit = if line[at..].starts_with('0') { "1" } else { "0" };
        format!("{}{digit}{}", &line[..at], &line[at + 1..])
    })
}

/// Changes line `number` and mends the chain behind it.
fn rewritten(text: &str, number: usize, change: impl Fn(&str) -> String) -> String {
    let mut written = String::new();
    let mut before: Option<(String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = if index == number { change(line) } else { line.to_owned() };
        let mended = match &before {
            Some((old, new)) => line.replacen(old.as_str(), new, 1),
            None => line,
        };
        let original = text.lines().nth(index).expect("the same lines");
        before = Some((Digest::of(original.as_bytes()).to_string(), Digest::of(mended.as_bytes()).to_string()));
        written.push_str(&mended);
        written.push('\n');
    }
    written
}

#[test]
fn an_outline_says_what_the_history_says() {
    let index = three_releases_and_a_yank();
    let text = index.text("redis");
    let history = History::replay(&name("redis"), &text, &index.policy).expect("every line holds");
    let outline = outline(&text).expect("every line holds");
    assert_eq!((outline.len(), outline.head()), (history.len(), history.head()));
    assert_eq!(outline.listed().count(), history.releases().count());
    for entry in history.releases() {
        let version = &entry.release().version;
        let listed = outline.find(version).expect("the history has it");
        let read = outline.release(version).expect("it holds").expect("it is listed");
        assert_eq!((listed.status(), listed.line(), listed.log()), (entry.status(), entry.line(), entry.log()));
        assert_eq!((read.release(), read.signers()), (entry.release(), entry.signers()));
        assert_eq!((read.status(), read.seq(), read.at()), (entry.status(), entry.seq(), entry.at()));
    }
    assert!(outline.release(&version("9.9.9")).expect("nothing is read").is_none());
}

#[test]
fn a_release_with_a_bad_signature_is_refused_when_it_is_asked_for() {
    let text = with_bad_signature(&three_releases_and_a_yank().text("redis"), 3);
    let outline = outline(&text).expect("nobody asked for the line");
    assert!(outline.release(&version("1.1.0")).is_ok());
    let error = outline.release(&version("1.2.0")).expect_err("its signature does not hold");
    assert_eq!(error.line, 4);
    assert!(matches!(*error.problem, Problem::Ownership(OwnershipError::Signature(_))), "{}", error.problem);
}

#[test]
fn a_changed_file_is_not_the_one_that_the_log_holds() {
    let index = three_releases_and_a_yank();
    let text = index.text("redis");
    let checkpoint = index.checkpoint();
    outline(&text).expect("untouched").check_last(&checkpoint, &index.files).expect("the log holds it");
    for number in 0..4 {
        let changed = outline(&with_bad_signature(&text, number)).expect("nobody asked for the line");
        assert!(changed.check_last(&checkpoint, &index.files).is_err(), "line {number}");
    }
    // The yank taken out, and the lines after it numbered anew: every line that is left would hold.
    let lines: Vec<&str> = text.lines().collect();
    let prev = format!("\"prev\":\"{}\"", Digest::of(lines[1].as_bytes()));
    let last = lines[3].replacen("\"seq\":3", "\"seq\":2", 1);
    let at = last.find("\"prev\":").expect("a frame");
    let last = format!("{}{prev}{}", &last[..at], &last[at + prev.len()..]);
    let shorter = outline(&format!("{}\n{}\n{last}\n", lines[0], lines[1])).expect("every line holds");
    assert_eq!(shorter.find(&version("1.0.0")).expect("listed").status(), &Status::Available);
    assert!(shorter.check_last(&checkpoint, &index.files).is_err());
}

#[test]
fn who_may_sign_is_handed_on_by_signatures_that_hold() {
    let owner: &[&SecretKey] = &[&key(1)];
    let text = index(&[
        (Event::from(release("redis", "1.0.0")), owner),
        (Event::OwnerKeys(owner_keys("redis", &[&key(2)], 1)), owner),
    ])
    .text("redis");
    let error = outline(&with_bad_signature(&text, 1)).expect_err("the signature does not hold");
    assert_eq!(error.line, 2);
    assert!(matches!(*error.problem, Problem::Ownership(OwnershipError::Signature(_))), "{}", error.problem);
}

#[test]
fn a_stranger_withdraws_nothing_and_a_history_checks_every_signature() {
    let text = three_releases_and_a_yank().text("redis");
    let error = outline(&text).and_then(|_| {
        let event = Event::Yank(withdrawal("redis", "1.1.0")).to_text();
        let place = Place { seq: 4, prev: outline(&text)?.head(), log: 9, at: 1_790_000_000 };
        let line = Line::frame(place, &event, vec![key(9).sign_event("yank", &event)]).expect("well-formed");
        outline(&format!("{text}{}\n", line.to_text()))
    });
    let problem = error.expect_err("a stranger's line").problem;
    assert!(matches!(*problem, Problem::Ownership(OwnershipError::NotEnoughOwners { .. })), "{problem}");
    for number in 0..4 {
        let changed = with_bad_signature(&text, number);
        let error = History::replay(&name("redis"), &changed, &Policy::new([])).expect_err("a signature is bad");
        assert_eq!(error.line, number + 1);
    }
}

#[test]
fn a_release_that_no_owner_claims_is_refused_though_nobody_asks_for_it() {
    let index = three_releases_and_a_yank();
    let text = index.text("redis");
    let event = Event::from(release("redis", "1.3.0")).to_text();
    let head = outline(&text).expect("holds").head();
    let place = Place { seq: 4, prev: head, log: 9, at: 1_790_000_000 };
    let line = Line::frame(place, &event, vec![key(9).sign_event("release", &event)]).expect("well-formed");
    let error = outline(&format!("{text}{}\n", line.to_text())).expect_err("a stranger's line");
    assert!(matches!(*error.problem, Problem::Ownership(OwnershipError::NotEnoughOwners { .. })), "{}", error.problem);
}

#[test]
fn lines_out_of_place_are_refused_though_nobody_asks_for_them() {
    let text = three_releases_and_a_yank().text("redis");
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    for order in [vec![0, 3], vec![0, 1, 3], vec![0, 3, 2], vec![0, 1, 1], vec![1], vec![0, 1, 2, 3, 3]] {
        let other: String = order.iter().map(|line| lines[*line]).collect();
        assert!(outline(&other).is_err(), "{order:?}");
    }
    let twice = rewritten(&text, 3, |line| line.replace("1.2.0", "1.1.0"));
    let error = outline(&twice).expect_err("1.1.0 came out before");
    assert!(matches!(*error.problem, Problem::DuplicateVersion { first: 2, .. }), "{}", error.problem);
}

#[test]
fn an_event_that_only_looks_like_a_release_is_refused_when_it_is_asked_for() {
    let text = three_releases_and_a_yank().text("redis");
    for change in [
        (r#""archives":["#, r#""version":"0.0.1","archives":["#),
        (r#""archives":["#, r#""kind":"yank","archives":["#),
        (r#""runtime":"lua""#, r#""runtime":"perl""#),
        (r#"}]},"signatures":["#, r#"}]},"signatures":[],"signatures":["#),
    ] {
        let changed = rewritten(&text, 3, |line| line.replacen(change.0, change.1, 1));
        assert_ne!(changed, text, "{change:?}");
        let read = outline(&changed).and_then(|outline| outline.release(&version("1.2.0")).map(drop));
        assert_eq!(read.expect_err("strict readers refuse it").line, 4, "{change:?}");
    }
}

#[test]
fn every_changed_byte_of_an_outline_leaves_another_last_line() {
    let text = three_releases_and_a_yank().text("redis");
    let head = outline(&text).expect("untouched").head();
    for at in 0..text.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            if let Ok(outline) = outline(&changed) {
                assert_ne!(outline.head(), head, "byte {at}, bit {bit:#x}");
            }
        }
    }
}
