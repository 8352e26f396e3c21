//! Who signed what came from a repository before: this user saw it, or the team's lock says it.

use pocket_index::repository::Repository;
use pocket_index::signature::PublicKey;

use super::error::DirectError;
use super::{Direct, locked};
use crate::home::publishers::{self, SeenPublisher};
use crate::ops::OpsError;
use crate::ops::install::Step;
use crate::ops::install::records::World;
use crate::project::Source as LockedSource;

impl Direct<'_> {
    /// The keys of which one must have signed; none if nothing signed was seen yet.
    pub(super) fn pinned(&self, world: &World<'_>, repository: &Repository) -> Result<Vec<Vec<PublicKey>>, OpsError> {
        let seen = publishers::recall(self.workspace.home(), &repository.identity())?.map(|seen| seen.keys);
        let locked =
            locked(world, &LockedSource::Release(repository.clone()), None).map(|plugin| plugin.signers.clone());
        Ok([seen, locked].into_iter().flatten().filter(|keys| !keys.is_empty()).collect())
    }

    /// Refuses signers of which none signed before; remembers those of a repository that is met for the first time.
    ///
    /// # Errors
    /// Another key signed, or what was seen before cannot be read or written.
    pub(super) fn check_signers(
        &self,
        world: &World<'_>,
        repository: &Repository,
        signers: &[PublicKey],
    ) -> Result<(), OpsError> {
        let source_name = repository.to_string();
        let file = publishers::path(self.workspace.home(), &repository.identity());
        for pinned in self.pinned(world, repository)? {
            if !signers.iter().any(|key| pinned.contains(key)) {
                let found = signers.to_vec();
                return Err(DirectError::OtherSigner { source_name, pinned, found, file }.into());
            }
        }
        if publishers::recall(self.workspace.home(), &repository.identity())?.is_some() {
            return Ok(());
        }
        let fingerprints: Vec<String> = signers.iter().map(|key| key.fingerprint().to_string()).collect();
        world.observer().step(Step::MetRegistry { registry: source_name, fingerprint: &fingerprints.join(" and ") });
        let seen = SeenPublisher { source: repository.identity(), keys: signers.to_vec() };
        Ok(publishers::remember(self.workspace.home(), &seen)?)
    }
}
