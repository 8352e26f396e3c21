//! What of a journal counts: where it ends, and which events were taken back when a failed run was taken up again.

use std::collections::HashMap;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::entry::{End, Failed};
use super::frame::Kind;
use super::reader::Reader;
use super::{Header, JournalError};

/// A journal, gone through once.
#[derive(Debug)]
pub(super) struct Past {
    pub header: Header,
    /// Where its last whole record ends.
    pub length: u64,
    /// How many bytes of a torn record follow.
    pub torn: u64,
    /// The number of its last record.
    pub records: u64,
    /// How many events it has.
    pub events: u64,
    /// How the run ended, if it was not taken up again since.
    pub end: Option<End>,
    /// How often the run was taken up.
    pub resumed: u64,
    void: Void,
}

/// Ranges of records that do not count.
#[derive(Debug, Default)]
struct Void {
    all: Vec<(u64, u64)>,
    /// In runs inside of the run, by key.
    inside: HashMap<String, Vec<(u64, u64)>>,
    /// Events that made runs fail which were not taken up again yet.
    failed: HashMap<String, u64>,
}

impl Past {
    /// Goes through a journal. Every record is checked.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let mut reader = Reader::open(path)?;
        let header: Header = match reader.next()? {
            Some((head, json)) if head.kind == Kind::Header => parse(path, 0, json)?,
            _ => return Err(JournalError::NotOne { path: path.to_owned() }),
        };
        let mut past =
            Self { header, length: 0, torn: 0, records: 0, events: 0, end: None, resumed: 0, void: Void::default() };
        loop {
            let at = reader.offset();
            let Some((head, json)) = reader.next()? else { break };
            match head.kind {
                Kind::Header | Kind::Recovered => {}
                Kind::Event => past.events += 1,
                Kind::Failure => {
                    let failed: Failed = parse(path, at, json)?;
                    past.void.failed.insert(failed.key, failed.event);
                }
                Kind::End => past.end = Some(parse(path, at, json)?),
                Kind::Resumed => {
                    past.void.close(head.number, past.end.take().as_ref());
                    past.resumed += 1;
                }
            }
        }
        (past.length, past.torn, past.records) = (reader.offset(), reader.rest(), reader.number());
        Ok(past)
    }

    /// Takes back what made the run fail, as it is taken up again now.
    pub fn take_up(&mut self) {
        self.void.close(self.records + 1, self.end.as_ref());
    }

    /// Whether an event counts.
    pub fn counts(&self, key: &str, number: u64) -> bool {
        let within = |ranges: &[(u64, u64)]| ranges.iter().any(|(from, to)| (*from..=*to).contains(&number));
        let is_void_inside = || !key.is_empty() && self.void.inside.get(key).is_some_and(|ranges| within(ranges));
        !within(&self.void.all) && !is_void_inside()
    }
}

impl Void {
    fn close(&mut self, now: u64, end: Option<&End>) {
        // A run that failed and did not come to its end goes on with `finally`, where it was.
        let is_over = end.is_some_and(|end| end.error.is_some());
        let outer = self.failed.remove("");
        for (key, event) in self.failed.drain() {
            self.inside.entry(key).or_default().push((event, now));
        }
        match outer {
            Some(event) if is_over => self.all.push((event, now)),
            Some(event) => drop(self.failed.insert(String::new(), event)),
            None => {}
        }
    }
}

/// Reads a record whose checksum fits.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, offset: u64, json: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(json).map_err(|error| {
        let message = format!("its JSON cannot be read: {error}");
        JournalError::Damaged { path: path.to_owned(), offset, message }
    })
}
