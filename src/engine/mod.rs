//! Runs foreign code: plugins of three runtimes behind one contract, always with grants and a budget.
//!
//! [`Engine::load`] turns an installed folder into a [`Plugin`]; [`Plugin::call`] runs one of its nodes. What crosses the
//! border is JSON in the shapes of [`envelope`], whatever the runtime is.

pub mod access;
pub mod budget;
pub mod envelope;
pub mod error;
pub mod grants;
pub mod inspect;
pub mod log;
pub mod lua;
// Elsewhere than on Linux the same names exist and say why there are no native plugins.
#[cfg_attr(not(target_os = "linux"), path = "native/unsupported.rs")]
pub mod native;
pub mod plugin;
pub mod sampler;
mod timer;
pub mod wasm;
mod withheld;

#[cfg(test)]
mod testing;

pub use budget::{Limit, LimitError, Limits};
pub use error::{CallError, CallErrorKind};
pub use grants::{GrantedWords, Grants, Reach};
pub use plugin::{Asked, Call, CallContext, Engine, EngineOptions, Plugin, PluginFiles, Reply, Usage};
pub use sampler::Sampler;
