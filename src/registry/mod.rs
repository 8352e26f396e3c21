//! Reading and writing registries: the only room that touches the network for packages.

mod cache;
mod client;
mod clock;
mod copy;
mod error;
pub mod forge;
mod http;
mod location;
mod memory;
mod monitor;
mod opening;
mod transport;

pub use cache::ArchiveCache;
pub use client::{Opened, Registry};
pub use clock::{EarlyOwners, now};
pub use error::{RegistryError, TransportError};
pub use http::Http;
pub use location::{Location, LocationError};
pub use memory::{Kept, OtherLine};
pub use monitor::{Archives, Audit, Difference};
pub use opening::Expected;

/// Whether the network may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Online,
    /// Only what is on this machine: caches, `file://` and the bundled registry.
    Offline,
}
