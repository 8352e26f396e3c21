//! `PUT /api/v1/publish`: a signed event and its archives come in; everything is checked with the code that clients
//! use; the archives are stored, then the event is added (`writer`).

mod admission;
mod places;
mod receive;
pub(crate) mod staged;

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::BodyDataStream;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use pocket_index::append::AppendError;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::publish::PublishReceipt;
use pocket_index::record::{Event, OwnerRecovery, Release};
use pocket_index::verify::check_submission;

use crate::access::{self, Caller, Sender};
use crate::error::{ApiError, RegistryError, chain};
use crate::routes::Service;
use crate::serve::Client;
use crate::storage::{Condition, Storage, in_tree};
use crate::writer::{Outcome, Proposal, Step, View};
pub(crate) use places::{Place, Places};
use receive::Received;
use staged::Ticket;

/// An archive that is there already is written once more after this: whoever removes what nobody names waits longer.
const FRESH: Duration = Duration::from_secs(3_600);
/// What is read of a body that is refused, so that its sender hears why.
const DRAINED: usize = 4 << 20;
/// How long it is read.
const DRAINING: Duration = Duration::from_secs(2);

/// Archives in the order of an event, one behind the other in one file.
pub(crate) struct Upload {
    path: String,
    file: Arc<File>,
    at: u64,
    size: u64,
}

pub(crate) async fn publish(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<(StatusCode, Json<PublishReceipt>), ApiError> {
    let TakenIn { received, _place, .. } = take_in(&service, request, Purpose::Publish).await?;
    accept(&service, received, None).await.map(|(status, receipt)| (status, Json(receipt)))
}

/// What is to become of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It has all its signatures.
    Publish,
    /// It is to wait for some.
    Stage,
}

/// A publish that came in, and who sent it.
struct TakenIn {
    caller: Caller,
    received: Received,
    /// Held until all is done: what was received lies in the temporary folder as long.
    _place: Place,
}

/// Reads a request whose sender may send it.
async fn take_in(service: &Arc<Service>, request: Request, purpose: Purpose) -> Result<TakenIn, ApiError> {
    let (mut parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let taken = async {
        let Sender(caller) = Sender::from_request_parts(&mut parts, service).await?;
        let _place = service.places.take(parts.extensions.get::<Client>().and_then(Client::limited)).await?;
        let received = receive::receive(&parts.headers, &mut body, &service.limits, async |header, event| {
            access::may_send(&caller, event)?;
            match purpose {
                Purpose::Publish => admission::check(&service.registry, header, event).await,
                Purpose::Stage => admission::check_sizes(event, &Limits::default()),
            }
        });
        let received = received.await?;
        Ok(TakenIn { caller, received, _place })
    };
    let taken = taken.await;
    if taken.is_err() {
        drain(body).await;
    }
    taken
}

/// A sender that is not heard out may not hear the answer either.
async fn drain(mut pieces: BodyDataStream) {
    let mut left = DRAINED;
    let drained = async {
        while let Some(Ok(piece)) = pieces.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAINING, drained).await;
}

/// Adds what was received, when its turn comes, and if what waited, where it did, was not withdrawn by then. Whoever sent it may go away
/// meanwhile: what was begun is brought to its end.
async fn accept(
    service: &Arc<Service>,
    received: Received,
    waited: Option<Ticket>,
) -> Result<(StatusCode, PublishReceipt), ApiError> {
    let turn = service.places.turn().await?;
    let service = Arc::clone(service);
    let adding = tokio::spawn(async move {
        let _turn = turn;
        add(&service, received, waited).await
    });
    adding.await.map_err(|error| ApiError::storage(&error))?
}

async fn add(
    service: &Service,
    received: Received,
    waited: Option<Ticket>,
) -> Result<(StatusCode, PublishReceipt), ApiError> {
    let Received { header, event, archives } = received;
    let event = Arc::new(event);
    // Unpacking and digests take long: not on the threads that answer readers.
    let checked = tokio::task::spawn_blocking({
        let event = Arc::clone(&event);
        move || check_archives(&event, &archives, &Limits::default())
    });
    let uploads = checked.await.map_err(|error| ApiError::storage(&error))??;
    let registry = &service.registry;
    let writer = registry.write().await;
    if let Some(ticket) = waited {
        ticket.check(registry.storage()).await?;
    }
    let outcome = writer.add::<ApiError>(event.name(), &uploads, |view| {
        if let Event::Release(release) = &*event
            && let Some(receipt) = already_there(view, release, &header.event)?
        {
            return Ok(Step::There(receipt));
        }
        let at = view.at;
        if let Event::OwnerRecovery(recovery) = &*event {
            check_delay(recovery, at.max(view.history.outline().last_at()), registry.recovery_delay())?;
        }
        Ok(Step::Add(Proposal { event: header.event.clone(), signatures: header.signatures.clone(), at }))
    });
    match outcome.await? {
        Outcome::There(receipt) => Ok((StatusCode::OK, receipt)),
        Outcome::Added(added) => Ok((StatusCode::CREATED, added.receipt)),
    }
}

/// Checks each archive by what the event says of it. One of them is in memory at a time.
fn check_archives(event: &Event, file: &Arc<File>, limits: &Limits) -> Result<Vec<Upload>, ApiError> {
    let Event::Release(release) = event else { return Ok(Vec::new()) };
    let mut uploads = Vec::new();
    let mut at = 0;
    for record in &release.archives {
        let bytes = receive::read_part(file, at, record.size).map_err(ApiError::spool)?;
        check_submission(release, record, &bytes, limits).map_err(|error| refused("archive", &chain(&error)))?;
        let (path, file, size) = (layout::archive(&record.sha256), Arc::clone(file), record.size);
        uploads.push(Upload { path, file, at, size });
        at += record.size;
    }
    Ok(uploads)
}

impl Upload {
    /// Puts the archive into the tree. Its name is its digest, so what is there is the same.
    pub async fn store(&self, storage: &dyn Storage) -> Result<(), RegistryError> {
        let path = in_tree(&self.path);
        let condition = match storage.entry(&path).await? {
            Some(there) if there.length == self.size && is_fresh(there.modified) => return Ok(()),
            Some(_) => Condition::Always,
            None => Condition::Absent,
        };
        self.put(storage, condition).await
    }

    /// Puts the archive into the tree if it got lost there.
    pub async fn store_missing(&self, storage: &dyn Storage) -> Result<(), RegistryError> {
        match storage.entry(&in_tree(&self.path)).await? {
            Some(there) if there.length == self.size => Ok(()),
            Some(_) => self.put(storage, Condition::Always).await,
            None => self.put(storage, Condition::Absent).await,
        }
    }

    async fn put(&self, storage: &dyn Storage, condition: Condition) -> Result<(), RegistryError> {
        let (file, at, size) = (Arc::clone(&self.file), self.at, self.size);
        let bytes = tokio::task::spawn_blocking(move || receive::read_part(&file, at, size)).await;
        let bytes = bytes.map_err(std::io::Error::other).and_then(|read| read);
        let bytes = bytes.map_err(|source| RegistryError::Spool { source })?;
        storage.put(&in_tree(&self.path), bytes.into(), condition).await?;
        Ok(())
    }
}

fn is_fresh(modified: SystemTime) -> bool {
    SystemTime::now().duration_since(modified).is_ok_and(|age| age < FRESH)
}

/// A repeated upload of the same release is no error: the first answer may have been lost.
fn already_there(view: &View, release: &Release, event: &str) -> Result<Option<PublishReceipt>, ApiError> {
    let Some(entry) = view.history.release(&release.version) else { return Ok(None) };
    let line = view.line(entry.seq());
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

/// Without its witnesses a line stays where it is, and comes out before anything else does.
impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match &error {
            RegistryError::Event { source } => match &**source {
                AppendError::History(_) => not_allowed(source),
                AppendError::Line(_) | AppendError::UnknownKind { .. } => malformed(source),
                AppendError::FileFull { .. } => refused("file_full", &chain(source)),
                source => Self::storage(source),
            },
            RegistryError::TooFewWitnesses(error) => {
                let message = format!("{error}; what waits comes out as soon as they answer: publish again to try now");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "witnesses", message)
            }
            RegistryError::Busy { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", &error).retry_after(1),
            RegistryError::Storage(error) => Self::of_storage(error),
            error => Self::storage(error),
        }
    }
}

