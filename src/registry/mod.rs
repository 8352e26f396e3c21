//! Reading and writing registries: the only room that touches the network for packages.

mod age;
mod cache;
mod client;
mod clock;
mod copy;
mod dated;
mod error;
mod find;
pub mod forge;
mod http;
mod location;
mod log_files;
mod memory;
mod monitor;
mod opening;
mod order;
mod transport;
mod witnesses;

pub use age::{Access, DEFAULT_MAX_AGE, Notice, Stale, Staleness};
pub use cache::ArchiveCache;
pub use client::Registry;
pub use clock::{EarlyOwners, now};
pub use dated::Backwards;
pub use error::{RegistryError, TransportError};
pub use find::Listed;
pub use http::Http;
pub use location::{Location, LocationError};
pub use log_files::LogFiles;
pub use memory::{Kept, OtherLine};
pub use monitor::{Archives, Audit, Difference};
pub use opening::{Expected, Opened};
pub use witnesses::DemandedWitnesses;

/// Whether the network may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Online,
    /// Only what is on this machine: caches, `file://` and the bundled registry.
    Offline,
}
