//! The host's end of the socket, shared by the main thread and by whatever thread of the plugin calls a host function.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::super::descriptor;
use super::super::frame::{Arrivals, FrameError, encode};
use super::super::message::{FromHost, ToHost};
use super::HostError;
use super::abi::CONNECT_UNAVAILABLE;

/// The number of what answers no question.
const NO_QUESTION: u32 = 0;

/// C functions have no `self`, so the host functions find the channel here.
static CHANNEL: OnceLock<Channel> = OnceLock::new();

/// The socket to the engine. Whoever holds `turn` may write; who may read depends on it.
pub struct Channel {
    socket: UnixStream,
    turn: Mutex<Turn>,
    inbox: Mutex<Inbox>,
}

/// What came from the engine and was not taken yet.
#[derive(Default)]
struct Inbox {
    arrivals: Arrivals,
    descriptors: VecDeque<OwnedFd>,
}

/// A message of the engine's, not yet decoded, and the descriptor that came with it.
pub struct Received {
    /// The message.
    pub body: Vec<u8>,
    /// The descriptor.
    pub descriptor: Option<OwnedFd>,
}

/// Who reads the socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The main thread, which waits for the next question. The engine answers no request now.
    Engine,
    /// Whoever holds the lock: a question is being answered, and the engine serves requests.
    Plugin,
}

impl Channel {
    /// The process's only channel, once it is open.
    pub fn get() -> Option<&'static Self> {
        CHANNEL.get()
    }

    /// Makes it from the socket.
    pub fn open(socket: OwnedFd) -> Result<&'static Self, HostError> {
        let socket = UnixStream::from(socket);
        socket.local_addr().map_err(|_| HostError::ByHand)?;
        Ok(CHANNEL.get_or_init(|| Self { socket, turn: Mutex::new(Turn::Engine), inbox: Mutex::default() }))
    }

    /// The engine's next message. The engine is trusted with its length.
    pub fn read(&self) -> Result<Received, FrameError> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let Inbox { arrivals, descriptors } = &mut *inbox;
        loop {
            if let Some(body) = arrivals.take(u32::MAX as usize)? {
                return Ok(Received { body, descriptor: descriptors.pop_front() });
            }
            arrivals.fill(|room| {
                loop {
                    match descriptor::receive(&self.socket, room, descriptors) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => {} // a signal of the plugin's
                        received => return received,
                    }
                }
            })?;
        }
    }

    /// Answers the question of that number.
    pub fn send(&self, number: u32, message: &FromHost<'_>) -> Result<(), FrameError> {
        self.send_in(&self.turn(), number, message)
    }

    /// Runs `work` while the engine serves the plugin's requests, then sends what `answer` makes of its result.
    pub fn during_call<T>(
        &self,
        number: u32,
        work: impl FnOnce() -> T,
        answer: impl for<'a> FnOnce(&'a T) -> FromHost<'a>,
    ) -> Result<(), FrameError> {
        *self.turn() = Turn::Plugin;
        let result = work();
        let mut turn = self.turn();
        *turn = Turn::Engine;
        self.send_in(&turn, number, &answer(&result))
    }

    fn send_in(&self, _turn: &MutexGuard<'_, Turn>, number: u32, message: &FromHost<'_>) -> Result<(), FrameError> {
        let bytes = message.with_fields(|tag, fields| encode(number, tag, fields))?;
        Ok((&self.socket).write_all(&bytes)?)
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line to the plugin's log.
    pub fn log(&self, level: u8, text: &str) {
        // When the engine is gone there is nobody to tell.
        let _ = self.send(NO_QUESTION, &FromHost::Log { level, text });
    }

    /// A connection of the engine's making; or a code of the header's with the reason.
    pub fn connect(&self, host: &str, port: u16) -> Result<OwnedFd, (c_int, String)> {
        let Received { body, descriptor } = self.request(&FromHost::Connect { host, port })?;
        match (decode(&body)?, descriptor) {
            (ToHost::Connected, Some(connection)) => Ok(connection),
            (ToHost::Connected, None) => {
                let why = open_files();
                Err(unavailable(format!("no descriptor is free for the connection to `{host}:{port}`: {why}")))
            }
            (other, _) => Err(refusal(&other)),
        }
    }

    /// Head and body of the answer to an HTTP request; or a code of the header's with the reason.
    pub fn http(&self, request: &str, body: &[u8]) -> Result<(Vec<u8>, Vec<u8>), (c_int, String)> {
        let received = self.request(&FromHost::Http { request, body })?;
        match decode(&received.body)? {
            ToHost::Answered { head, body } => Ok((head.into(), body.to_owned())),
            other => Err(refusal(&other)),
        }
    }

    fn request(&self, message: &FromHost<'_>) -> Result<Received, (c_int, String)> {
        let gone = |error: FrameError| unavailable(error.to_string());
        let turn = self.turn();
        if *turn == Turn::Engine {
            return Err(unavailable("the engine does this during a call only".to_owned()));
        }
        self.send_in(&turn, NO_QUESTION, message).map_err(gone)?;
        self.read().map_err(gone)
    }
}

fn decode(body: &[u8]) -> Result<ToHost<'_>, (c_int, String)> {
    ToHost::decode(body).map(|(_, message)| message).map_err(|error| unavailable(error.to_string()))
}

fn refusal(message: &ToHost<'_>) -> (c_int, String) {
    match message {
        ToHost::Refused { code, reason } => (-c_int::from(*code), (*reason).to_owned()),
        _ => unavailable("the engine does not follow the protocol".to_owned()),
    }
}

fn unavailable(reason: String) -> (c_int, String) {
    (CONNECT_UNAVAILABLE, reason)
}

fn open_files() -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or_else(|| "all that there are".to_owned(), |limit| limit.to_string());
    format!("{limit} are open, which is the plugin's limit `open_files`")
}
