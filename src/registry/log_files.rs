//! A registry's log as a witness reads it: nothing comes from a cache, and nothing is remembered here.

use bytes::Bytes;
use pocket_index::layout;
use pocket_index::log::{Tiles, tiles_for_consistency};

use super::client::SMALL_FILE;
use super::error::{RegistryError, TransportError};
use super::token::Token;
use super::transport::{Freshness, Transport};
use super::{ArchiveCache, Location, Network};
use crate::home::Home;

/// The files of a log, wherever it is. Nothing of them is checked.
pub struct LogFiles {
    location: Location,
    transport: Transport,
}

impl LogFiles {
    /// The log of the registry at this place, which is shown the token, if there is one.
    ///
    /// # Errors
    /// HTTP cannot be set up.
    pub fn at(location: Location, home: &Home, token: Option<&Token>) -> Result<Self, RegistryError> {
        let trouble = ArchiveCache::at(&home.cache()).trouble().clone();
        match Transport::new(&location, &home.cache(), Network::Online, trouble, token) {
            Ok(transport) => Ok(Self { location, transport }),
            Err(source) => Err(RegistryError::Transport { registry: location.to_string(), source }),
        }
    }

    /// The checkpoint that it shows now.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn checkpoint(&self) -> Result<Bytes, RegistryError> {
        let read = self.transport.read(layout::CHECKPOINT, SMALL_FILE, Freshness::Anew).await;
        read.map_err(|source| self.failed(source))
    }

    /// The tiles that show how a log of `old` leaves became one of `new`.
    ///
    /// # Errors
    /// One cannot be read.
    pub async fn tiles(&self, old: u64, new: u64) -> Result<Tiles, RegistryError> {
        let mut tiles = Tiles::new();
        for path in tiles_for_consistency(old, new) {
            let read = self.transport.read_tile(&path, Freshness::Anew).await;
            tiles.insert(path, read.map_err(|source| self.failed(source))?.to_vec());
        }
        Ok(tiles)
    }

    fn failed(&self, source: TransportError) -> RegistryError {
        RegistryError::Transport { registry: self.location.to_string(), source }
    }
}
