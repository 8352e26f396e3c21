//! A native plugin as the engine sees it: started on first use, asked one call at a time, replaced when it dies.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pocket_index::digest::Digest;
use pocket_index::manifest::Binary;
use pocket_index::name::Target;
use pocket_index::permissions::Access;

use super::death;
use super::library::SealedLibrary;
use super::message::{Confinement, FromHost, LoadOrder, ToHost};
use super::seat::{Seat, Seated};
use super::session::{Failure, Session, Terms, unexpected};
use crate::engine::budget::Limits;
use crate::engine::envelope::{Identity, decode_error, decode_reply};
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::grants::Grants;
use crate::engine::log::PluginLog;
use crate::engine::plugin::{Border, Call, PluginFiles, Reply, Usage};

/// A library that describes itself has this long: it only returns a constant.
const DESCRIBING_TIME: Duration = Duration::from_secs(10);

/// How native plugins are held.
#[derive(Debug, Clone)]
pub struct NativeOptions {
    /// The program that is executed as `<program> __plugin-host`.
    pub host_program: PathBuf,
    /// What the library's file must be; `None` takes what is there.
    pub library_digest: Option<Digest>,
    /// What to do where the kernel cannot confine file access.
    pub confinement: Confinement,
}

/// A plugin in a process of its own. The process starts with the first call.
pub struct NativePlugin {
    border: Border,
    library: SealedLibrary,
    host_program: PathBuf,
    confinement: Confinement,
    /// One call at a time: a deadline ends the process, and must not end another's call with it.
    session: Seat<Option<Session>>,
    /// How often the process was started.
    starts: AtomicU64,
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
        let path = library_path(files)?;
        let library =
            SealedLibrary::open(&path, options.library_digest).map_err(|error| CallError::load(error.to_string()))?;
        Ok(Self {
            border,
            library,
            host_program: options.host_program,
            confinement: options.confinement,
            session: Seat::new(None),
            starts: AtomicU64::new(0),
        })
    }

    /// Runs one call to its end or its deadline. Calls from several threads run one after the other.
    pub fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let mut terms = Terms { border: &self.border, deadline: call.context.deadline, denied: None };
        let Some(mut seat) = self.session.take(terms.deadline) else {
            return Err(CallError::timeout(call.node_type, self.border.limits.timeout));
        };
        self.start_if_needed(&mut seat, call.node_type, &mut terms)?;
        let (config, input) = (call.config.to_string(), call.input.to_string());
        let context = self.border.identity.context(&call.context);
        let message = ToHost::Call { node: call.node_type, config: &config, input: &input, context: &context };
        let answer =
            self.with_session(&mut seat, call.node_type, |session| session.ask(&message, &mut terms, Answer::new)?)?;
        drop(seat);
        self.reply(call.node_type, answer, terms.denied)
    }

    /// Lets the plugin stop and ends its process. The next call starts a new one.
    pub fn stop(&self, deadline: Instant) {
        if let Some(session) = self.session.take(deadline).and_then(|mut seat| seat.take()) {
            session.stop();
        }
    }

    /// What its process used so far; nothing while a call has it, or where the system does not tell.
    pub fn usage(&self) -> Usage {
        let restarts = self.starts.load(Ordering::Relaxed).saturating_sub(1);
        let seat = self.session.take(Instant::now());
        let session = seat.as_ref().and_then(|seat| seat.as_ref());
        Usage { restarts, ..session.map_or_else(Usage::default, Session::usage) }
    }

    /// Starts the process, and the plugin in it, unless a living one is there.
    fn start_if_needed(
        &self,
        seat: &mut Seated<'_, Option<Session>>,
        node_type: &str,
        terms: &mut Terms<'_>,
    ) -> Result<(), CallError> {
        if let Some(death) = seat.as_ref().and_then(Session::has_died) {
            let error = death::error_of(&death, &self.border.identity.plugin, self.border.limits.memory);
            self.border.log.write(&self.border.identity.plugin, &format!("between two calls, {}", error.message));
            **seat = None;
        }
        if seat.is_some() {
            return Ok(());
        }
        let settings = serde_json::to_string(&self.border.identity.settings).expect("JSON values always serialize");
        let order = self.load_order();
        **seat = Some(start_process(&self.host_program, &self.border)?);
        self.starts.fetch_add(1, Ordering::Relaxed);
        let loaded = self.with_session(seat, node_type, |session| session.load(&order, &self.library, terms));
        let loaded = loaded.and_then(|loaded| loaded.map_err(|reason| load_error(&self.border, &reason)));
        let started = loaded.and_then(|()| {
            let started = self.with_session(seat, node_type, |session| session.start_plugin(&settings, terms))?;
            started.map_err(|reason| self.plugin_error(decode_error(&reason), terms.denied.take()))
        });
        if started.is_err() {
            **seat = None; // a plugin that did not start is not asked again
        }
        started
    }

    /// Uses the session; a failure ends it and becomes the call's error.
    fn with_session<T>(
        &self,
        seat: &mut Seated<'_, Option<Session>>,
        node_type: &str,
        ask: impl FnOnce(&Session) -> Result<T, Failure>,
    ) -> Result<T, CallError> {
        let session = seat.take().expect("it was just started");
        match ask(&session) {
            Ok(answer) => {
                **seat = Some(session);
                Ok(answer)
            }
            Err(failure) => Err(failure_error(failure, session, node_type, self.border.limits)),
        }
    }

    fn load_order(&self) -> LoadOrder {
        let grants = &self.border.grants;
        let folders = |access| {
            let granted = grants.folders().filter(move |folder| folder.access == access);
            granted.map(|folder| folder.path.clone()).collect()
        };
        LoadOrder {
            memory: self.border.limits.memory,
            output: self.border.limits.output,
            env: grants.env_values().collect(),
            read: folders(Access::Read),
            write: folders(Access::Write),
            confinement: self.confinement,
        }
    }

    fn reply(&self, node_type: &str, answer: Answer, denied: Option<String>) -> Result<Reply, CallError> {
        let limits = self.border.limits;
        match answer {
            Answer::Returned(text) => decode_reply(node_type, &text, limits.output),
            Answer::Raised(text) => Err(self.plugin_error(decode_error(&text), denied)),
            Answer::TooLarge => Err(CallError::output_too_large(node_type, limits.output)),
            Answer::Unusable(reason) => {
                Err(CallError::crashed(format!("`{node_type}` returned a broken reply: {reason}")))
            }
        }
    }

    /// An error that follows a denial is that denial's: the plugin's own words for it may be anything.
    fn plugin_error(&self, mut error: CallError, denied: Option<String>) -> CallError {
        if let Some(denied) = denied {
            error.kind = CallErrorKind::Denied;
            if !error.message.contains(&denied) {
                error.message = format!("{denied}; the plugin says: {}", error.message);
            }
        }
        error
    }
}

