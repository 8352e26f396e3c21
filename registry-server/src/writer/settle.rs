//! What was decided comes into the tree: the line, the log's files, then the checkpoint that publishes them, then the search list.

use futures_util::future::try_join_all;
use pocket_index::layout;
use pocket_index::log::Checkpoint;
use pocket_index::name::PluginName;
use pocket_index::record::History;
use pocket_index::search::{Listing, SearchEntry};

use super::head::{Change, HEAD, Head};
use super::{ATTEMPTS, Settled, Writer, back_off};
use crate::RegistryError;
use crate::error::chain;
use crate::storage::{Condition, Put, Stored, in_tree};

/// A search list, if it is one.
fn readable(stored: &Stored) -> Option<Listing> {
    Listing::parse(str::from_utf8(&stored.bytes).ok()?).ok()
}

impl Writer<'_> {
    /// Puts what was decided into the tree, if a crash or witnesses that did not answer kept it out, and tells where the log is.
    ///
    /// # Errors
    /// The files do not fit together, cannot be written, or too few witnesses cosign.
    pub async fn settle(&self) -> Result<Settled, RegistryError> {
        for attempt in 0..ATTEMPTS {
            // In this order: who decides after this read is noticed, for the condition is about what was read.
            let stored = self.storage().read(HEAD).await?;
            let head = stored.as_ref().map(|stored| Head::parse(&stored.bytes)).transpose();
            let head = head.map_err(|message| self.registry.damaged(HEAD, message))?;
            let (checkpoint, signed) = self.checkpoint().await?;
            match &head {
                Some(head) if self.is_ahead(head, &checkpoint, signed)? => self.put_into_tree(head, None).await?,
                _ => {
                    let condition = Condition::as_read(stored.as_ref());
                    let generation = head.as_ref().map_or(0, |head| head.generation + 1);
                    let plugin = head.and_then(|head| head.change).map(|change| change.plugin);
                    return Ok(Settled { checkpoint, signed, condition, generation, plugin });
                }
            }
            if attempt > 1 {
                back_off(attempt).await;
            }
        }
        Err(RegistryError::Busy { attempts: ATTEMPTS })
    }

    /// Writes the files of a head. Others may be at the same, or may have gone on from it: nothing newer is replaced.
    pub(super) async fn put_into_tree(&self, head: &Head, history: Option<&History>) -> Result<(), RegistryError> {
        if let Some(change) = &head.change {
            let line = self.add_line(change);
            let files = change.files.iter().map(async |file| {
                let bytes = file.bytes().map_err(|message| self.registry.damaged(HEAD, message))?;
                self.storage().put(&in_tree(&file.path), bytes, Condition::Always).await?;
                Ok::<_, RegistryError>(())
            });
            tokio::try_join!(line, try_join_all(files))?;
        }
        self.publish(head).await?;
        if let Some(change) = &head.change {
            self.list_or_tell(&change.plugin, history, head.generation).await;
        }
        Ok(())
    }

    /// Adds the line to its file, unless it is there.
    async fn add_line(&self, change: &Change) -> Result<(), RegistryError> {
        let path = layout::index_file(&change.plugin);
        for attempt in 0..ATTEMPTS {
            let stored = self.read(&path).await?;
            let mut text = stored.as_ref().map(|stored| stored.bytes.to_vec()).unwrap_or_default();
            let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
            if lines > change.seq {
                let place = usize::try_from(change.seq).unwrap_or(usize::MAX);
                let there = text.split(|byte| *byte == b'\n').nth(place);
                return if there == Some(change.line.as_bytes()) {
                    Ok(())
                } else {
                    let message = format!("line {} is another one than `{HEAD}` names", change.seq + 1);
                    Err(self.registry.damaged_file(&path, message))
                };
            }
            if lines < change.seq {
                let message = format!("it has {lines} lines, `{HEAD}` names line {}", change.seq + 1);
                return Err(self.registry.damaged_file(&path, message));
            }
            text.extend_from_slice(change.line.as_bytes());
            text.push(b'\n');
            let condition = Condition::as_read(stored.as_ref());
            match self.storage().put(&in_tree(&path), text.into(), condition).await? {
                Put::Done(_) => return Ok(()),
                Put::Refused => back_off(attempt).await,
            }
        }
        Err(RegistryError::Busy { attempts: ATTEMPTS })
    }

    /// Writes the checkpoint, with the cosignatures of the witnesses that answer; what it covers is there already.
    async fn publish(&self, head: &Head) -> Result<(), RegistryError> {
        let decided = self.open_checkpoint(head.checkpoint.as_bytes())?;
        let mut cosigned = None;
        for attempt in 0..ATTEMPTS {
            let stored = self.read(layout::CHECKPOINT).await?;
            let note = stored.as_ref().map(|stored| stored.bytes.clone()).unwrap_or_default();
            let there = self.open_checkpoint(&note)?;
            let signed = self.signed(&there)?;
            if !self.is_ahead(head, &there, signed)? {
                return Ok(());
            }
            if cosigned.is_none() {
                let collector = self.registry.collector();
                let asked = collector.cosigned(&decided, self.registry.key(), self.storage()).await;
                cosigned = Some(asked?);
            }
            let note = cosigned.as_ref().map_or(&decided, |cosigned| cosigned).note().to_owned();
            let condition = Condition::as_read(stored.as_ref());
            match self.storage().put(&in_tree(layout::CHECKPOINT), note.into(), condition).await? {
                Put::Done(_) => return Ok(()),
                Put::Refused => back_off(attempt).await,
            }
        }
        Err(RegistryError::Busy { attempts: ATTEMPTS })
    }

    /// Puts a plugin into the search list as it is now. The list helps to find a plugin and is not part of what was decided: what was
    /// decided holds without it, and who decides next tries again.
    pub(super) async fn list_or_tell(&self, plugin: &PluginName, history: Option<&History>, generation: u64) {
        match self.list(plugin, history).await {
            Ok(()) => self.registry.listed(generation),
            Err(error) => tracing::error!("`{plugin}` is not in the search list as it is: {}", chain(&error)),
        }
    }

    /// Whoever decided before may have died before the search list.
    pub(super) async fn list_before(&self, settled: &Settled) {
        let before = settled.generation.saturating_sub(1);
        if let Some(plugin) = settled.plugin.as_ref().filter(|_| !self.registry.is_listed(before)) {
            self.list_or_tell(plugin, None, before).await;
        }
    }

    /// Puts a plugin into the search list as it is now.
    async fn list(&self, plugin: &PluginName, history: Option<&History>) -> Result<(), RegistryError> {
        let history = match history {
            Some(history) => history.clone(),
            None => {
                let stored = self.read(&layout::index_file(plugin)).await?;
                self.history(plugin, stored.map(|stored| stored.bytes.to_vec()).unwrap_or_default()).await?
            }
        };
        let entry = SearchEntry::of(&history);
        for attempt in 0..ATTEMPTS {
            let stored = self.read(layout::SEARCH).await?;
            // What an unreadable list said of the other plugins stands in their files alone.
            let Some(mut listing) = stored.as_ref().and_then(readable) else { return self.relist().await.map(drop) };
            if !listing.put(plugin, entry.clone()) {
                return Ok(());
            }
            let condition = Condition::as_read(stored.as_ref());
            match self.storage().put(&in_tree(layout::SEARCH), listing.to_text().into(), condition).await? {
                Put::Done(_) => {
                    if listing.is_long() {
                        self.registry.list_is_long().notify_one();
                    }
                    return Ok(());
                }
                Put::Refused => back_off(attempt).await,
            }
        }
        Err(RegistryError::Busy { attempts: ATTEMPTS })
    }

    /// Repairs what a crash between the checkpoint and the search list left, and a list that cannot be read.
    pub async fn list_newest(&self) -> Result<(), RegistryError> {
        let stored = self.storage().read(HEAD).await?;
        let head = stored.map(|stored| Head::parse(&stored.bytes)).transpose();
        let head = head.map_err(|message| self.registry.damaged(HEAD, message))?;
        if let Some(change) = head.and_then(|head| head.change) {
            return self.list(&change.plugin, None).await;
        }
        match self.read(layout::SEARCH).await? {
            Some(stored) if readable(&stored).is_some() => Ok(()),
            _ => self.relist().await.map(drop),
        }
    }

    /// Whether a head is newer than the checkpoint of the tree.
    ///
    /// # Errors
    /// They contradict each other.
    fn is_ahead(&self, head: &Head, there: &Checkpoint, signed: Option<u64>) -> Result<bool, RegistryError> {
        let decided = self.open_checkpoint(head.checkpoint.as_bytes())?;
        if decided.size() == there.size() && decided.head().root != there.head().root {
            let message = format!(
                "it names the root {} of {} events, `{}` the root {}",
                decided.head().root,
                decided.size(),
                layout::CHECKPOINT,
                there.head().root
            );
            return Err(self.registry.damaged(HEAD, message));
        }
        Ok((decided.size(), self.signed(&decided)?) > (there.size(), signed))
    }

    /// The newest checkpoint of the tree, and when it says that it was signed.
    pub async fn checkpoint(&self) -> Result<(Checkpoint, Option<u64>), RegistryError> {
        let note = self.read(layout::CHECKPOINT).await?.map(|stored| stored.bytes).unwrap_or_default();
        let checkpoint = self.open_checkpoint(&note)?;
        let signed = self.signed(&checkpoint)?;
        Ok((checkpoint, signed))
    }

    fn open_checkpoint(&self, note: &[u8]) -> Result<Checkpoint, RegistryError> {
        Checkpoint::open(note, self.registry.key()).map_err(|error| self.damaged(layout::CHECKPOINT, &error))
    }

    fn signed(&self, checkpoint: &Checkpoint) -> Result<Option<u64>, RegistryError> {
        checkpoint.signed_at(self.registry.key()).map_err(|error| self.damaged(layout::CHECKPOINT, &error))
    }
}
