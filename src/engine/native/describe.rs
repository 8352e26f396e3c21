//! Asks a library without a manifest for one.

use std::path::Path;
use std::time::{Duration, Instant};

use super::library::SealedLibrary;
use super::message::{FromHost, ToHost};
use super::plugin::{Holding, NativeOptions};
use super::session::{Failure, Session, Terms, unexpected};
use crate::engine::access::{HttpClient, Resolver};
use crate::engine::budget::Limits;
use crate::engine::envelope::Identity;
use crate::engine::error::CallError;
use crate::engine::grants::Grants;
use crate::engine::log::PluginLog;
use crate::engine::plugin::Border;

/// A library that describes itself has this long: it only returns a constant.
const DESCRIBING_TIME: Duration = Duration::from_secs(10);

/// The manifest of a library as JSON text, or `None` when it does not describe itself. It is loaded without any grant.
pub fn describe(library: &Path, options: &NativeOptions) -> Result<Option<String>, CallError> {
    let name = library.file_stem().map_or_else(|| "plugin".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let library =
        SealedLibrary::open(library, options.library_digest).map_err(|error| CallError::load(error.to_string()))?;
    let identity = Identity { plugin: name.clone(), version: String::new(), settings: serde_json::Map::new() };
    let border = Border {
        identity,
        grants: Grants::default(),
        limits: Limits::default(),
        log: PluginLog::default(),
        sampler: None,
        resolver: Resolver::default(),
    };
    let NativeOptions { host_program, confinement, .. } = options.clone();
    let holding = Holding { border, http: HttpClient::default(), library, host_program, confinement };
    let mut session = holding.start_process()?;
    match ask(&holding, &mut session) {
        Ok(described) => described,
        Err(failure) => Err(holding.failure_error(failure, session, &name)),
    }
}

fn ask(holding: &Holding, session: &mut Session) -> Result<Result<Option<String>, CallError>, Failure> {
    let mut terms = Terms {
        border: &holding.border,
        http: &holding.http,
        deadline: Instant::now() + DESCRIBING_TIME,
        denied: None,
    };
    let loaded = session.load(&holding.order(), &holding.library, &mut terms)?;
    if let Err(error) = holding.accept(loaded) {
        return Ok(Err(error));
    }
    session.ask(&ToHost::Describe, &mut terms, |answer| match answer {
        FromHost::Described(text) => Ok(Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))),
        FromHost::Unusable(reason) => {
            let plugin = &holding.border.identity.plugin;
            Ok(Err(CallError::load(format!("cannot load the native plugin `{plugin}`: {reason}"))))
        }
        other => Err(unexpected(&other)),
    })?
}
