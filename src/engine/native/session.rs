//! The conversation with one host process: ask, serve what it asks meanwhile, take the answer. All before a deadline.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::broker::{self, ConnectCode};
use super::descriptor;
use super::frame::{FrameError, OVERHEAD, Timed, read_frame, write_frame};
use super::library::SealedLibrary;
use super::message::{FromHost, LoadOrder, ToHost};
use super::process::{Death, HostProcess};
use crate::engine::plugin::{Border, Usage};

/// 1 MiB: what a message may have at least, so that a manifest or an error fits where outputs must be small.
const MIN_FRAME_LIMIT: u64 = 1 << 20;

/// How often a process that works on an answer is looked at. A call that is quicker costs nothing.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// 8 MiB for the host itself: what it needs to hold a call's texts and its result beside the plugin.
const HOST_MEMORY: u64 = 8 << 20;

/// How long a plugin has to stop: what the header promises.
const STOPPING_TIME: Duration = Duration::from_secs(1);

/// One host process and the socket to it.
pub struct Session {
    process: HostProcess,
    socket: UnixStream,
}

/// What a question stands under.
pub struct Terms<'a> {
    /// What the plugin may do and use.
    pub border: &'a Border,
    /// When the answer must be there.
    pub deadline: Instant,
    /// What was denied to the plugin meanwhile, last.
    pub denied: Option<String>,
}

/// Why there is no answer. The session is of no use any more.
#[derive(Debug)]
pub enum Failure {
    /// The deadline passed.
    TimedOut,
    /// The answer is larger than allowed.
    TooLarge,
    /// The process uses more memory than it may.
    OutOfMemory,
    /// The process ended.
    Died,
    /// The process said something that makes no sense.
    Broken(String),
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed => Self::Died,
            FrameError::TimedOut => Self::TimedOut,
            FrameError::TooLarge { .. } => Self::TooLarge,
            FrameError::Malformed(_) | FrameError::Io(_) => Self::Broken(error.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        FrameError::from(error).into()
    }
}

impl Session {
    /// Starts a host process for the plugin of `border`. Nothing of the plugin is loaded yet.
    pub fn start(program: &Path, border: &Border) -> io::Result<Self> {
        let (process, socket) = HostProcess::start(program, &border.identity.plugin, border.log.clone())?;
        Ok(Self { process, socket })
    }

    /// Has the process confine itself and load `library`. The inner error is the reason that the host gives.
    pub fn load(
        &self,
        order: &LoadOrder,
        library: &SealedLibrary,
        terms: &mut Terms<'_>,
    ) -> Result<Result<(), String>, Failure> {
        let order = serde_json::to_vec(order).expect("strings and numbers always serialize");
        self.send(&ToHost::Load(&order), terms.deadline)?;
        descriptor::send(&self.socket, library.as_fd())?;
        self.answer(terms, ready)?
    }

    /// Has the plugin start with `settings`. The inner error is the plugin's.
    pub fn start_plugin(&self, settings: &str, terms: &mut Terms<'_>) -> Result<Result<(), String>, Failure> {
        self.ask(&ToHost::Start(settings), terms, ready)?
    }

    /// Sends `message` and hands the answer to `read`.
    pub fn ask<T>(
        &self,
        message: &ToHost<'_>,
        terms: &mut Terms<'_>,
        read: impl FnOnce(FromHost<'_>) -> T,
    ) -> Result<T, Failure> {
        self.send(message, terms.deadline)?;
        self.answer(terms, read)
    }

    /// What the process used so far.
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }

    /// How the process ended, if it has.
    pub fn has_died(&self) -> Option<Death> {
        self.process.has_died()
    }

    /// The death of a process that closed its socket: it has a moment to finish dying.
    pub fn death(self) -> Death {
        self.process.wait(STOPPING_TIME)
    }

    /// Ends the process at once.
    pub fn kill(self) -> Death {
        self.process.kill()
    }

    /// Lets the plugin stop, then ends the process.
    pub fn stop(self) -> Death {
        let deadline = Instant::now() + STOPPING_TIME;
        match self.send(&ToHost::Stop, deadline) {
            Ok(()) => self.process.wait(STOPPING_TIME),
            Err(_) => self.process.kill(),
        }
    }

    fn send(&self, message: &ToHost<'_>, deadline: Instant) -> Result<(), FrameError> {
        let (tag, fields) = message.fields();
        write_frame(&mut Timed { socket: &self.socket, deadline }, tag, &fields)
    }

    fn answer<T>(&self, terms: &mut Terms<'_>, read: impl FnOnce(FromHost<'_>) -> T) -> Result<T, Failure> {
        let limit = terms.border.limits.output.max(MIN_FRAME_LIMIT);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(OVERHEAD);
        loop {
            self.watch(terms)?;
            let body = read_frame(&mut Timed { socket: &self.socket, deadline: terms.deadline }, limit)?;
            match FromHost::decode(&body)? {
                FromHost::Log { level, text } => log(terms.border, level, text),
                FromHost::Connect { host, port } => self.connect(host, port, terms)?,
                answer => return Ok(read(answer)),
            }
        }
    }

    /// Waits until the process says something, and looks at its memory meanwhile.
    fn watch(&self, terms: &Terms<'_>) -> Result<(), Failure> {
        let most = terms.border.limits.memory.saturating_add(HOST_MEMORY);
        loop {
            let left = terms.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::TimedOut);
            }
            let interval = Timespec::try_from(left.min(MEMORY_INTERVAL)).expect("50 ms fit");
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&interval)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(Failure::Broken(error.to_string())),
            }
            if self.process.memory().is_some_and(|used| used > most) {
                return Err(Failure::OutOfMemory);
            }
        }
    }

    fn connect(&self, host: &str, port: u16, terms: &mut Terms<'_>) -> Result<(), Failure> {
        match broker::connect(&terms.border.grants, host, port, terms.deadline) {
            Ok(stream) => {
                self.send(&ToHost::Connected, terms.deadline)?;
                descriptor::send(&self.socket, stream.as_fd())?;
            }
            Err(refusal) => {
                let message = ToHost::NotConnected { code: refusal.code as u8, reason: &refusal.reason };
                self.send(&message, terms.deadline)?;
                if refusal.code == ConnectCode::Denied {
                    terms.denied = Some(refusal.reason);
                }
            }
        }
        Ok(())
    }
}

fn ready(answer: FromHost<'_>) -> Result<Result<(), String>, Failure> {
    match answer {
        FromHost::Ready => Ok(Ok(())),
        FromHost::Failed(reason) => Ok(Err(reason.to_owned())),
        other => Err(unexpected(&other)),
    }
}

/// The failure of an answer to another question.
pub fn unexpected(answer: &FromHost<'_>) -> Failure {
    let kind = match answer {
        FromHost::Ready => "`ready`",
        FromHost::Failed(_) => "`failed`",
        FromHost::Described(_) => "a description",
        FromHost::Returned(_) | FromHost::Raised(_) | FromHost::TooLarge | FromHost::Unusable(_) => "a result",
        FromHost::Log { .. } | FromHost::Connect { .. } => "a request",
    };
    Failure::Broken(format!("{kind} came out of turn"))
}

fn log(border: &Border, level: u8, text: &str) {
    let prefix = match level {
        0 => "debug: ",
        2 => "warning: ",
        3 => "error: ",
        _ => "",
    };
    border.log.write(&border.identity.plugin, &format!("{prefix}{text}"));
}
