//! A new registry. `config.json` comes last: without it, the next start begins anew.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use pocket_index::append::{self, Write};
use pocket_index::config::Config;
use pocket_index::log::{Checkpoint, NodeHash, NoteSigner, keys_digest};
use pocket_index::name::RegistryName;
use pocket_index::record::Policy;
use pocket_index::search::Listing;
use pocket_index::signature::PublicKey;
use pocket_index::{bundled, layout};

use super::key;
use crate::config::Seed;
use crate::error::chain;
use crate::storage::{Condition, Put, Storage, in_tree};
use crate::{RegistryError, checkpoint};

/// Where clients publish, relative to the registry's root.
const API: &str = "api/v1/";
/// How many files are written at once.
const AT_ONCE: usize = 16;

pub(super) async fn found(storage: &dyn Storage, key: &Path, seed: Seed) -> Result<(), RegistryError> {
    let place = PathBuf::from(storage.place());
    let damaged = |message: String| RegistryError::Damaged { path: place.join("tree"), message };
    let without = |size: u64| {
        damaged(format!("it has a log of {size} events and no `config.json`; restore that file from a backup"))
    };
    let begun = storage.read(&in_tree(layout::CHECKPOINT)).await?;
    if begun.is_some() && !key.exists() {
        return Err(damaged(format!("it has a log, and neither `config.json` nor the key `{}`", key.display())));
    }
    let secret = key::make(key)?;
    let public = secret.public();
    let origin = format!("pocket-registry/{}", &public.to_string()["ed25519:".len()..][..16]);
    let signer = NoteSigner::new(&origin, secret).map_err(|error| damaged(error.to_string()))?;
    let (first, size) = match seed {
        Seed::Empty => (append::start(&signer, &Policy::new([public]), checkpoint::now()?), 0),
        Seed::Bundled => {
            copy_bundled(storage).await?;
            let checkpoint = bundled_checkpoint(&signer)?;
            (vec![Write::of_checkpoint(&checkpoint)], checkpoint.size())
        }
    };
    for write in first {
        create(storage, &write.path, write.bytes.into()).await?;
    }
    // Another server may found the same registry; with another key it would be another one.
    let there = storage.read(&in_tree(layout::CHECKPOINT)).await?.map(|stored| stored.bytes).unwrap_or_default();
    let there = Checkpoint::open(&there, signer.key()).map_err(|error| damaged(chain(&error)))?;
    if there.size() != size {
        return Err(without(there.size()));
    }
    create(storage, layout::SEARCH, Listing::default().to_text().into()).await?;
    let config = config(&signer, public).to_text();
    create(storage, layout::CONFIG, config.into()).await
}

fn config(signer: &NoteSigner, public: PublicKey) -> Config {
    Config {
        name: "local".parse::<RegistryName>().expect("a constant name is valid"),
        log: Some(signer.key().clone()),
        keys: vec![public],
        auth_required: false,
        api: Some(API.to_owned()),
    }
}

async fn create(storage: &dyn Storage, path: &str, bytes: Bytes) -> Result<(), RegistryError> {
    let (Put::Done(_) | Put::Refused) = storage.put(&in_tree(path), bytes, Condition::Absent).await?;
    Ok(())
}

/// The bundled log goes on under this registry's own key: the same leaves, so the same root.
async fn copy_bundled(storage: &dyn Storage) -> Result<(), RegistryError> {
    let paths = bundled::paths().filter(|path| path != layout::CONFIG && path != layout::CHECKPOINT);
    let copies = paths.map(|path| {
        let content = Bytes::from(bundled::file(&path).unwrap_or_default().to_vec());
        async move { create(storage, &path, content).await }
    });
    stream::iter(copies.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await
}

/// It says nothing of its time yet: that does who opens the registry.
fn bundled_checkpoint(signer: &NoteSigner) -> Result<Checkpoint, RegistryError> {
    let (size, root) = bundled_head()?;
    Ok(Checkpoint::sign(size, root, keys_digest([&signer.key().public()]), signer))
}

fn bundled_head() -> Result<(u64, NodeHash), RegistryError> {
    let note = bundled::file(layout::CHECKPOINT).unwrap_or_default();
    let checkpoint = Checkpoint::open_pinned(&note, bundled::checkpoint_digest());
    let checkpoint = checkpoint
        .map_err(|error| RegistryError::Damaged { path: PathBuf::from("the bundled index"), message: chain(&error) })?;
    Ok((checkpoint.size(), checkpoint.head().root))
}
