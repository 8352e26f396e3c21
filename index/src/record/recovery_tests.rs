//! A registry that names other owners: when it may, from when on they count, and who can stop it.

use super::*;
use crate::append::AppendError;
use crate::signature::SecretKey;
use crate::testing::{TestIndex, key, name, owner_keys, owner_recovery, release, version, withdrawal};

/// When the first release came.
const START: u64 = 1_790_000_000;
/// When the recovery came, a day later.
const CAME: u64 = START + 86_400;
/// From when on the new owners sign.
const EFFECTIVE: u64 = CAME + MIN_RECOVERY_DELAY;

/// The owner who lost the key is `key(1)`, the registry `key(101)`; `key(2)` is the new owner.
fn released() -> TestIndex {
    let index = TestIndex::new();
    index.append_at(START, Event::from(release("redis", "1.0.0")), &[&key(1)]);
    index
}

fn recovered() -> TestIndex {
    let index = released();
    index.append_at(CAME, recovery(&[2], 1, EFFECTIVE), &[&key(101)]);
    index
}

fn recovery(keys: &[u8], threshold: u32, effective: u64) -> Event {
    let keys: Vec<SecretKey> = keys.iter().map(|seed| key(*seed)).collect();
    let keys: Vec<&SecretKey> = keys.iter().collect();
    Event::OwnerRecovery(owner_recovery("redis", &keys, threshold, effective))
}

fn next_release() -> Event {
    Event::from(release("redis", "1.1.0"))
}

fn handed_to(seed: u8) -> Event {
    Event::OwnerKeys(owner_keys("redis", &[&key(seed)], 1))
}

fn refused(index: &TestIndex, at: u64, event: &Event, signer: u8) -> Problem {
    match index.try_append_at(at, event, &[&key(signer)]).expect_err("the event does not hold") {
        AppendError::History(error) => *error.problem,
        other => panic!("refused for another reason: {other}"),
    }
}

fn replay(index: &TestIndex) -> History {
    History::replay(&name("redis"), &index.text("redis"), &index.policy).expect("every line holds")
}

fn outcomes(index: &TestIndex) -> Vec<RecoveryOutcome> {
    replay(index).recoveries().iter().map(|recovery| recovery.outcome).collect()
}

#[test]
fn new_owners_sign_from_the_moment_on_that_the_registry_announced() {
    let index = recovered();
    let pending = replay(&index);
    let [recovery] = pending.recoveries() else { panic!("one recovery") };
    assert_eq!((recovery.seq, recovery.at, recovery.effective), (1, CAME, EFFECTIVE));
    assert_eq!((recovery.outcome, recovery.reason.as_str()), (RecoveryOutcome::Pending, "a burnt laptop"));
    assert_eq!(recovery.signers, [key(101).public()]);
    assert_eq!(recovery.before.keys().collect::<Vec<_>>(), [&key(1).public()]);
    assert_eq!(recovery.after.keys().collect::<Vec<_>>(), [&key(2).public()]);
    for (at, owner) in [(CAME, 1), (EFFECTIVE - 1, 1), (EFFECTIVE, 2)] {
        let owners = pending.owners_at(at).expect("owned");
        assert_eq!(owners.keys().collect::<Vec<_>>(), [&key(owner).public()], "{at}");
    }

    index.append_at(EFFECTIVE, next_release(), &[&key(2)]);
    assert_eq!(outcomes(&index), [RecoveryOutcome::Done { seq: 2 }]);
    let signed = replay(&index).release(&version("1.1.0")).expect("it came out").signers().to_vec();
    assert_eq!(signed, [key(2).public()]);
}

#[test]
fn until_then_the_old_owners_stand_and_afterwards_they_do_not() {
    let index = recovered();
    let too_few = |problem: Problem| {
        assert!(matches!(problem, Problem::Ownership(OwnershipError::NotEnoughOwners { found: 0, .. })), "{problem}");
    };
    too_few(refused(&index, EFFECTIVE - 1, &next_release(), 2));
    too_few(refused(&index, EFFECTIVE - 1, &handed_to(2), 2));
    too_few(refused(&index, EFFECTIVE - 1, &Event::Yank(withdrawal("redis", "1.0.0")), 2));
    too_few(refused(&index, EFFECTIVE, &next_release(), 1));
    too_few(refused(&index, EFFECTIVE, &handed_to(1), 1));
    too_few(refused(&index, EFFECTIVE, &Event::Yank(withdrawal("redis", "1.0.0")), 1));
    // A release by the old owners stops nothing: only who says so does.
    index.append_at(EFFECTIVE - 1, next_release(), &[&key(1)]);
    assert_eq!(outcomes(&index), [RecoveryOutcome::Pending]);
}

