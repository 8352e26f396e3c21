//! The registry server: serves a registry's static files and accepts publishes.
//!
//! Reading needs nothing but the files below `tree/`; any web server can serve them instead. Writing goes through one
//! route that checks everything a client checks, then appends to the log. [`witness`] is a server of its own, which watches
//! such logs.
//!
//! | room | what it does |
//! |---|---|
//! | `serve` | connections, TLS, limits, metrics |
//! | `routes`, `files` | what is answered, static files |
//! | `accounts`, `access` | tokens; who may read and write |
//! | `web`, `pages`, `api` | what people see, and what their tools ask |
//! | `catalog`, `details`, `histories`, `stats`, `view` | the search list, what stands in archives and index files, downloads, and one plugin of all that |
//! | `publish` | takes an event and its archives in and checks them |
//! | `writer` | decides what comes next in the log, and puts it into the tree |
//! | `registry` | opens or founds a registry; its key |
//! | `storage` | a folder or a bucket |
//! | `copy`, `pull` | copies of a registry: made at once, or as they are asked for |
//! | `gc`, `listing`, `operate` | clearing up, keeping the search list short, commands |
//! | `arguments` | options as they are typed, set or written |

mod access;
mod accounts;
mod api;
pub mod arguments;
mod catalog;
mod checkpoint;
mod collect;
mod config;
mod copy;
mod details;
mod error;
mod files;
mod gc;
mod histories;
mod listing;
pub mod operate;
mod pages;
mod publish;
mod pull;
mod recovery;
mod registry;
mod routes;
mod serve;
mod stats;
mod storage;
#[cfg(test)]
mod testing;
mod view;
mod web;
pub mod witness;
mod writer;

pub use accounts::{Scope, TokenCommand, TokenError};
pub use checkpoint::{Refreshed, refresh};
pub use collect::{AskError, TooFewWitnesses};
pub use config::{
    DEFAULT_RECOVERY_DELAY, Exposure, Limits, Options, PATIENCE, Seed, Source, Tokens, WitnessAt, WitnessAtError,
    Witnesses, parse_recovery_delay,
};
pub use copy::Secret;
pub use error::RegistryError;
pub use operate::{Done, Operation, Outcome};
pub use pull::Upstream;
pub use recovery::{Announced, NewOwners};
pub use registry::Registry;
pub use serve::{Server, TlsFiles, serve_until_stopped};
pub use storage::{BucketOptions, Fault, StorageError};
