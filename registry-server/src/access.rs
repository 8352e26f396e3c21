//! Who may do what. Every route that writes asks here before it reads the body, and again once it knows what the body is about.

use axum::http::HeaderMap;
use pocket_index::name::PluginName;

use crate::Registry;
use crate::error::ApiError;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send an event and its archives.
    Publish,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody said. Who signed the event says who may publish it.
    Anybody,
}

/// Who sends these headers, if they may do this at all.
pub(crate) async fn authorise(_: &Registry, _: &HeaderMap, action: Action) -> Result<Caller, ApiError> {
    match action {
        Action::Publish => Ok(Caller::Anybody),
    }
}

/// Whether the caller may write about this plugin.
pub(crate) fn may_write(caller: &Caller, _: &PluginName) -> Result<(), ApiError> {
    match caller {
        Caller::Anybody => Ok(()),
    }
}
