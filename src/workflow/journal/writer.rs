//! Writes records, and brings them to the disk together.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::JournalError;
use super::frame::{self, Kind};

/// How long a record waits for the disk when nobody waits for it: 50 ms.
const LAZY: Duration = Duration::from_millis(50);

/// Appends records to a file; a thread of its own brings them to the disk.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    flusher: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    file: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    buffer: Vec<u8>,
    /// The number of the last record that was written.
    written: u64,
    /// The last one that is on the disk.
    durable: u64,
    /// The last one that somebody waits for.
    wanted: u64,
    /// Why nothing more can be written.
    broken: Option<JournalError>,
    is_closed: bool,
}

impl Writer {
    /// Appends to a file whose last record has this number.
    pub fn new(path: &Path, file: File, written: u64) -> Result<Self, JournalError> {
        let state = Mutex::new(State { written, durable: written, ..State::default() });
        let shared = Arc::new(Shared { path: path.to_owned(), file, state, changed: Condvar::new() });
        let own = Arc::clone(&shared);
        let flusher = std::thread::Builder::new().name("journal".to_owned()).spawn(move || own.flush_until_closed());
        let flusher = flusher.map_err(JournalError::io("start writing", path))?;
        Ok(Self { shared, flusher: Some(flusher) })
    }

    /// Writes a record. It has reached the operating system, and goes to the disk soon. Gives its number.
    pub fn append(&self, kind: Kind, record: &impl Serialize) -> Result<u64, JournalError> {
        let mut state = self.shared.lock();
        if let Some(error) = &state.broken {
            return Err(error.clone());
        }
        let (number, durable) = (state.written + 1, state.durable);
        let mut buffer = std::mem::take(&mut state.buffer);
        let written = self.write(&mut buffer, kind, record, (number, durable));
        state.buffer = buffer;
        match written {
            Ok(()) => {
                state.written = number;
                // One record wakes the thread; it sees the others when it is done.
                if number == durable + 1 {
                    self.shared.changed.notify_all();
                }
                Ok(number)
            }
            Err(error) => {
                // A record may stand there in half: nothing may follow it.
                state.broken = Some(error.clone());
                Err(error)
            }
        }
    }

    fn write(
        &self,
        buffer: &mut Vec<u8>,
        kind: Kind,
        record: &impl Serialize,
        (number, durable): (u64, u64),
    ) -> Result<(), JournalError> {
        let failed = |source| JournalError::io("write", &self.shared.path)(source);
        frame::begin(buffer);
        serde_json::to_writer(&mut *buffer, record).map_err(|error| failed(error.into()))?;
        if !frame::seal(buffer, kind, number, durable) {
            return Err(failed(std::io::Error::other("a record has 4 GiB or more")));
        }
        (&self.shared.file).write_all(buffer).map_err(failed)
    }

    /// Waits until everything that was written is on the disk.
    pub fn settle(&self) -> Result<(), JournalError> {
        let mut state = self.shared.lock();
        let wanted = state.written;
        if state.durable < wanted {
            state.wanted = wanted;
            self.shared.changed.notify_all();
        }
        while state.durable < wanted && state.broken.is_none() {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.broken {
            Some(error) if state.durable < wanted => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        if let Some(flusher) = self.flusher.take() {
            // It does nothing that could panic.
            let _ = flusher.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_until_closed(&self) {
        let mut state = self.lock();
        loop {
            if state.durable == state.written {
                if state.is_closed {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Nobody waits yet: what comes meanwhile goes to the disk with it.
            let is_urgent = |state: &State| state.is_closed || state.wanted > state.durable;
            let waited = self.changed.wait_timeout_while(state, LAZY, |state| !is_urgent(state));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let target = state.written;
            drop(state);
            let synced = self.file.sync_data();
            state = self.lock();
            match synced {
                Ok(()) => state.durable = target,
                Err(error) => {
                    // What the system could not bring to the disk is lost, and a second try would not say so.
                    state.broken.get_or_insert(JournalError::io("flush", &self.path)(error));
                    self.changed.notify_all();
                    return;
                }
            }
            self.changed.notify_all();
        }
    }
}
