//! The host's end of the socket, shared by the main thread and by whatever thread of the plugin calls a host function.

use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_uint};
use std::io::{ErrorKind, Write};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::super::descriptor;
use super::super::frame::{Arrivals, FrameError, encode};
use super::super::message::{FromHost, ToHost};
use super::HostError;
use super::abi::{self, CONNECT_UNAVAILABLE, Host, Text};

/// Longer log texts are cut: the engine takes no longer lines anyway.
const MAX_LOG_BYTES: usize = 8 << 10;

/// The number of what answers no question.
const NO_QUESTION: u32 = 0;

/// C functions have no `self`, so the host functions find the channel here.
static CHANNEL: OnceLock<Channel> = OnceLock::new();

/// What the plugin is given at its start.
pub static HOST: Host = Host { size: size_of::<Host>(), log: host_log, connect: host_connect };

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
    /// The process's only channel.
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

    fn connect(&self, host: &str, port: u16) -> Result<OwnedFd, (c_int, String)> {
        let unavailable = |reason: String| (CONNECT_UNAVAILABLE, reason);
        let turn = self.turn();
        if *turn == Turn::Engine {
            return Err(unavailable("connections are made during a call only".to_owned()));
        }
        let gone = |error: FrameError| unavailable(error.to_string());
        self.send_in(&turn, NO_QUESTION, &FromHost::Connect { host, port }).map_err(gone)?;
        let Received { body, descriptor } = self.read().map_err(gone)?;
        match (ToHost::decode(&body).map_err(gone)?.1, descriptor) {
            (ToHost::Connected, Some(connection)) => Ok(connection),
            (ToHost::Connected, None) => {
                Err(unavailable(format!("no descriptor is free for the connection to `{host}:{port}`: {}", open_files())))
            }
            (ToHost::NotConnected { code, reason }, _) => Err((-c_int::from(code), reason.to_owned())),
            _ => Err(unavailable("the engine does not follow the protocol".to_owned())),
        }
    }
}

fn open_files() -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or_else(|| "all that there are".to_owned(), |limit| limit.to_string());
    format!("{limit} are open, which is the plugin's limit `open_files`")
}

/// `log` of `pocket_host`.
///
/// # Safety
/// `text` is as the header says.
unsafe extern "C" fn host_log(level: c_int, text: Text) {
    // SAFETY: the plugin promises a readable text by calling this function.
    let Some(bytes) = (unsafe { abi::bytes(text) }) else { return };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_LOG_BYTES)]);
    let level = level.clamp(0, 3) as u8; // just clamped
    if let Some(channel) = CHANNEL.get() {
        // When the engine is gone there is nobody to tell.
        let _ = channel.send(NO_QUESTION, &FromHost::Log { level, text: &text });
    }
}

/// `connect` of `pocket_host`.
///
/// # Safety
/// `host` is as the header says, and `error` is null or has room for `capacity` bytes.
unsafe extern "C" fn host_connect(host: Text, port: c_uint, error: *mut c_char, capacity: usize) -> c_int {
    // SAFETY: the plugin promises a readable text by calling this function.
    let host = unsafe { abi::bytes(host) }.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let result = match (CHANNEL.get(), host, u16::try_from(port)) {
        (Some(channel), Some(host), Ok(port)) => channel.connect(host, port),
        (None, _, _) => Err((CONNECT_UNAVAILABLE, "the host is not ready".to_owned())),
        (_, None, _) => Err((CONNECT_UNAVAILABLE, "the host name is no UTF-8 text".to_owned())),
        (_, _, Err(_)) => Err((CONNECT_UNAVAILABLE, format!("{port} is no port"))),
    };
    match result {
        Ok(descriptor) => descriptor.into_raw_fd(),
        Err((code, reason)) => {
            // SAFETY: the plugin promises `capacity` writable bytes by calling this function.
            unsafe { write_reason(&reason, error, capacity) };
            code
        }
    }
}

/// Writes as much of `reason` as fits, and a zero byte.
///
/// # Safety
/// `error` is null or has room for `capacity` bytes.
unsafe fn write_reason(reason: &str, error: *mut c_char, capacity: usize) {
    if error.is_null() || capacity == 0 {
        return;
    }
    let end = reason.floor_char_boundary(capacity - 1);
    // SAFETY: `end` is below `capacity`, which the caller vouches for; the two cannot overlap, since `reason` is ours.
    unsafe {
        std::ptr::copy_nonoverlapping(reason.as_ptr().cast(), error, end);
        *error.add(end) = 0;
    }
}
