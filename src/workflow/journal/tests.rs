//! Journals that are cut, damaged, taken up.

use std::collections::BTreeMap;
use std::sync::Arc;

use pocket_index::digest::Digest;
use serde_json::{Value, json};

use super::*;
use crate::workflow::schedule::Event;

fn header(run: &str) -> Header {
    Header {
        run: run.to_owned(),
        workflow: "w".to_owned(),
        path: "/w.yaml".into(),
        document: Digest::of(b"w"),
        plugins: BTreeMap::new(),
        began: 1,
        input: json!("in"),
        repeats: None,
        mark: "0123abcd".to_owned(),
    }
}

fn finished(id: u64, output: &Arc<Value>) -> Event {
    Event::Finished { id, attempt: 1, output: Arc::clone(output), action: None }
}

/// Writes steps of nodes `n1`, `n2`… that give their number, each from the output before it.
fn write(ledger: &Ledger, ids: std::ops::RangeInclusive<u64>) {
    let mut input = Arc::new(json!("in"));
    ledger.note_input(&input);
    for id in ids {
        let output = Arc::new(json!({ "id": id }));
        let node = format!("n{id}");
        let event = finished(id, &output);
        ledger.write(&Entry { event: &event, node: Some(&node), input: Some(&input), took: None }).unwrap();
        input = output;
    }
}

fn ids(path: &std::path::Path) -> Vec<u64> {
    History::read(path).unwrap().events.iter().filter_map(|record| record.event.id()).collect()
}

#[test]
fn a_journal_is_whole_wherever_it_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap();
    write(&ledger, 1..=3);
    let path = ledger.path().to_owned();
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    let mut seen = Vec::new();
    for length in 0..=whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        match standing(&path) {
            Ok(standing) => seen.push(standing.events),
            Err(JournalError::NotOne { .. }) => assert!(seen.is_empty(), "only before the first record is whole"),
            Err(error) => panic!("{length}: {error}"),
        }
    }
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
fn a_torn_end_is_cut_and_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap();
    write(&ledger, 1..=3);
    let path = ledger.path().to_owned();
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert!(standing(&path).unwrap().torn > 0);
    let ledger = Ledger::resume(&path, &Veil::default()).unwrap();
    let past: Vec<u64> = ledger.past().unwrap().filter_map(|event| event.unwrap().id()).collect();
    assert_eq!(past, [1, 2]);
    assert!(ledger.past().is_none());
    write(&ledger, 3..=4);
    drop(ledger);
    assert_eq!(ids(&path), [1, 2, 3, 4]);
    assert_eq!((standing(&path).unwrap().torn, standing(&path).unwrap().resumed), (0, 1));
}

#[test]
fn damage_to_what_was_on_the_disk_is_refused_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap();
    write(&ledger, 1..=2);
    ledger.settle().unwrap();
    let path = ledger.path().to_owned();
    let settled = std::fs::metadata(&path).unwrap().len();
    write(&ledger, 3..=3);
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..usize::try_from(settled).unwrap() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        assert!(standing(&path).is_err(), "byte {at} counts");
    }
    let mut torn = whole;
    *torn.last_mut().unwrap() ^= 0x10;
    std::fs::write(&path, &torn).unwrap();
    assert_eq!(standing(&path).unwrap().events, 2);
}

#[test]
fn a_run_has_one_journal_and_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap();
    let again = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap_err();
    assert!(matches!(again, JournalError::Exists { .. }));
    let other = Ledger::resume(ledger.path(), &Veil::default()).unwrap_err();
    assert_eq!(other.to_string(), "the run `r` is still going on in another process");
    assert!(standing(ledger.path()).unwrap().is_running);
    let path = ledger.path().to_owned();
    drop(ledger);
    assert!(!standing(&path).unwrap().is_running);
}

#[test]
fn a_node_is_repeated_with_what_it_received_and_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap();
    write(&ledger, 1..=3);
    let (_, first) = repeats(ledger.path(), "n1", &Veil::default()).unwrap();
    assert_eq!((first.input, first.outputs.len()), (json!("in"), 0));
    let (_, third) = repeats(ledger.path(), "n3", &Veil::default()).unwrap();
    assert_eq!(third.input, json!({"id": 2}));
    assert_eq!(third.outputs.keys().collect::<Vec<_>>(), ["n1", "n2"]);
    let error = repeats(ledger.path(), "n9", &Veil::default()).unwrap_err();
    assert_eq!(error.to_string(), "`n9` did not end in the run `r`; these did: `n1`, `n2`, `n3`");
}

#[test]
fn secrets_are_not_in_the_file_and_come_back_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| Secret { name: name.to_owned(), text: text.to_owned() };
    // The last two are parts of what every record is made of.
    let veil =
        Veil::over(vec![secret("p.key", "hunter2"), secret("p.pin", "4711"), secret("p.x", "e"), secret("p.y", "ev")]);
    let ledger = Ledger::create(folder.path(), Header { input: json!("hunter2"), ..header("r") }, &veil).unwrap();
    let output = Arc::new(json!({"hunter2": ["a hunter2 b", 4711, 47110, "<0123abcd:p.nothing>"], "event": "e"}));
    let event = finished(1, &output);
    ledger.write(&Entry { event: &event, node: Some("n"), input: None, took: None }).unwrap();
    let path = ledger.path().to_owned();
    drop(ledger);
    let file = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    assert!(!file.contains("hunter2"), "{file}");
    let ledger = Ledger::resume(&path, &veil).unwrap();
    assert_eq!(ledger.header().input, "hunter2");
    let past: Vec<Event> = ledger.past().unwrap().map(Result::unwrap).collect();
    let Event::Finished { output: read, .. } = &past[0] else { panic!("{past:?}") };
    assert_eq!(read, &output);
}

#[test]
fn a_failed_run_goes_on_before_what_made_it_fail() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path(), header("r"), &Veil::default()).unwrap();
    write(&ledger, 1..=2);
    let last = standing(ledger.path()).unwrap().events + 1;
    ledger.note_failure(last).unwrap();
    write(&ledger, 3..=3);
    ledger.note_end(3, Some("n2 broke".to_owned())).unwrap();
    let path = ledger.path().to_owned();
    drop(ledger);
    assert_eq!(standing(&path).unwrap().end.unwrap().error.as_deref(), Some("n2 broke"));
    let ledger = Ledger::resume(&path, &Veil::default()).unwrap();
    let past: Vec<u64> = ledger.past().unwrap().filter_map(|event| event.unwrap().id()).collect();
    assert_eq!(past, [1]);
    write(&ledger, 2..=2);
    ledger.note_end(2, None).unwrap();
    drop(ledger);
    assert_eq!(ids(&path), [1, 2]);
    assert_eq!(standing(&path).unwrap().end.unwrap().error, None);
}
