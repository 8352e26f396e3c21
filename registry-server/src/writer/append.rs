//! A line is added: made from the tree, decided, put into the tree; again from the start where somebody else was faster.

use std::sync::Arc;

use pocket_index::append::{AppendError, Appended, Appender, Submission};
use pocket_index::digest::Digest;
use pocket_index::name::PluginName;
use pocket_index::publish::PublishReceipt;
use pocket_index::record::{History, Line};
use pocket_index::signature::Signature;

use super::head::Head;
use super::{ATTEMPTS, Settled, View, Writer, back_off, blocking};
use crate::publish::Upload;
use crate::{RegistryError, checkpoint};

/// What is to be done, given the plugin as it is.
pub(crate) enum Step {
    /// Nothing: it is there.
    There(PublishReceipt),
    /// This.
    Add(Proposal),
}

/// An event that is to become a line.
pub(crate) struct Proposal {
    /// Its bytes as they were signed.
    pub event: String,
    /// Who signed them.
    pub signatures: Vec<Signature>,
    /// The time it states.
    pub at: u64,
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing: it was there.
    There(PublishReceipt),
    /// It was added.
    Added(Box<Added>),
}

/// A line that everybody sees.
#[derive(Debug)]
pub(crate) struct Added {
    /// The plugin's history with it.
    pub history: History,
    /// Its place in the log.
    pub receipt: PublishReceipt,
}

/// A line that was proposed; whether it was decided may not be known.
struct Tried {
    seq: u64,
    digest: Digest,
    log: u64,
}

impl Writer<'_> {
    /// Adds a line about a plugin. What it says, `make` tells, from the plugin as it is; anew after each time somebody was faster.
    pub async fn add<E: From<RegistryError>>(
        &self,
        name: &PluginName,
        uploads: &[Upload],
        mut make: impl FnMut(&View) -> Result<Step, E>,
    ) -> Result<Outcome, E> {
        let mut tried: Vec<Tried> = Vec::new();
        for attempt in 0..ATTEMPTS {
            let settled = self.settle().await?;
            let done = self.attempt(settled.clone(), name, uploads, &mut make, &mut tried).await;
            match done {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => back_off(attempt).await,
                // What did not fit together may have been half of another writer's work.
                Err(error) if self.is_current(&settled).await? => return Err(error),
                Err(_) => {}
            }
        }
        Err(RegistryError::Busy { attempts: ATTEMPTS }.into())
    }

    async fn attempt<E: From<RegistryError>>(
        &self,
        settled: Settled,
        name: &PluginName,
        uploads: &[Upload],
        make: &mut impl FnMut(&View) -> Result<Step, E>,
        tried: &mut Vec<Tried>,
    ) -> Result<Option<Outcome>, E> {
        let view = self.view(settled, name).await?;
        // A proposal whose answer got lost may be there.
        if let Some(own) = tried.iter().find(|tried| view.history.line(tried.seq) == Some(tried.digest)) {
            let receipt = PublishReceipt { log: own.log, digest: own.digest };
            return Ok(Some(Outcome::Added(Box::new(Added { history: view.history, receipt }))));
        }
        let proposal = match make(&view)? {
            Step::There(receipt) => {
                for upload in uploads {
                    upload.store_missing(self.registry.storage()).await?;
                }
                return Ok(Some(Outcome::There(receipt)));
            }
            Step::Add(proposal) => proposal,
        };
        let Some(appended) = self.appended(&view, name, proposal).await? else { return Ok(None) };
        for upload in uploads {
            upload.store(self.registry.storage()).await?;
        }
        let Line { seq, digest, log, .. } = appended.line;
        tried.push(Tried { seq, digest, log });
        if !self.commit(&view.settled, &appended).await? {
            return Ok(None);
        }
        // Somebody may have taken an old archive for one that nothing names, a moment before this line did.
        for upload in uploads {
            upload.store(self.registry.storage()).await?;
        }
        let receipt = PublishReceipt { log, digest };
        Ok(Some(Outcome::Added(Box::new(Added { history: appended.history, receipt }))))
    }

    /// The line and the files that change with it, checked as every client will. None if another line had to come first.
    async fn appended(
        &self,
        view: &View,
        name: &PluginName,
        proposal: Proposal,
    ) -> Result<Option<Appended>, RegistryError> {
        let Proposal { event, signatures, at } = proposal;
        let (files, name) = (view.files.clone(), name.clone());
        let (signer, policy) = (Arc::clone(self.registry.signer()), self.registry.policy().clone());
        // Each signature of the file is checked once more.
        let append = move || {
            let submission = Submission { name: &name, event: &event, signatures, at };
            Appender::new(&files, &signer, &policy).append(submission)
        };
        match blocking(append).await? {
            Ok(appended) => Ok(Some(appended)),
            Err(AppendError::Unfinished { .. }) => {
                self.finish(view).await?;
                Ok(None)
            }
            Err(source) => Err(RegistryError::Event { source: Box::new(source) }),
        }
    }

    /// Decides about a line that a program without `head.json` left in its file and in no checkpoint.
    async fn finish(&self, view: &View) -> Result<(), RegistryError> {
        let appender = Appender::new(&view.files, self.registry.signer(), self.registry.policy());
        let recovered = appender.recover(checkpoint::now()?);
        let recovered = recovered.map_err(|source| RegistryError::Event { source: Box::new(source) })?;
        match recovered {
            Some(appended) => self.commit(&view.settled, &appended).await.map(drop),
            None => Ok(()),
        }
    }

    /// The same, when a registry is opened.
    pub async fn finish_unfinished(&self, settled: Settled) -> Result<(), RegistryError> {
        let name = "none".parse().expect("a constant name is valid");
        let view = self.view(settled, &name).await?;
        self.finish(&view).await
    }

    /// Decides, and puts what was decided into the tree. No means that somebody else decided something before.
    async fn commit(&self, settled: &Settled, appended: &Appended) -> Result<bool, RegistryError> {
        let head = Head::of_line(settled.generation, appended);
        if !self.decide(settled, &head).await? {
            return Ok(false);
        }
        if settled.plugin.as_ref() != Some(appended.history.name()) {
            self.list_before(settled).await;
        }
        self.put_into_tree(&head, Some(&appended.history)).await?;
        Ok(true)
    }
}
