//! What a journal tells people: which run, how far it came, what each node did.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::entry::{End, EventRecord, ReadInput, Recovered};
use super::frame::Kind;
use super::ledger::read_record;
use super::past::Past;
use super::reader::Reader;
use super::veil::Veil;
use super::{Header, JournalError, Repeats};
use crate::workflow::schedule::Event;

/// How a run stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What it is of. Its secrets are marks.
    pub header: Header,
    /// How many attempts ended, of runs inside of it too.
    pub events: u64,
    /// How often it was taken up again.
    pub resumed: u64,
    /// How it ended; nothing if it goes on, or was cut off.
    pub end: Option<End>,
    /// Whether a process has it now.
    pub is_running: bool,
    /// How many bytes of a torn record stand at its end.
    pub torn: u64,
}

/// A whole journal, without the values that went through the run. Its secrets are marks.
#[derive(Debug, Clone)]
pub struct History {
    /// How the run stands.
    pub standing: Standing,
    /// What happened, in its order; without what was taken back when a failed run was taken up.
    pub events: Vec<EventRecord>,
}

/// How the run of a journal stands. Every record is checked.
///
/// # Errors
/// It cannot be read or is damaged.
pub fn standing(path: &Path) -> Result<Standing, JournalError> {
    Ok(look(path)?.0)
}

fn look(path: &Path) -> Result<(Standing, Past), JournalError> {
    // Asked first: a run that ends meanwhile counts as running, not as cut off.
    let is_running = File::open(path).is_ok_and(|file| file.try_lock_shared().is_err());
    let past = Past::read(path)?;
    let standing = Standing {
        header: past.header.clone(),
        events: past.events,
        resumed: past.resumed,
        end: past.end.clone(),
        is_running,
        torn: if is_running { 0 } else { past.torn },
    };
    Ok((standing, past))
}

impl History {
    /// Reads a journal.
    ///
    /// # Errors
    /// It cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let (standing, past) = look(path)?;
        let mut events = Vec::new();
        each_record(path, &past, &Veil::default(), |_, record| {
            let Shown::Event(mut record) = record else { return };
            // A long run has more values than anybody wants to hold at once.
            if let Event::Finished { output, .. } = &mut record.event {
                *output = Arc::default();
            }
            record.input = None;
            events.push(record);
        })?;
        Ok(Self { standing, events })
    }
}

/// What a run has to repeat that begins at a node of a former one, with what the node received there last.
///
/// # Errors
/// The node did not end in that run, or the journal cannot be read.
pub fn repeats(path: &Path, node: &str, veil: &Veil) -> Result<(Header, Repeats), JournalError> {
    let (_, past) = look(path)?;
    let veil = veil.marked(&past.header.mark);
    let header = past.header.covered(|value| veil.reveal(value));
    let mut last = None;
    let mut names = BTreeSet::new();
    each_record(path, &past, &veil, |number, record| {
        if let Shown::Event(EventRecord { key, node: Some(name), input, .. }) = record
            && key.is_empty()
        {
            if name == node {
                last = input.map(|input| (number, input));
            }
            names.insert(name);
        }
    })?;
    let Some((last, input)) = last else {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "none did".to_owned() } else { format!("these did: {}", names.join(", ")) };
        return Err(JournalError::NoSeed(format!("`{node}` did not end in the run `{}`; {names}", header.run)));
    };
    let (mut input, wanted) = match input {
        ReadInput::Value(value) => (Some(value), None),
        ReadInput::Of(0) => {
            let begun_with = header.repeats.as_ref().map_or(&header.input, |repeats| &repeats.input);
            (Some(begun_with.clone()), None)
        }
        ReadInput::Of(record) => (None, Some(record)),
    };
    let known = header.repeats.as_ref().map(|known| known.outputs.clone());
    let mut outputs: BTreeMap<String, Value> = known.unwrap_or_default();
    each_record(path, &past, &veil, |number, record| {
        let (name, output) = match record {
            _ if number >= last => return,
            Shown::Recovered(Recovered { node, output }) => (Some(node), Arc::new(output)),
            Shown::Event(EventRecord { key, node, event: Event::Finished { output, .. }, .. }) => {
                (node.filter(|_| key.is_empty()), output)
            }
            Shown::Event(_) => return,
        };
        if Some(number) == wanted {
            input = Some(Value::clone(&output));
        }
        if let Some(name) = name {
            outputs.insert(name, Arc::unwrap_or_clone(output));
        }
    })?;
    let input = input.ok_or_else(|| {
        JournalError::NoSeed(format!("what `{node}` received is not in the journal of the run `{}`", header.run))
    })?;
    let repeats = Repeats { run: header.run.clone(), node: node.to_owned(), input, outputs };
    Ok((header, repeats))
}

/// A record that is shown.
enum Shown {
    Event(EventRecord),
    Recovered(Recovered),
}

/// Shows each record that counts and tells an output, with its number.
fn each_record(path: &Path, past: &Past, veil: &Veil, mut show: impl FnMut(u64, Shown)) -> Result<(), JournalError> {
    let mut reader = Reader::open(path)?;
    while reader.offset() < past.length {
        let at = reader.offset();
        let Some((head, json)) = reader.next()? else { break };
        match head.kind {
            Kind::Event => {
                let record: EventRecord = read_record(path, at, json, veil)?;
                if past.counts(&record.key, head.number) {
                    show(head.number, Shown::Event(record));
                }
            }
            Kind::Recovered if past.counts("", head.number) => {
                show(head.number, Shown::Recovered(read_record(path, at, json, veil)?));
            }
            _ => {}
        }
    }
    Ok(())
}
