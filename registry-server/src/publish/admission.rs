//! Whether an event may come at all, by what its header says: asked before its archives are read.
//!
//! The line that it becomes is checked in full by the writer. This keeps those out whom the writer would refuse anyway, before they
//! cost more than a look at one file.

use std::sync::Arc;

use pocket_index::append::{AppendError, Submission, check_signers};
use pocket_index::layout;
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, History, Outline};
use pocket_index::signature::verify;

use super::{not_allowed, refused};
use crate::error::{ApiError, RegistryError, chain};
use crate::{Registry, checkpoint};
use pocket_index::limits::Limits;

/// Checks what can be known without the archives.
pub(super) async fn check(registry: &Registry, header: &PublishHeader, event: &Event) -> Result<(), ApiError> {
    check_sizes(event, &Limits::default())?;
    // Their own signatures first: whoever has none does not make the server read a file.
    for signature in &header.signatures {
        verify(event.kind(), &header.event, signature).map_err(|error| not_allowed(&error))?;
    }
    let path = layout::index_file(event.name());
    let file = registry.file(&path).await?.unwrap_or_default();
    let at = checkpoint::now()?;
    let (header, name, policy) = (header.clone(), event.name().clone(), registry.policy().clone());
    let version = if let Event::Release(release) = event { Some(release.version.clone()) } else { None };
    let check = move || {
        let submission = Submission { name: &name, event: &header.event, signatures: header.signatures, at };
        if file.is_empty() {
            return Ok(check_signers(History::empty(name.clone(), &policy).outline(), submission));
        }
        let outline = Outline::read(&name, String::from_utf8_lossy(&file).into_owned(), Arc::new(policy))?;
        // What is there already is answered with what is there, whoever sends it again.
        let listed = version.and_then(|version| outline.find(&version));
        match listed.and_then(|listed| outline.line_text(listed.seq())) {
            Some(line) if line.contains(submission.event) => Ok(Ok(())),
            _ => Ok(check_signers(&outline, submission)),
        }
    };
    let checked = tokio::task::spawn_blocking(check).await.map_err(|error| ApiError::storage(&error))?;
    let checked = checked.map_err(|error: pocket_index::record::HistoryError| {
        ApiError::storage(&registry.damaged_file(&path, chain(&error)))
    })?;
    checked.map_err(|source: AppendError| RegistryError::Event { source: Box::new(source) }.into())
}

/// What is too large to be taken need not come.
pub(super) fn check_sizes(event: &Event, limits: &Limits) -> Result<(), ApiError> {
    let Event::Release(release) = event else { return Ok(()) };
    match release.archives.iter().find(|archive| archive.size > limits.archive) {
        Some(archive) => {
            let (file, size, most) = (&archive.file, archive.size, limits.archive);
            Err(refused("archive", &format!("`{file}` has {size} bytes, at most {most} are allowed")))
        }
        None => Ok(()),
    }
}
