//! `/api/v1/staged`: bring a release, look at it, sign it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use pocket_index::limits::Limits;
use pocket_index::name::PluginName;
use pocket_index::publish::PublishReceipt;
use pocket_index::record::{Event, Line};
use pocket_index::signature::{PublicKey, Signature, verify};
use pocket_index::staged::StagedRelease;
use semver::Version;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{
    ATTEMPTS, ReceiptDocument, SignatureDocument, StagedDocument, named, not_staged, now, parse_signature,
    published_already, read_signature,
};
use super::{
    Kept, MOST, Ticket, Waiting, archive_path, check, find, forget, keep, listed, others, receive_again, record_path,
    withdrawal,
};
use crate::access::{self, Caller, Sender};
use crate::accounts::Scope;
use crate::api::ErrorDocument;
use crate::error::{ApiError, RegistryError};
use crate::publish::{Purpose, TakenIn, accept, check_archives, take_in};
use crate::routes::Service;
use crate::storage::{Condition, Put};
use crate::writer::View;

/// The routes, with their descriptions.
pub(crate) fn described() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, stage))
        .routes(routes!(one))
        .routes(routes!(archive))
        .routes(routes!(sign))
        .routes(routes!(withdrawal::withdraw))
}

/// Brings a release that is to wait for its owners' signatures. The body is that of a publish; it may have fewer signatures, or none.
#[utoipa::path(put, path = "/api/v1/staged", security((), ("token" = [])),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses(
        (status = 201, description = "It waits", body = StagedDocument),
        (status = 400, description = "The body is not what it should be", body = ErrorDocument),
        (status = 401, description = "A token is needed", body = ErrorDocument),
        (status = 403, description = "The token or the signatures do not allow it", body = ErrorDocument),
        (status = 408, description = "The body came too slowly", body = ErrorDocument),
        (status = 409, description = "The version is published, or too many wait", body = ErrorDocument),
        (status = 413, description = "The body is too large", body = ErrorDocument),
        (status = 422, description = "It is no release, or its archives are not what it says", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
        (status = 503, description = "Others are sending as much as this server takes", body = ErrorDocument),
    ))]
async fn stage(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<(StatusCode, Json<StagedRelease>), ApiError> {
    let TakenIn { caller, received, _place } = take_in(&service, request, Purpose::Stage).await?;
    let by = match &caller {
        Caller::Anybody => None,
        Caller::Holder(record) => Some(record.name.clone()),
    };
    let kept = Kept { event: received.header.event, signatures: received.header.signatures, by, staged: now()? };
    let Event::Release(named) = &received.event else {
        return Err(super::refused("not_a_release", "only releases wait for signatures"));
    };
    let release = check(&kept, &named.name, &named.version)?;
    let view = view(&service, &release.name).await?;
    if let Some(entry) = view.history.release(&release.version) {
        return Err(published_already(entry));
    }
    let told = kept.told(&release, &view);
    if caller == Caller::Anybody && told.signed().is_empty() {
        let message = "who brings a release to be signed needs a token, or signs it with a key of its owners";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not_allowed", message));
    }
    let (event, archives) = (Arc::new(received.event), received.archives);
    let _turn = service.places.turn().await?;
    let checked = tokio::task::spawn_blocking({
        let archives = Arc::clone(&archives);
        move || check_archives(&event, &archives, &Limits::default())
    });
    checked.await.map_err(|error| ApiError::storage(&error))??;
    let storage = service.registry.storage();
    if others(storage, &release, now()?).await? >= MOST {
        let message = format!("{MOST} releases of `{}` wait already", release.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "too_many_staged", message));
    }
    keep(storage, &release, &kept, &archives).await?;
    Ok((StatusCode::CREATED, Json(told)))
}