fn not_allowed(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "not_allowed", chain(error))
}

fn malformed(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed", chain(error))
}

fn refused(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use pocket_index::name::PluginName;
    use pocket_index::publish::PublishHeader;
    use pocket_index::signature::SecretKey;

    use super::*;
    use crate::config::{self, DEFAULT_RECOVERY_DELAY, Source};
    use crate::{Registry, checkpoint};

    /// What a server answers to a recovery of a bundled plugin after this delay, signed by this key.
    async fn answer(service: &Arc<Service>, delay: u64, secret: &SecretKey) -> Result<StatusCode, String> {
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
        let body = axum::body::Body::from(PublishHeader { event: text, signatures }.encode());
        let mut body = body.into_data_stream();
        let received = receive::receive(&HeaderMap::new(), &mut body, &service.limits, async |_, _| Ok(())).await;
        let received = received.expect("well-formed");
        let answer = accept(service, received, None).await;
        answer.map(|(status, _)| status).map_err(|error| format!("{error:?}"))
    }

    #[tokio::test]
    async fn a_recovery_that_is_sent_waits_as_long_as_this_registry_says() {
        let registry = Registry::open(&Source::Bundled, DEFAULT_RECOVERY_DELAY).await.expect("a new registry");
        let secret = registry.event_key().expect("a new registry has one");
        let service = Arc::new(Service::new(Arc::new(registry), config::Limits::default()));
        let early = answer(&service, DEFAULT_RECOVERY_DELAY - 60, &secret).await.expect_err("too soon");
        assert!(early.contains("recovery_too_soon"), "{early}");
        let stranger = SecretKey::from_seed(&[2; 32]);
        let refused = answer(&service, DEFAULT_RECOVERY_DELAY + 60, &stranger).await.expect_err("a stranger's");
        assert!(refused.contains("not_allowed") && refused.contains("none of the registry's keys"), "{refused}");
        assert_eq!(answer(&service, DEFAULT_RECOVERY_DELAY + 60, &secret).await, Ok(StatusCode::CREATED));
    }
}
