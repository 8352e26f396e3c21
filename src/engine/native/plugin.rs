//! A native plugin as the engine sees it: its processes are started when they are needed, asked one call at a time each, and
//! replaced when they die.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pocket_index::digest::Digest;

use super::death;
use super::history::History;
use super::library::{self, SealedLibrary};
use super::message::{Confined, Confinement, FromHost, LoadOrder, ToHost};
use super::pool::{NoPlace, Place, Pool};
use super::session::{Failure, Session, Terms, unexpected};
use crate::engine::access::HttpClient;
use crate::engine::envelope::{decode_error, decode_reply};
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::log::Severity;
use crate::engine::plugin::{Border, Call, PluginFiles, Reply, Usage};

/// How native plugins are held.
#[derive(Debug, Clone)]
pub struct NativeOptions {
    /// The program that is executed as `<program> __plugin-host`.
    pub host_program: PathBuf,
    /// What the library's file must be; `None` takes what is there.
    pub library_digest: Option<Digest>,
    /// What to do where the kernel cannot confine the process.
    pub confinement: Confinement,
}

/// A plugin in processes of its own: one, or as many as its manifest's `instances` say. They start with the calls.
pub struct NativePlugin {
    holding: Holding,
    history: History,
    /// A process has one call at a time: a deadline ends it, and must not end another's call with it.
    sessions: Pool<Session>,
    /// How often a process took the place of one that had ended.
    restarts: AtomicU64,
}

/// What every process of a plugin is started with.
pub(super) struct Holding {
    pub(super) border: Border,
    pub(super) http: HttpClient,
    pub(super) library: SealedLibrary,
    pub(super) host_program: PathBuf,
    pub(super) confinement: Confinement,
}

/// A node's answer, not yet read.
enum Answer {
    Returned(String),
    Raised(String),
    TooLarge,
    Unusable(String),
}

impl NativePlugin {
    /// Reads and checks the library; starts nothing.
    pub fn load(files: &PluginFiles, border: Border, options: NativeOptions) -> Result<Self, CallError> {
        let path = library::path_in(files)?;
        let library =
            SealedLibrary::open(&path, options.library_digest).map_err(|error| CallError::load(error.to_string()))?;
        let history = History::new(&border.identity.plugin, files.manifest.failure);
        let NativeOptions { host_program, confinement, .. } = options;
        let http = HttpClient::with_resolver(border.resolver.clone());
        let holding = Holding { border, http, library, host_program, confinement };
        let sessions = Pool::new(usize::from(files.manifest.instances));
        Ok(Self { holding, history, sessions, restarts: AtomicU64::new(0) })
    }

