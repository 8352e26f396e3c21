//! A journal that a run writes into, and goes on from.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::entry::{End, Entry, EventRecord, Failed, Recovered, Resumed, WrittenEvent, WrittenInput};
use super::frame::Kind;
use super::past::{Past, parse};
use super::reader::Reader;
use super::veil::Veil;
use super::writer::Writer;
use super::{EXTENSION, Header, JournalError, now};
use crate::workflow::schedule::Event;

/// How many outputs are known by the number of their record: 64, as many as branches that start with the same one.
const RECENT: usize = 64;

/// A journal that a run writes into; runs inside of it share the file.
#[derive(Debug, Clone)]
pub struct Ledger {
    book: Arc<Book>,
    /// Empty in the run itself.
    key: Arc<str>,
}

#[derive(Debug)]
struct Book {
    path: PathBuf,
    header: Header,
    writer: Writer,
    veil: Veil,
    /// What was there before this process; taken by the run when it begins.
    past: Mutex<Option<Past>>,
    /// Events of runs inside whose node has not ended, by key.
    inside: Mutex<BTreeMap<String, Vec<Event>>>,
    /// Outputs that were written lately.
    recent: Mutex<VecDeque<(Weak<Value>, u64)>>,
}

impl Ledger {
    /// Begins the journal of a run in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be written, or the run has one already.
    pub fn create(folder: &Path, header: Header, veil: &Veil) -> Result<Self, JournalError> {
        std::fs::create_dir_all(folder).map_err(JournalError::io("make a folder for", folder))?;
        let path = folder.join(format!("{}.{EXTENSION}", header.run));
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        // What runs are about concerns nobody else.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => JournalError::Exists { path: path.clone() },
            _ => JournalError::io("create", &path)(error),
        })?;
        lock(&file, &path, &header.run)?;
        // The file's name must be on the disk too.
        let folder = File::open(folder).and_then(|folder| folder.sync_all());
        folder.map_err(JournalError::io("flush the folder of", &path))?;
        let writer = Writer::new(&path, file, 0)?;
        let veil = veil.marked(&header.mark);
        let book = Book::new(path, header, writer, veil, None);
        book.writer.append(Kind::Header, &book.header.covered(|value| book.veil.hide(value)))?;
        Ok(Self { book: Arc::new(book), key: "".into() })
    }

    /// Takes a run up again. A torn end is cut off; a run that failed goes on before what made it fail.
    ///
    /// # Errors
    /// It is damaged, cannot be written, or the run still goes on.
    pub fn resume(path: &Path, veil: &Veil) -> Result<Self, JournalError> {
        let file = OpenOptions::new().append(true).open(path).map_err(JournalError::io("open", path))?;
        // Nobody else writes from here on.
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        lock(&file, path, &name)?;
        let mut past = Past::read(path)?;
        past.take_up();
        file.set_len(past.length).map_err(JournalError::io("cut the torn end of", path))?;
        let is_over = past.end.as_ref().is_some_and(|end| end.error.is_none());
        let writer = Writer::new(path, file, past.records)?;
        if !is_over {
            writer.append(Kind::Resumed, &Resumed { at: now() })?;
        }
        let veil = veil.marked(&past.header.mark);
        let header = past.header.covered(|value| veil.reveal(value));
        Ok(Self { book: Arc::new(Book::new(path.to_owned(), header, writer, veil, Some(past))), key: "".into() })
    }

    /// What the journal is of.
    pub fn header(&self) -> &Header {
        &self.book.header
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.book.path
    }

    /// The same for the run of this key inside of the run.
    #[must_use]
    pub fn at(&self, key: &str) -> Self {
        Self { book: Arc::clone(&self.book), key: key.into() }
    }

    /// Notes what the run receives, so that its first node's record can refer to it.
    pub fn note_input(&self, input: &Arc<Value>) {
        self.book.remember(input, 0);
    }

    /// Writes down what happened, and gives the number of its record. It has reached the operating system when this returns.
    ///
    /// # Errors
    /// It cannot be written, or something before it could not be brought to the disk.
    pub(crate) fn write(&self, entry: &Entry<'_>) -> Result<u64, JournalError> {
        let written = WrittenEvent {
            key: &self.key,
            at: now(),
            took: entry.took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            node: entry.node,
            input: entry.input.map(|input| match self.book.number_of(input) {
                Some(number) => WrittenInput::Of(number),
                None => WrittenInput::Value(input),
            }),
            event: entry.event,
        };
        let number = self.book.append(Kind::Event, &written)?;
        if let Event::Finished { output, .. } = entry.event {
            self.book.remember(output, number);
        }
        Ok(number)
    }

    /// Waits until everything that was written is on the disk.
    ///
    /// # Errors
    /// It cannot be brought there.
    pub fn settle(&self) -> Result<(), JournalError> {
        self.book.writer.settle()
    }

    /// Notes that a fallback value stands for the output of a node: who begins at a node after it needs that.
    pub(crate) fn note_recovery(&self, node: &str, output: &Arc<Value>) -> Result<(), JournalError> {
        // Nobody begins at a node of a run inside.
        if self.key.is_empty() {
            let recovered = Recovered { node: node.to_owned(), output: Value::clone(output) };
            let number = self.book.append(Kind::Recovered, &recovered)?;
            self.book.remember(output, number);
        }
        Ok(())
    }

    /// Notes that the event in the record of this number made the run fail.
    pub(crate) fn note_failure(&self, event: u64) -> Result<(), JournalError> {
        self.book.writer.append(Kind::Failure, &Failed { key: self.key.to_string(), event }).map(drop)
    }

    /// Notes how the run ended, and waits until that is on the disk.
    pub(crate) fn note_end(&self, steps: u64, error: Option<String>) -> Result<(), JournalError> {
        let error = error.map(|error| self.book.veil.masked(&error));
        self.book.writer.append(Kind::End, &End { at: now(), steps, error })?;
        self.settle()
    }

    /// What happened in this run before this process, each event once. Asked a second time, there is nothing.
    pub(crate) fn past(&self) -> Option<Box<dyn Iterator<Item = Result<Event, JournalError>>>> {
        if !self.key.is_empty() {
            let events = self.book.inside().remove(&*self.key)?;
            return Some(Box::new(events.into_iter().map(Ok)));
        }
        let past = self.book.past.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let book = Arc::clone(&self.book);
        Some(match Reader::open(&book.path) {
            Ok(reader) => Box::new(Recalled { book, past, reader }),
            Err(error) => Box::new(std::iter::once(Err(error))),
        })
    }
}

