//! Reading and writing registries: the only room that touches the network for packages.

mod cache;
mod client;
mod copy;
mod error;
pub mod forge;
mod http;
mod location;
mod log_files;
mod memory;
mod monitor;
mod transport;
mod witnesses;

pub use cache::ArchiveCache;
pub use client::{Expected, Opened, Registry};
pub use error::{RegistryError, TransportError};
pub use log_files::LogFiles;
pub use http::Http;
pub use location::{Location, LocationError};
pub use memory::{Kept, OtherLine};
pub use monitor::{Archives, Audit, Difference};
pub use witnesses::DemandedWitnesses;

/// Whether the network may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Online,
    /// Only what is on this machine: caches, `file://` and the bundled registry.
    Offline,
}
