//! `PUT /api/v1/publish`: a signed event and its archives come in; everything is checked with the code that clients
//! use; the archives, the line, the log and the search list are written in this order.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use pocket_index::append::{AppendError, Appended, Submission, Write};
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::publish::{PublishHeader, PublishReceipt};
use pocket_index::record::{Event, History, OwnerRecovery, Release};
use pocket_index::search::{self, SearchEntry};
use pocket_index::verify::check_submission;

use crate::error::{ApiError, RegistryError, chain};
use crate::storage::Writer;
use crate::{Registry, checkpoint};

/// 300 MiB: archives for several targets in one request; each is held to the archive limits besides.
pub(crate) const MAX_BODY_BYTES: usize = 300 << 20;

pub(crate) async fn publish(
    State(registry): State<Arc<Registry>>,
    body: Bytes,
) -> Result<(StatusCode, Json<PublishReceipt>), ApiError> {
    // Unpacking, digests and flushes block: not on the threads that answer readers.
    let done = tokio::task::spawn_blocking(move || accept(&registry, &body)).await;
    done.map_err(|error| ApiError::storage(&error))?.map(|(status, receipt)| (status, Json(receipt)))
}

/// An archive and the path it will have.
pub(crate) struct Upload<'a> {
    path: String,
    bytes: &'a [u8],
}

fn accept(registry: &Registry, body: &[u8]) -> Result<(StatusCode, PublishReceipt), ApiError> {
    let (header, archives) = PublishHeader::decode(body).map_err(|error| malformed(&error))?;
    let event = header.event().map_err(|error| malformed(&error))?;
    let uploads = match &event {
        Event::Release(release) => check_archives(release, archives)?,
        _ if archives.is_empty() => Vec::new(),
        _ => return Err(refused("unexpected_archive", &format!("a `{}` event brings no archives", event.kind()))),
    };
    let writer = registry.write();
    writer.finish().map_err(|error| write_error(&error))?;
    let history = writer.history(event.name()).map_err(|error| ApiError::storage(&error))?;
    if let Event::Release(release) = &event
        && let Some(receipt) = already_there(&writer, &history, release, &header.event)?
    {
        return Ok((StatusCode::OK, receipt));
    }
    let at = writer.now().map_err(|error| ApiError::storage(&error))?;
    if let Event::OwnerRecovery(recovery) = &event {
        check_delay(recovery, at.max(history.outline().last_at()), registry.recovery_delay())?;
    }
    let signatures = header.signatures.clone();
    let submission = Submission { name: event.name(), event: &header.event, signatures, at };
    let appended = write_event(&writer, submission, &uploads).map_err(|error| write_error(&error))?;
    Ok((StatusCode::CREATED, PublishReceipt { log: appended.line.log, digest: appended.line.digest }))
}

/// Splits the rest of the body into archives by the sizes that the event states, and checks each.
fn check_archives<'a>(release: &Release, mut rest: &'a [u8]) -> Result<Vec<Upload<'a>>, ApiError> {
    let mut uploads = Vec::new();
    for record in &release.archives {
        let size = usize::try_from(record.size).unwrap_or(usize::MAX);
        let (bytes, after) = rest.split_at_checked(size).ok_or_else(|| {
            let message = format!("`{}` is cut: the event says {size} bytes, {} came", record.file, rest.len());
            refused("truncated", &message)
        })?;
        check_submission(release, record, bytes, &Limits::default())
            .map_err(|error| refused("archive", &chain(&error)))?;
        uploads.push(Upload { path: layout::archive(&record.sha256), bytes });
        rest = after;
    }
    if rest.is_empty() {
        Ok(uploads)
    } else {
        Err(refused("trailing_bytes", &format!("{} bytes follow the last archive", rest.len())))
    }
}

/// A repeated upload of the same release is no error: the first answer may have been lost.
fn already_there(
    writer: &Writer<'_>,
    history: &History,
    release: &Release,
    event: &str,
) -> Result<Option<PublishReceipt>, ApiError> {
    let Some(entry) = history.release(&release.version) else { return Ok(None) };
    let path = layout::index_file(&release.name);
    let text = writer.read(&path).map_err(|error| ApiError::storage(&error))?.unwrap_or_default();
    let line = String::from_utf8_lossy(&text)
        .lines()
        .nth(usize::try_from(entry.seq()).unwrap_or(usize::MAX))
        .map(str::to_owned);
    if line.is_some_and(|line| line.contains(&format!("\"event\":{event},\"signatures\":"))) {
        return Ok(Some(PublishReceipt { log: entry.log(), digest: entry.line() }));
    }
    let digests = |release: &Release| {
        release.archives.iter().map(|archive| archive.sha256.to_string()).collect::<Vec<_>>().join(", ")
    };
    let message = format!(
        "`{}` {} is published already with {}, this publish has {}; a version never changes",
        release.name,
        release.version,
        digests(entry.release()),
        digests(release),
    );
    Err(ApiError::new(StatusCode::CONFLICT, "version_exists", message))
}