#[test]
fn owners_who_sign_their_keys_again_cancel_it() {
    for keys in [1, 5] {
        let index = recovered();
        index.append_at(EFFECTIVE - 1, handed_to(keys), &[&key(1)]);
        assert_eq!(outcomes(&index), [RecoveryOutcome::Cancelled { seq: 2 }]);
        let problem = refused(&index, EFFECTIVE, &next_release(), 2);
        assert!(matches!(problem, Problem::Ownership(OwnershipError::NotEnoughOwners { .. })), "{problem}");
        index.append_at(EFFECTIVE, next_release(), &[&key(keys)]);
        let owners = replay(&index).owners_at(u64::MAX).expect("owned").clone();
        assert_eq!(owners.keys().collect::<Vec<_>>(), [&key(keys).public()]);
    }
}

#[test]
fn a_second_recovery_takes_the_place_of_one_that_is_pending_and_waits_as_long() {
    let index = recovered();
    let again = CAME + 86_400;
    let problem = refused(&index, again, &recovery(&[3], 1, EFFECTIVE), 101);
    assert!(matches!(problem, Problem::RecoveryTooSoon { .. }), "{problem}");
    index.append_at(again, recovery(&[3], 1, again + MIN_RECOVERY_DELAY), &[&key(101)]);
    assert_eq!(outcomes(&index), [RecoveryOutcome::Replaced { seq: 2 }, RecoveryOutcome::Pending]);
    for stranger in [2, 3] {
        let problem = refused(&index, EFFECTIVE, &next_release(), stranger);
        assert!(matches!(problem, Problem::Ownership(OwnershipError::NotEnoughOwners { .. })), "{problem}");
    }
    index.append_at(again + MIN_RECOVERY_DELAY, next_release(), &[&key(3)]);
    assert_eq!(outcomes(&index)[1], RecoveryOutcome::Done { seq: 3 });
}

#[test]
fn a_recovery_after_one_that_is_done_starts_from_its_owners() {
    let index = recovered();
    index.append_at(EFFECTIVE, recovery(&[3], 1, EFFECTIVE + MIN_RECOVERY_DELAY), &[&key(101)]);
    assert_eq!(outcomes(&index), [RecoveryOutcome::Done { seq: 2 }, RecoveryOutcome::Pending]);
    assert_eq!(replay(&index).recoveries()[1].before.keys().collect::<Vec<_>>(), [&key(2).public()]);
    index.append_at(EFFECTIVE, handed_to(2), &[&key(2)]);
    assert_eq!(outcomes(&index)[1], RecoveryOutcome::Cancelled { seq: 3 });
}

#[test]
fn only_the_registry_names_other_owners() {
    let index = released();
    for signer in [1, 2, 9] {
        let problem = refused(&index, CAME, &recovery(&[2], 1, EFFECTIVE), signer);
        let Problem::Ownership(OwnershipError::NotRegistry { registry, signers, .. }) = problem else {
            panic!("another problem: {problem}");
        };
        assert_eq!((registry, signers), (vec![key(101).public()], vec![key(signer).public()]));
    }
    // An owner's signature may stand beside the registry's, in any order.
    let event = recovery(&[2], 1, EFFECTIVE);
    for signers in [[&key(1), &key(101)], [&key(101), &key(1)]] {
        assert!(index.try_append_at(CAME, &event, &signers).is_ok());
    }
    let without_keys = Policy::new([]);
    let error = History::replay(&name("redis"), &recovered().text("redis"), &without_keys).expect_err("no such key");
    assert!(matches!(*error.problem, Problem::Ownership(OwnershipError::NotRegistry { .. })), "{error}");
}

#[test]
fn nobody_skips_the_delay() {
    let index = released();
    for effective in [0, START, CAME, CAME + MIN_RECOVERY_DELAY - 1] {
        let problem = refused(&index, CAME, &recovery(&[2], 1, effective), 101);
        assert!(matches!(problem, Problem::RecoveryTooSoon { .. }), "{problem}");
    }
    let problem = refused(&index, CAME, &recovery(&[2], 1, CAME - 1), 101).to_string();
    let expected = "takes effect at 1790086399, -1 seconds after it came at 1790086400; at least 259200 are needed";
    assert!(problem.contains(expected), "{problem}");
}