/// Every release that waits, of plugins that the token is for.
#[utoipa::path(get, path = "/api/v1/staged", security((), ("token" = [])),
    responses(
        (status = 200, description = "What waits, by name and version", body = Vec<StagedDocument>),
        (status = 401, description = "A token is needed", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
async fn list(
    State(service): State<Arc<Service>>,
    Sender(caller): Sender,
) -> Result<Json<Vec<StagedRelease>>, ApiError> {
    let (storage, now) = (service.registry.storage(), now()?);
    let mut found = Vec::new();
    for (name, version) in listed(storage, "").await? {
        if access::may_write(&caller, Scope::Publish, &name).is_err() {
            continue;
        }
        if let Some(Waiting { kept, release, .. }) = find(storage, &name, &version, now).await? {
            found.push(kept.told(&release, &view(&service, &name).await?));
        }
    }
    found.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(Json(found))
}

/// A release that waits.
#[utoipa::path(get, path = "/api/v1/staged/{name}/{version}", security((), ("token" = [])),
    params(("name" = String, Path, description = "The plugin"), ("version" = String, Path, description = "Its version")),
    responses(
        (status = 200, description = "The release", body = StagedDocument),
        (status = 401, description = "A token is needed", body = ErrorDocument),
        (status = 403, description = "The token is not for it", body = ErrorDocument),
        (status = 404, description = "It does not wait", body = ErrorDocument),
        (status = 414, description = "The path is far too long", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
async fn one(
    State(service): State<Arc<Service>>,
    Sender(caller): Sender,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<StagedRelease>, ApiError> {
    let (name, Waiting { kept, release, .. }) = asked(&service, &caller, &name, &version).await?;
    Ok(Json(kept.told(&release, &view(&service, &name).await?)))
}

/// An archive of a release that waits.
#[utoipa::path(get, path = "/api/v1/staged/{name}/{version}/archives/{sha256}", security((), ("token" = [])),
    params(
        ("name" = String, Path, description = "The plugin"),
        ("version" = String, Path, description = "Its version"),
        ("sha256" = String, Path, description = "The archive's digest: 64 hexadecimal digits"),
    ),
    responses(
        (status = 200, description = "Its bytes", body = Vec<u8>, content_type = "application/gzip"),
        (status = 401, description = "A token is needed", body = ErrorDocument),
        (status = 403, description = "The token is not for it", body = ErrorDocument),
        (status = 404, description = "It does not wait, or has no such archive", body = ErrorDocument),
        (status = 414, description = "The path is far too long", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
async fn archive(
    State(service): State<Arc<Service>>,
    Sender(caller): Sender,
    Path((name, version, sha256)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    let (_, Waiting { release, .. }) = asked(&service, &caller, &name, &version).await?;
    let not_found = || ApiError::not_found(&sha256);
    let record = release.archives.iter().find(|record| record.sha256.hex() == sha256).ok_or_else(not_found)?;
    let stored = service.registry.storage().read(&archive_path(&release, &record.sha256.hex())).await?;
    let bytes = stored.ok_or_else(not_found)?.bytes;
    Ok(([(CONTENT_TYPE, "application/gzip")], Body::from(bytes)).into_response())
}

/// Signs a release that waits. The last signature that is needed publishes it.
#[utoipa::path(put, path = "/api/v1/staged/{name}/{version}/signatures", security((), ("token" = [])),
    params(("name" = String, Path, description = "The plugin"), ("version" = String, Path, description = "Its version")),
    request_body(content = SignatureDocument),
    responses(
        (status = 200, description = "It was published before, with this signature", body = ReceiptDocument),
        (status = 201, description = "It is published", body = ReceiptDocument),
        (status = 202, description = "It waits for more signatures", body = StagedDocument),
        (status = 400, description = "The body is no signature", body = ErrorDocument),
        (status = 401, description = "A token is needed", body = ErrorDocument),
        (status = 403, description = "The token does not allow it, or the signature is not an owner's", body = ErrorDocument),
        (status = 404, description = "It does not wait", body = ErrorDocument),
        (status = 409, description = "The version came out with other bytes", body = ErrorDocument),
        (status = 413, description = "The body is too large", body = ErrorDocument),
        (status = 414, description = "The path is far too long", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
async fn sign(
    State(service): State<Arc<Service>>,
    Sender(caller): Sender,
    Path((name, version)): Path<(String, String)>,
    body: Body,
) -> Result<Response, ApiError> {
    let (name, version) = named(&caller, &name, &version)?;
    let signature = parse_signature(&read_signature(body).await?)?;
    let storage = service.registry.storage();
    for _ in 0..ATTEMPTS {
        let view = view(&service, &name).await?;
        let Some(mut waiting) = find(storage, &name, &version, now()?).await? else {
            return published_before(&view, &version, &signature);
        };
        check_signer(&waiting.kept, &view, &signature)?;
        let path = record_path(&name, &version);
        let mut tag = waiting.stored.tag.clone();
        if !waiting.kept.signatures.contains(&signature) {
            waiting.kept.signatures.retain(|other| other.key != signature.key);
            waiting.kept.signatures.push(signature.clone());
            match storage.put(&path, waiting.kept.to_bytes().into(), Condition::Unchanged(tag)).await? {
                Put::Done(new) => tag = new,
                Put::Refused => continue,
            }
        }
        let told = waiting.kept.told(&waiting.release, &view);
        if !told.is_complete() {
            return Ok((StatusCode::ACCEPTED, Json(told)).into_response());
        }
        let Some(received) = receive_again(storage, &waiting).await? else { continue };
        let (status, receipt) = match accept(&service, received, Some(Ticket { path, tag })).await {
            Err(error) if error.is_of_change() => continue,
            accepted => accepted?,
        };
        forget(storage, &waiting.release).await?;
        return Ok((status, Json(receipt)).into_response());
    }
    Err(RegistryError::Busy { attempts: ATTEMPTS }.into())
}

/// Only owners sign what waits; of a plugin without owners, whoever signs first.
fn check_signer(kept: &Kept, view: &View, signature: &Signature) -> Result<(), ApiError> {
    let not_allowed = |message: String| ApiError::new(StatusCode::FORBIDDEN, "not_allowed", message);
    let Signature { key, .. } = signature;
    if let Some(owners) = view.history.owners_at(view.at)
        && !owners.keys().any(|owner| owner == key)
    {
        let owners = owners.keys().map(|key: &PublicKey| key.fingerprint().to_string()).collect::<Vec<_>>().join(", ");
        return Err(not_allowed(format!("{} is none of the owner keys [{owners}]", key.fingerprint())));
    }
    verify("release", &kept.event, signature)
        .map_err(|error| not_allowed(format!("the signature is not of what waits: {error}")))
}

/// The answer to a signature whose first answer got lost.
fn published_before(view: &View, version: &Version, signature: &Signature) -> Result<Response, ApiError> {
    let name = view.history.name();
    let not_found = || not_staged(name, version);
    let entry = view.history.release(version).ok_or_else(not_found)?;
    let line = view.line(entry.seq()).and_then(|line| Line::parse(&line).ok()).ok_or_else(not_found)?;
    if !line.signatures.contains(signature) {
        return Err(not_found());
    }
    let receipt = PublishReceipt { log: entry.log(), digest: entry.line() };
    Ok((StatusCode::OK, Json(receipt)).into_response())
}

async fn asked(
    service: &Service,
    caller: &Caller,
    name: &str,
    version: &str,
) -> Result<(PluginName, Waiting), ApiError> {
    let (name, version) = named(caller, name, version)?;
    let found = find(service.registry.storage(), &name, &version, now()?).await?;
    found.map(|found| (name.clone(), found)).ok_or_else(|| not_staged(name, version))
}

/// The plugin as it is.
async fn view(service: &Service, name: &PluginName) -> Result<View, ApiError> {
    let writer = service.registry.write().await;
    let settled = writer.settle().await?;
    Ok(writer.view(settled, name).await?)
}