    /// Runs one call to its end or its deadline. Calls wait for each other when all processes are busy.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let border = &self.holding.border;
        let mut terms = Terms { border, http: &self.holding.http, deadline: call.context.deadline, denied: None };
        let mut place = self.place(call.node_type, terms.deadline)?;
        self.start_if_needed(&mut place, call.node_type, &mut terms)?;
        let (config, input) = (call.config.to_string(), call.input.to_string());
        let context = border.identity.context(&call.context);
        let message = ToHost::Call { node: call.node_type, config: &config, input: &input, context: &context };
        let answer =
            self.with_session(&mut place, call.node_type, |session| session.ask(&message, &mut terms, Answer::new)?)?;
        drop(place);
        self.history.worked();
        self.reply(call.node_type, answer, terms.denied)
    }

    /// Refuses further calls, waits until those that run have ended or the deadline has passed, and stops the processes.
    pub fn unload(&self, deadline: Instant) {
        let mut sessions = self.sessions.close(deadline);
        sessions.iter_mut().for_each(Session::stop);
        sessions.into_iter().for_each(|session| session.end(&self.holding.border));
    }

    /// What its processes used so far. Those that have a call are not asked.
    pub fn usage(&self) -> Usage {
        let used = self.sessions.idle(Session::usage);
        Usage {
            restarts: self.restarts.load(Ordering::Relaxed),
            memory_peak: used.iter().filter_map(|usage| usage.memory_peak).max(),
            processor: used.iter().filter_map(|usage| usage.processor).reduce(|one, other| one + other),
        }
    }

    fn place(&self, node_type: &str, deadline: Instant) -> Result<Place<'_, Session>, CallError> {
        let border = &self.holding.border;
        self.sessions.take(deadline).map_err(|reason| match reason {
            NoPlace::Deadline => CallError::timeout(node_type, border.limits.timeout),
            NoPlace::Closed => {
                let plugin = &border.identity.plugin;
                CallError::load(format!(
                    "`{plugin}` was unloaded: it takes no more calls, such as this of `{node_type}`"
                ))
            }
        })
    }

    /// Starts a process, and the plugin in it, unless a living one is there.
    fn start_if_needed(
        &self,
        place: &mut Place<'_, Session>,
        node_type: &str,
        terms: &mut Terms<'_>,
    ) -> Result<(), CallError> {
        let border = &self.holding.border;
        if let Some(death) = place.as_ref().and_then(Session::has_died) {
            let error = self.holding.death_error(&death, &border.identity.plugin);
            let message = format!("between two calls, {}", error.message);
            border.log.write_as(Severity::Error, &border.identity.plugin, &message);
            self.history.died(&error, Instant::now());
            **place = None;
        }
        if place.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        let start = self.history.next_start(now, terms.deadline)?;
        if self.history.has_deaths() {
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(start - now);
        let settings = serde_json::to_string(&border.identity.settings).expect("JSON values always serialize");
        **place = Some(self.holding.start_process()?);
        let order = self.holding.order();
        let loaded = self.with_session(place, node_type, |session| session.load(&order, &self.holding.library, terms));
        let loaded = loaded.and_then(|loaded| self.holding.accept(loaded));
        let started = loaded.and_then(|()| {
            let started = self.with_session(place, node_type, |session| session.start_plugin(&settings, terms))?;
            started.map_err(|reason| plugin_error(decode_error(&reason), terms.denied.take()))
        });
        if started.is_err() {
            **place = None; // a plugin that did not start is not asked again
        }
        started
    }

    /// Uses the session; a failure ends it and becomes the call's error.
    fn with_session<T>(
        &self,
        place: &mut Place<'_, Session>,
        node_type: &str,
        ask: impl FnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, CallError> {
        let mut session = place.take().expect("it was just started");
        match ask(&mut session) {
            Ok(answer) => {
                **place = Some(session);
                Ok(answer)
            }
            Err(failure) => {
                let error = self.holding.failure_error(failure, session, node_type);
                self.history.died(&error, Instant::now());
                Err(error)
            }
        }
    }

    fn reply(&self, node_type: &str, answer: Answer, denied: Option<String>) -> Result<Reply, CallError> {
        let limits = self.holding.border.limits;
        match answer {
            Answer::Returned(text) => decode_reply(node_type, &text, limits.output),
            Answer::Raised(text) => Err(plugin_error(decode_error(&text), denied)),
            Answer::TooLarge => Err(CallError::output_too_large(node_type, limits.output)),
            Answer::Unusable(reason) => {
                Err(CallError::crashed(format!("`{node_type}` returned a broken reply: {reason}")))
            }
        }
    }
}

impl Drop for NativePlugin {
    /// Nobody can call any more, so nothing is waited for.
    fn drop(&mut self) {
        self.unload(Instant::now());
    }
}

impl Holding {
    /// A host process that has not loaded the library yet.
    pub(super) fn start_process(&self) -> Result<Session, CallError> {
        Session::start(&self.host_program, &self.border).map_err(|error| {
            let (program, plugin) = (self.host_program.display(), &self.border.identity.plugin);
            CallError::load(format!("cannot start `{program}` to hold `{plugin}`: {error}"))
        })
    }

    /// How the process confines itself.
    pub(super) fn order(&self) -> LoadOrder {
        LoadOrder::new(&self.border, self.confinement)
    }

    /// What the host says about loading: a reason against it is an error, and a process that is not confined is told each time.
    pub(super) fn accept(&self, loaded: Result<Confined, String>) -> Result<(), CallError> {
        let plugin = &self.border.identity.plugin;
        let confined =
            loaded.map_err(|reason| CallError::load(format!("cannot load the native plugin `{plugin}`: {reason}")))?;
        if let Some(warning) = confined.warning(plugin) {
            self.border.log.write_as(Severity::Warning, plugin, &warning);
        }
        Ok(())
    }

    /// Ends the session of a failed question.
    pub(super) fn failure_error(&self, failure: Failure, session: Session, node_type: &str) -> CallError {
        let limits = self.border.limits;
        if let Failure::Died = failure {
            return match session.death() {
                Some(death) => self.death_error(&death, node_type),
                None => death::hung_up(node_type),
            };
        }
        session.kill();
        match failure {
            Failure::Died => death::hung_up(node_type),
            Failure::TimedOut => CallError::timeout(node_type, limits.timeout),
            Failure::TooLarge => CallError::output_too_large(node_type, limits.output),
            Failure::Broken(reason) => {
                CallError::crashed(format!("`{node_type}` broke its conversation with the engine: {reason}"))
            }
        }
    }

    fn death_error(&self, death: &super::watch::Death, node_type: &str) -> CallError {
        death::error_of(death, node_type, self.border.limits, |place| self.library.symbol_at(place))
    }
}

impl Answer {
    fn new(answer: FromHost<'_>) -> Result<Self, Failure> {
        Ok(match answer {
            FromHost::Returned(text) => Self::Returned(text.to_owned()),
            FromHost::Raised(text) => Self::Raised(text.to_owned()),
            FromHost::TooLarge => Self::TooLarge,
            FromHost::Unusable(reason) => Self::Unusable(reason.to_owned()),
            other => return Err(unexpected(&other)),
        })
    }
}

/// An error that follows a denial is that denial's: the plugin's own words for it may be anything.
fn plugin_error(mut error: CallError, denied: Option<String>) -> CallError {
    if let Some(denied) = denied {
        error.kind = CallErrorKind::Denied;
        if !error.message.contains(&denied) {
            error.message = format!("{denied}; the plugin says: {}", error.message);
        }
    }
    error
}
