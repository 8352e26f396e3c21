//! The conversation with one host process: ask, serve what it asks meanwhile, take the answer. All before a deadline.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::broker::{Broker, Refusal, RefusalCode};
use super::frame::{FrameError, OVERHEAD};
use super::library::SealedLibrary;
use super::link::Link;
use super::message::{Confined, FromHost, LoadOrder, ToHost};
use super::process::HostProcess;
use super::usage::Allowance;
use super::watch::{Death, Watched};
use crate::engine::access::HttpClient;
use crate::engine::log::Severity;
use crate::engine::plugin::{Border, Usage};

/// 1 MiB: what a message may have at least, so that a manifest or an error fits where outputs must be small.
const MIN_FRAME_LIMIT: u64 = 1 << 20;

/// 8 MiB for the host itself: what it needs to hold a call's texts and its result beside the plugin.
const HOST_MEMORY: u64 = 8 << 20;

/// How long a plugin has to stop: what the header promises.
const STOPPING_TIME: Duration = Duration::from_secs(1);

/// One host process and the socket to it.
pub struct Session {
    process: HostProcess,
    link: Link,
    /// The number of the last question. An answer to another one is none.
    asked: u32,
}

/// What a question stands under.
pub struct Terms<'a> {
    /// What the plugin may do and use.
    pub border: &'a Border,
    /// The plugin's connections to web servers.
    pub http: &'a HttpClient,
    /// When the answer must be there.
    pub deadline: Instant,
    /// What was denied to the plugin meanwhile, last.
    pub denied: Option<String>,
}

impl<'a> Terms<'a> {
    fn broker(&self) -> Broker<'a> {
        Broker { border: self.border, http: self.http, deadline: self.deadline }
    }
}

/// Why there is no answer. The session is of no use any more.
#[derive(Debug)]
pub enum Failure {
    /// The deadline passed.
    TimedOut,
    /// The answer is larger than allowed.
    TooLarge,
    /// The process ended, or closed the socket.
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

impl Session {
    /// Starts a host process for the plugin of `border`. Nothing of the plugin is loaded yet.
    pub fn start(program: &Path, border: &Border) -> io::Result<Self> {
        let memory = border.limits.memory.saturating_add(HOST_MEMORY);
        let allowance = Allowance { memory, threads: border.limits.threads.into() };
        let watched = Watched { plugin: border.identity.plugin.clone(), log: border.log.clone(), allowance };
        // Relative paths start where those of its manifest do.
        let base = Some(border.grants.base()).filter(|base| !base.as_os_str().is_empty());
        let (process, socket) = HostProcess::start(program, base.unwrap_or(Path::new(".")), watched)?;
        Ok(Self { process, link: Link::new(socket), asked: 0 })
    }

