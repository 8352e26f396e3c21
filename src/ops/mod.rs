//! The verbs: each joins the rooms below into one thing that a user asks for.

mod allowed;
pub mod announce;
pub mod audit;
pub mod cache;
mod catalog;
pub mod check;
pub mod create;
mod error;
mod forges;
pub mod graph;
pub mod info;
pub mod install;
mod leftovers;
mod limits;
pub mod list;
pub mod local;
pub mod metrics;
pub mod monitor;
mod networks;
pub mod offered;
pub mod organisation;
pub mod pack;
pub mod permissions;
pub mod plugins;
mod policy;
mod probe;
pub mod profile;
pub mod publish;
pub mod recovery;
pub mod run;
pub mod search;
pub mod settings;
pub mod sources;
pub mod trace;
pub mod trial;
pub mod uninstall;
pub mod update;
pub mod verify;
#[cfg(feature = "registry")]
pub mod witness;
mod workspace;

pub use error::OpsError;
pub use organisation::OrganisationError;
pub use policy::PolicyError;
pub use workspace::{Reach, Scope, Workspace, log_level};
