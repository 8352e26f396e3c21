//! What a journal tells people: which run, how far it came, what each node did.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::entry::{End, EventRecord, ReadInput};
use super::frame::Kind;
use super::ledger::read_event;
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
        each_event(path, &past, &Veil::default(), |_, mut record| {
            // A long run has more values than anybody wants to hold at once.
            if let Event::Finished { output, .. } = &mut record.event {
                *output = Arc::default();
            }
            record.input = None;
            events.push(record);
            Ok(())
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
    each_event(path, &past, &veil, |number, event| {
        if event.key.is_empty()
            && let Some(name) = event.node
        {
            if name == node {
                last = event.input.map(|input| (number, input));
            }
            names.insert(name);
        }
        Ok(())
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
    each_event(path, &past, &veil, |number, event| {
        if number >= last {
            return Ok(());
        }
        if let Event::Finished { output, .. } = event.event {
            if Some(number) == wanted {
                input = Some(Value::clone(&output));
            }
            if let (true, Some(name)) = (event.key.is_empty(), event.node) {
                outputs.insert(name, Arc::unwrap_or_clone(output));
            }
        }
        Ok(())
    })?;
    let input = input.ok_or_else(|| {
        JournalError::NoSeed(format!("what `{node}` received is not in the journal of the run `{}`", header.run))
    })?;
    let repeats = Repeats { run: header.run.clone(), node: node.to_owned(), input, outputs };
    Ok((header, repeats))
}

/// Shows each event that counts, with the number of its record.
fn each_event(
    path: &Path,
    past: &Past,
    veil: &Veil,
    mut show: impl FnMut(u64, EventRecord) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut reader = Reader::open(path)?;
    while reader.offset() < past.length {
        let at = reader.offset();
        let Some((head, json)) = reader.next()? else { break };
        if head.kind != Kind::Event {
            continue;
        }
        let record = read_event(path, at, json, veil)?;
        if past.counts(&record.key, head.number) {
            show(head.number, record)?;
        }
    }
    Ok(())
}