impl Drop for NativePlugin {
    fn drop(&mut self) {
        self.stop(Instant::now());
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

/// Asks a library without a manifest for one: JSON text, or `None` when it does not describe itself. It is loaded without
/// any grant.
pub fn describe(library: &Path, options: &NativeOptions) -> Result<Option<String>, CallError> {
    let name = library.file_stem().map_or_else(|| "plugin".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let sealed =
        SealedLibrary::open(library, options.library_digest).map_err(|error| CallError::load(error.to_string()))?;
    let identity = Identity { plugin: name.clone(), version: String::new(), settings: serde_json::Map::new() };
    let (grants, limits) = (Grants::default(), Limits::default());
    let border = Border { identity, grants, limits, log: PluginLog::default(), sampler: None };
    let mut terms = Terms { border: &border, deadline: Instant::now() + DESCRIBING_TIME, denied: None };
    let (memory, output) = (limits.memory, limits.output);
    let order =
        LoadOrder { memory, output, env: vec![], read: vec![], write: vec![], confinement: options.confinement };
    let session = start_process(&options.host_program, &border)?;
    let described = session.load(&order, &sealed, &mut terms).and_then(|loaded| match loaded {
        Ok(()) => session.ask(&ToHost::Describe, &mut terms, |answer| match answer {
            FromHost::Described(text) => Ok(Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))),
            FromHost::Unusable(reason) => Ok(Err(reason.to_owned())),
            other => Err(unexpected(&other)),
        })?,
        Err(reason) => Ok(Err(reason)),
    });
    match described {
        Ok(Ok(manifest)) => Ok(manifest),
        Ok(Err(reason)) => Err(load_error(&border, &reason)),
        Err(failure) => Err(failure_error(failure, session, &name, limits)),
    }
}

fn start_process(program: &Path, border: &Border) -> Result<Session, CallError> {
    Session::start(program, border).map_err(|error| {
        CallError::load(format!("cannot start `{}` to hold `{}`: {error}", program.display(), border.identity.plugin))
    })
}

fn load_error(border: &Border, reason: &str) -> CallError {
    CallError::load(format!("cannot load the native plugin `{}`: {reason}", border.identity.plugin))
}

fn failure_error(failure: Failure, session: Session, node_type: &str, limits: Limits) -> CallError {
    match failure {
        Failure::Died => death::error_of(&session.death(), node_type, limits.memory),
        Failure::TimedOut => {
            session.kill();
            CallError::timeout(node_type, limits.timeout)
        }
        Failure::OutOfMemory => {
            session.kill();
            CallError::out_of_memory(node_type, limits.memory)
        }
        Failure::TooLarge => {
            session.kill();
            CallError::output_too_large(node_type, limits.output)
        }
        Failure::Broken(reason) => {
            session.kill();
            CallError::crashed(format!("`{node_type}` broke its conversation with the engine: {reason}"))
        }
    }
}

/// The library for this machine.
fn library_path(files: &PluginFiles) -> Result<PathBuf, CallError> {
    let Some(Binary::PerTarget(paths)) = &files.manifest.binary else { return files.portable_binary() };
    let target = current_target();
    let path = paths.iter().find(|(known, _)| known.as_str() == target).map(|(_, path)| files.root.join(path));
    path.ok_or_else(|| {
        let known = paths.keys().map(Target::as_str).collect::<Vec<_>>().join("`, `");
        CallError::load(format!("`{}` has no library for `{target}`, only for `{known}`", files.manifest.name))
    })
}

/// The target that this program was built for.
fn current_target() -> String {
    let abi = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{abi}", std::env::consts::ARCH)
}