/// Clients know the format's least delay; that of this registry is longer, and it keeps to it whoever holds its key.
fn check_delay(recovery: &OwnerRecovery, at: u64, least: u64) -> Result<(), ApiError> {
    let effective = recovery.effective;
    if effective >= at.saturating_add(least) {
        return Ok(());
    }
    let message = format!("`effective` is {effective}, expected {least} seconds after {at} at least");
    Err(refused("recovery_too_soon", &message))
}

/// Writes archives, line, log and search list, in this order.
pub(crate) fn write_event(
    writer: &Writer<'_>,
    submission: Submission<'_>,
    uploads: &[Upload<'_>],
) -> Result<Appended, RegistryError> {
    let appended = writer.append(|appender| appender.append(submission));
    let appended = appended.map_err(|source| RegistryError::Event { source: Box::new(source) })?;
    let search = search_list(writer, &appended.history)?;
    let archives = uploads.iter().map(|upload| Write { path: upload.path.clone(), bytes: upload.bytes.to_vec() });
    let before = checkpoint::before(&appended.writes);
    writer.write_all(&archives.chain(before).collect::<Vec<_>>())?;
    writer.publish(&appended.checkpoint)?;
    writer.write_all(&[search])?;
    Ok(appended)
}

/// The search list with this plugin's entry replaced.
pub(crate) fn search_list(writer: &Writer<'_>, history: &History) -> Result<Write, RegistryError> {
    let content = writer.read(layout::SEARCH)?.unwrap_or_default();
    // A damaged list is made anew from what is published next; nothing is installed by it.
    let mut entries = str::from_utf8(&content).ok().and_then(|text| search::parse(text).ok()).unwrap_or_default();
    entries.retain(|entry| entry.name != *history.name());
    entries.extend(SearchEntry::of(history));
    Ok(Write { path: layout::SEARCH.to_owned(), bytes: search::write(entries).into_bytes() })
}

/// Without its witnesses a line stays where it is, and comes out before anything else does.
fn write_error(error: &RegistryError) -> ApiError {
    let error = match error {
        RegistryError::Event { source } => &**source,
        RegistryError::TooFewWitnesses(error) => {
            let message = format!("{error}; what waits comes out as soon as they answer: publish again to try now");
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "witnesses", message);
        }
        error => return ApiError::storage(error),
    };
    match error {
        AppendError::History(_) => ApiError::new(StatusCode::FORBIDDEN, "not_allowed", chain(error)),
        AppendError::Line(_) | AppendError::UnknownKind { .. } => malformed(error),
        _ => ApiError::storage(error),
    }
}

fn malformed(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed", chain(error))
}

fn refused(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

#[cfg(test)]
mod tests {
    use pocket_index::name::PluginName;
    use pocket_index::signature::SecretKey;

    use super::*;
    use crate::config::{DEFAULT_RECOVERY_DELAY, Source};

    /// What a server answers to a recovery of a bundled plugin after this delay, signed by this key.
    fn answer(registry: &Registry, delay: u64, secret: &SecretKey) -> Result<StatusCode, String> {
        let name: PluginName = "redis-cache".parse().expect("a name");
        let event = Event::OwnerRecovery(OwnerRecovery {
            name,
            keys: vec![SecretKey::from_seed(&[2; 32]).public()],
            threshold: 1,
            effective: checkpoint::now().expect("a clock") + delay,
            reason: String::new(),
        });
        let text = event.to_text();
        let signatures = vec![secret.sign_event(event.kind(), &text)];
        let answer = accept(registry, &PublishHeader { event: text, signatures }.encode());
        answer.map(|(status, _)| status).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_recovery_that_is_sent_waits_as_long_as_this_registry_says() {
        let registry = Registry::open(&Source::Bundled, DEFAULT_RECOVERY_DELAY).expect("a new registry");
        let secret = registry.event_key().expect("a new registry has one");
        let early = answer(&registry, DEFAULT_RECOVERY_DELAY - 60, &secret).expect_err("too soon");
        assert!(early.contains("recovery_too_soon"), "{early}");
        let stranger = SecretKey::from_seed(&[2; 32]);
        let refused = answer(&registry, DEFAULT_RECOVERY_DELAY + 60, &stranger).expect_err("a stranger's");
        assert!(refused.contains("not_allowed") && refused.contains("none of the registry's keys"), "{refused}");
        assert_eq!(answer(&registry, DEFAULT_RECOVERY_DELAY + 60, &secret), Ok(StatusCode::CREATED));
    }
}
