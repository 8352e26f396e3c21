//! Who may sign when, for any row of events: what a replay, an outline of the same lines, and ten lines of common sense say.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::testing::{key, name, owner_keys, owner_recovery, release, withdrawal};

/// The registry's key.
const REGISTRY: u8 = 9;
/// Half of the least delay: two steps make a whole one.
const STEP: u64 = MIN_RECOVERY_DELAY / 2;

#[derive(Debug, Clone)]
enum Deed {
    Release,
    Yank,
    HandTo(Vec<u8>),
    Recover(Vec<u8>, u64),
}

/// What happens, how many steps after what happened before, and who signs.
type Move = (Deed, u64, Vec<u8>);

fn deed() -> impl Strategy<Value = Deed> {
    let keys = || proptest::collection::btree_set(0_u8..3, 1..3).prop_map(|keys| keys.into_iter().collect::<Vec<_>>());
    prop_oneof![
        4 => Just(Deed::Release),
        1 => Just(Deed::Yank),
        2 => keys().prop_map(Deed::HandTo),
        3 => (keys(), 1_u64..4).prop_map(|(keys, steps)| Deed::Recover(keys, steps)),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let signers = prop_oneof![
        3 => proptest::collection::vec(0_u8..3, 1..3),
        2 => Just(vec![REGISTRY]),
    ];
    proptest::collection::vec((deed(), 0_u64..3, signers), 1..8)
}

fn event(number: usize, at: u64, deed: &Deed) -> Event {
    let secrets = |keys: &[u8]| keys.iter().map(|seed| key(*seed)).collect::<Vec<_>>();
    match deed {
        Deed::Release => Event::from(release("redis", &format!("1.{number}.0"))),
        Deed::Yank => Event::Yank(withdrawal("redis", "1.0.0")),
        Deed::HandTo(keys) => {
            Event::OwnerKeys(owner_keys("redis", &secrets(keys).iter().collect::<Vec<_>>(), keys.len() as u32))
        }
        Deed::Recover(keys, steps) => {
            let keys = secrets(keys);
            Event::OwnerRecovery(owner_recovery("redis", &keys.iter().collect::<Vec<_>>(), 1, at + steps * STEP))
        }
    }
}

/// The file with these events, each line in its place; whoever reads it finds out which of them hold.
fn file(moves: &[Move], spell: fn(String) -> String) -> String {
    let (mut text, mut prev, mut at) = (String::new(), None, 1_790_000_000);
    for (number, (deed, steps, signers)) in moves.iter().enumerate() {
        at += steps * STEP;
        let event = event(number, at, deed);
        let (kind, bytes) = (event.kind(), spell(event.to_text()));
        let place = Place { seq: number as u64, prev, log: number as u64, at };
        let signatures = signers.iter().map(|seed| key(*seed).sign_event(kind, &bytes)).collect();
        let line = Line::frame(place, &bytes, signatures).expect("well-formed");
        prev = Some(line.digest);
        text.push_str(&line.to_text());
        text.push('\n');
    }
    text
}

/// How many lines hold, by the rules as one would explain them to somebody, and who owns the plugin then.
fn by_common_sense(moves: &[Move]) -> (usize, Vec<u8>) {
    let (mut owners, mut threshold): (Option<Vec<u8>>, usize) = (None, 1);
    let mut pending: Option<(Vec<u8>, u64)> = None;
    let mut now = 0;
    for (number, (deed, steps, signers)) in moves.iter().enumerate() {
        now += steps;
        if let Some((keys, _)) = pending.take_if(|(_, due)| now >= *due) {
            (owners, threshold) = (Some(keys), 1);
        }
        let signers: BTreeSet<u8> = signers.iter().copied().collect();
        let Some(current) = owners.clone() else {
            if !matches!(deed, Deed::Release) {
                return (number, Vec::new());
            }
            owners = Some(signers.into_iter().collect());
            continue;
        };
        let by_owners = current.iter().filter(|one| signers.contains(one)).count() >= threshold;
        let by_registry = signers.contains(&REGISTRY);
        let holds = match deed {
            Deed::Release | Deed::HandTo(_) => by_owners,
            // The first line is the release 1.0.0.
            Deed::Yank => by_owners || by_registry,
            Deed::Recover(_, steps) => by_registry && *steps >= 2,
        };
        if !holds {
            return (number, current);
        }
        match deed {
            Deed::HandTo(keys) => (owners, threshold, pending) = (Some(keys.clone()), keys.len(), None),
            Deed::Recover(keys, steps) => pending = Some((keys.clone(), now + steps)),
            Deed::Release | Deed::Yank => {}
        }
    }
    (moves.len(), owners.unwrap_or_default())
}

proptest! {
    #[test]
    fn a_replay_an_outline_and_common_sense_agree_on_who_may_sign(moves in moves()) {
        let policy = Policy::new([key(REGISTRY).public()]);
        let (holding, owners) = by_common_sense(&moves);
        // In the second spelling no line is sketched: an outline reads each in full.
        for spell in [|text| text, |text: String| text.replacen('{', "{ ", 1)] {
            let text = file(&moves, spell);
            let history = History::replay(&name("redis"), &text, &policy);
            let outline = Outline::read(&name("redis"), text, Arc::new(policy.clone()));
            match (&history, &outline) {
                (Ok(history), Ok(outline)) => {
                    prop_assert_eq!(holding, moves.len());
                    let last = outline.last_at();
                    let found = outline.owners_at(last).expect("a release came first");
                    let expected: BTreeSet<_> = owners.iter().map(|seed| key(*seed).public()).collect();
                    prop_assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), expected);
                    prop_assert_eq!(history.owners_at(last), Some(found));
                    prop_assert_eq!(history.recoveries(), outline.recoveries());
                }
                (Err(history), Err(outline)) => {
                    prop_assert_eq!((history.line, outline.line), (holding + 1, holding + 1), "{}", outline.problem);
                }
                _ => prop_assert!(false, "replay: {:?}, outline: {:?}", history.is_ok(), outline.is_ok()),
            }
        }
    }
}
