//! Tiles for a proof, which asks for them one by one and cannot wait.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

use pocket_index::log::{TileError, TilePath, TileSource};

use crate::storage::{Storage, in_tree};

/// The tiles that were fetched so far, and the one that was asked for in vain.
#[derive(Default)]
pub(super) struct Fetched {
    tiles: HashMap<TilePath, io::Result<Vec<u8>>>,
    missing: Mutex<Option<TilePath>>,
}

impl TileSource for Fetched {
    fn tile(&self, path: &TilePath) -> io::Result<Vec<u8>> {
        match self.tiles.get(path) {
            Some(Ok(bytes)) => Ok(bytes.clone()),
            Some(Err(error)) => Err(io::Error::new(error.kind(), error.to_string())),
            None => {
                *self.missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(*path);
                Err(io::ErrorKind::NotFound.into())
            }
        }
    }
}

/// Proves something with the tiles that are stored. It begins anew with each tile that it needs: there are few.
pub(super) async fn with<T>(
    storage: &dyn Storage,
    prove: impl Fn(&Fetched) -> Result<T, TileError>,
) -> Result<T, TileError> {
    let mut fetched = Fetched::default();
    loop {
        let proved = prove(&fetched);
        let missing = fetched.missing.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(path) = missing else { return proved };
        let tile = storage.read(&in_tree(&path.to_string())).await.map_err(io::Error::other);
        let found = tile.and_then(|tile| tile.ok_or_else(|| io::ErrorKind::NotFound.into()));
        fetched.tiles.insert(path, found.map(|tile| tile.bytes.to_vec()));
    }
}