impl Book {
    fn new(path: PathBuf, header: Header, writer: Writer, veil: Veil, past: Option<Past>) -> Self {
        Self { path, header, writer, veil, past: Mutex::new(past), inside: Mutex::default(), recent: Mutex::default() }
    }

    fn append(&self, kind: Kind, record: &impl serde::Serialize) -> Result<u64, JournalError> {
        if self.veil.is_empty() {
            return self.writer.append(kind, record);
        }
        let mut value =
            serde_json::to_value(record).map_err(|error| JournalError::io("write", &self.path)(error.into()))?;
        self.veil.hide(&mut value);
        self.writer.append(kind, &value)
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Event>>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number_of(&self, value: &Arc<Value>) -> Option<u64> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // A value that is alive shares its address with no other.
        let found = recent.iter().rev().find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(value)));
        found.map(|(_, number)| *number)
    }

    fn remember(&self, value: &Arc<Value>, number: u64) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back((Arc::downgrade(value), number));
    }
}

/// The events of a journal that count, of the run itself; those of runs inside of it are laid aside for them.
struct Recalled {
    book: Arc<Book>,
    past: Past,
    reader: Reader,
}

impl Recalled {
    /// Lays an event of a run inside aside, or gives it back if it is of the run itself.
    fn sort(&self, record: EventRecord) -> Option<Event> {
        let mut inside = self.book.inside();
        if !record.key.is_empty() {
            inside.entry(record.key).or_default().push(record.event);
            return None;
        }
        if let Event::Finished { id, attempt, .. } | Event::Failed { id, attempt, .. } = &record.event {
            let step = format!("{id}.{attempt}");
            let is_of =
                |key: &str| key.strip_prefix(&step).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
            inside.retain(|key, _| !is_of(key));
        }
        Some(record.event)
    }
}

impl Iterator for Recalled {
    type Item = Result<Event, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.reader.offset() < self.past.length {
            let at = self.reader.offset();
            let (number, json) = match self.reader.next() {
                Ok(Some((head, json))) if head.kind == Kind::Event => (head.number, json),
                Ok(Some(_)) => continue,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            let record: EventRecord = match read_record(&self.book.path, at, json, &self.book.veil) {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            if self.past.counts(&record.key, number)
                && let Some(event) = self.sort(record)
            {
                return Some(Ok(event));
            }
        }
        None
    }
}

/// Reads a record, with its secrets.
pub(super) fn read_record<T: DeserializeOwned>(
    path: &Path,
    at: u64,
    json: &[u8],
    veil: &Veil,
) -> Result<T, JournalError> {
    if veil.is_empty() {
        return parse(path, at, json);
    }
    let mut value: Value = parse(path, at, json)?;
    veil.reveal(&mut value);
    serde_json::from_value(value).map_err(|error| {
        let message = format!("its JSON cannot be read: {error}");
        JournalError::Damaged { path: path.to_owned(), offset: at, message }
    })
}

fn lock(file: &File, path: &Path, run: &str) -> Result<(), JournalError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => JournalError::Running { run: run.to_owned() },
        TryLockError::Error(error) => JournalError::io("lock", path)(error),
    })
}