    /// Has the process confine itself and load `library`; returns how it is confined. The inner error is the reason that the host gives.
    pub fn load(
        &mut self,
        order: &LoadOrder,
        library: &SealedLibrary,
        terms: &mut Terms<'_>,
    ) -> Result<Result<Confined, String>, Failure> {
        let order = serde_json::to_vec(order).expect("strings and numbers always serialize");
        self.link.send_with(self.asked, &ToHost::Load(&order), library.as_fd(), terms.deadline)?;
        let confined = self.answer(terms, |answer| match answer {
            FromHost::Confined(confined) => Ok(Ok(confined)),
            FromHost::Failed(reason) => Ok(Err(reason.to_owned())),
            other => Err(unexpected(&other)),
        })??;
        match confined {
            Ok(confined) => Ok(self.answer(terms, ready)??.map(|()| confined)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Has the plugin start with `settings`. The inner error is the plugin's.
    pub fn start_plugin(&mut self, settings: &str, terms: &mut Terms<'_>) -> Result<Result<(), String>, Failure> {
        self.ask(&ToHost::Start(settings), terms, ready)?
    }

    /// Sends `message` and hands the answer to `read`.
    pub fn ask<T>(
        &mut self,
        message: &ToHost<'_>,
        terms: &mut Terms<'_>,
        read: impl FnOnce(FromHost<'_>) -> T,
    ) -> Result<T, Failure> {
        self.asked = self.asked.wrapping_add(1);
        self.link.send(self.asked, message, terms.deadline)?;
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

    /// The death of a process that closed its socket: it has a moment to finish dying. `None` if it only closed the socket;
    /// it is killed then.
    pub fn death(self) -> Option<Death> {
        self.process.wait(STOPPING_TIME)
    }

    /// Ends the process at once.
    pub fn kill(self) -> Death {
        self.process.kill()
    }

    /// Tells the plugin to stop. [`Session::end`] ends the process.
    pub fn stop(&mut self) {
        // A process that does not listen is killed like one that does not stop.
        let _ = self.link.send(self.asked, &ToHost::Stop, Instant::now() + STOPPING_TIME);
    }

    /// Waits for the process of a stopped plugin to end, writing down what it says meanwhile, and ends it.
    pub fn end(mut self, border: &Border) {
        let deadline = Instant::now() + STOPPING_TIME;
        while let Ok(body) = self.link.receive(usize::try_from(MIN_FRAME_LIMIT).unwrap_or(usize::MAX), deadline) {
            // Nothing else is served any more.
            if let Ok((_, FromHost::Log { level, text })) = FromHost::decode(&body) {
                log(border, level, text);
            }
        }
        if self.process.wait(deadline.saturating_duration_since(Instant::now())).is_none() {
            self.process.kill();
        }
    }

    fn answer<T>(&mut self, terms: &mut Terms<'_>, read: impl FnOnce(FromHost<'_>) -> T) -> Result<T, Failure> {
        // A request to the host may carry more than a result.
        let limit = terms.border.limits.output.max(terms.border.limits.transfer).max(MIN_FRAME_LIMIT);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(OVERHEAD);
        loop {
            let body = self.link.receive(limit, terms.deadline)?;
            match FromHost::decode(&body)? {
                (_, FromHost::Log { level, text }) => log(terms.border, level, text),
                (_, FromHost::Connect { host, port }) => self.connect(host, port, terms)?,
                (_, FromHost::Http { request, body }) => self.http(request, body, terms)?,
                (number, answer) if number == self.asked => return Ok(read(answer)),
                (_, answer) => return Err(unexpected(&answer)),
            }
        }
    }

    fn connect(&mut self, host: &str, port: u16, terms: &mut Terms<'_>) -> Result<(), Failure> {
        match terms.broker().connect(host, port) {
            Ok(stream) => Ok(self.link.send_with(self.asked, &ToHost::Connected, stream.as_fd(), terms.deadline)?),
            Err(refusal) => self.refuse(refusal, terms),
        }
    }

    fn http(&mut self, request: &str, body: &[u8], terms: &mut Terms<'_>) -> Result<(), Failure> {
        match terms.broker().send(request, body) {
            Ok((head, body)) => {
                Ok(self.link.send(self.asked, &ToHost::Answered { head: &head, body: &body }, terms.deadline)?)
            }
            Err(refusal) => self.refuse(refusal, terms),
        }
    }

    fn refuse(&mut self, refusal: Refusal, terms: &mut Terms<'_>) -> Result<(), Failure> {
        let message = ToHost::Refused { code: refusal.code as u8, reason: &refusal.reason };
        self.link.send(self.asked, &message, terms.deadline)?;
        if refusal.code == RefusalCode::Denied {
            terms.denied = Some(refusal.reason);
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
        FromHost::Confined(_) => "`confined`",
        FromHost::Described(_) => "a description",
        FromHost::Returned(_) | FromHost::Raised(_) | FromHost::TooLarge | FromHost::Unusable(_) => "a result",
        FromHost::Log { .. } | FromHost::Connect { .. } | FromHost::Http { .. } => "a request",
    };
    Failure::Broken(format!("{kind} came out of turn"))
}

fn log(border: &Border, level: u8, text: &str) {
    let severity = match level {
        0 => Severity::Debug,
        2 => Severity::Warning,
        3 => Severity::Error,
        _ => Severity::Info,
    };
    border.log.write_as(severity, &border.identity.plugin, text);
}