#[test]
fn a_clock_that_was_set_back_makes_no_line_older_than_the_one_before() {
    let index = recovered();
    let appended = index.append_at(CAME - 200, next_release(), &[&key(1)]);
    assert_eq!(appended.line.at, CAME);
    // The same line by hand.
    let line = &appended.line;
    for earlier in [0, CAME - 1] {
        let place = Place { seq: line.seq, prev: line.prev, log: line.log, at: earlier };
        let moved = Line::frame(place, &line.event_bytes, line.signatures.clone()).expect("well-formed").to_text();
        let text = index.text("redis").replace(&line.to_text(), &moved);
        let error = History::replay(&name("redis"), &text, &index.policy).expect_err("it goes back");
        let Problem::TimeOrder { previous, found } = *error.problem else { panic!("{error}") };
        assert_eq!((error.line, previous, found), (3, CAME, earlier));
    }
}

#[test]
fn a_threshold_of_new_owners_counts() {
    let index = released();
    index.append_at(CAME, recovery(&[2, 3], 2, EFFECTIVE), &[&key(101)]);
    for too_few in [&[&key(2)][..], &[&key(3), &key(3)], &[&key(2), &key(1)], &[&key(2), &key(101)]] {
        assert!(index.try_append_at(EFFECTIVE, &next_release(), too_few).is_err());
    }
    assert!(index.try_append_at(EFFECTIVE, &next_release(), &[&key(3), &key(2)]).is_ok());
}

#[test]
fn too_few_old_owners_do_not_cancel() {
    let index = TestIndex::new();
    let (a, b) = (key(1), key(5));
    index.append_at(START, Event::from(release("redis", "1.0.0")), &[&a]);
    index.append_at(START, Event::OwnerKeys(owner_keys("redis", &[&a, &b], 2)), &[&a]);
    index.append_at(CAME, recovery(&[2], 1, EFFECTIVE), &[&key(101)]);
    let keep = Event::OwnerKeys(owner_keys("redis", &[&a, &b], 2));
    assert!(index.try_append_at(CAME, &keep, &[&a]).is_err());
    assert!(index.try_append_at(CAME, &keep, &[&a, &b]).is_ok());
}

#[test]
fn there_is_nothing_to_recover_before_the_first_release() {
    let index = TestIndex::new();
    let problem = refused(&index, CAME, &recovery(&[2], 1, EFFECTIVE), 101);
    assert!(matches!(problem, Problem::Ownership(OwnershipError::NoOwners { .. })), "{problem}");
}

#[test]
fn a_recovery_has_the_limits_of_other_events() {
    let text = recovery(&[2], 1, EFFECTIVE).to_text();
    let key = key(2).public();
    for (from, to) in [
        ("\"threshold\":1", "\"threshold\":0".to_owned()),
        ("\"threshold\":1", "\"threshold\":2".to_owned()),
        (&format!("[\"{key}\"]"), "[]".to_owned()),
        (&format!("[\"{key}\"]"), format!("[\"{key}\",\"{key}\"]")),
        ("a burnt laptop", "x".repeat(MAX_REASON_BYTES + 1)),
        ("a burnt laptop", "\\u001b[31m".to_owned()),
        ("\"effective\":1790345600", "\"effective\":9007199254740992".to_owned()),
        ("\"effective\":1790345600", "\"effective\":1790345600.0".to_owned()),
        ("\"effective\":1790345600,", String::new()),
    ] {
        let changed = text.replacen(from, &to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(parse_event(&changed).is_err(), "{changed}");
    }
    assert!(parse_event(&text).is_ok());
}

#[test]
fn every_changed_byte_of_a_recovered_file_is_refused_or_leaves_another_digest() {
    let index = recovered();
    index.append_at(EFFECTIVE, next_release(), &[&key(2)]);
    let text = index.text("redis");
    let head = replay(&index).head();
    let policy = std::sync::Arc::new(index.policy.clone());
    for at in 0..text.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // Only place and time of the last line are outside signatures and chain. The log holds its digest.
            if let Ok(history) = History::replay(&name("redis"), &changed, &policy) {
                assert_ne!(history.head(), head, "byte {at}, bit {bit:#x}");
            }
            if let Ok(outline) = Outline::read(&name("redis"), changed, std::sync::Arc::clone(&policy)) {
                assert_ne!(outline.head(), head, "byte {at}, bit {bit:#x}");
            }
        }
    }
    for end in (0..text.len()).filter(|end| !text[..*end].ends_with('\n')) {
        assert!(History::replay(&name("redis"), &text[..end], &policy).is_err(), "cut at {end}");
    }
}
