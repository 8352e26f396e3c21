//! `PUT /api/v1/staged/{name}/{version}/withdrawal`: a release waits no more.
//!
//! Whoever may publish the plugin may take it back: they could bring other bytes under the same version, too. Where no tokens are asked for, an owner signs that,
//! or, of a plugin without owners, whoever signed the release.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pocket_index::name::PluginName;
use pocket_index::signature::{Signature, verify};
use pocket_index::staged::{StagedRelease, WITHDRAWAL};
use semver::Version;

use super::shared::{
    ATTEMPTS, SignatureDocument, StagedDocument, named, not_staged, now, parse_signature, published_already,
    read_signature,
};
use super::{Kept, find, record_path};
use crate::access::{Caller, Sender};
use crate::api::ErrorDocument;
use crate::error::{ApiError, RegistryError};
use crate::routes::Service;
use crate::storage::{Condition, Put};
use crate::writer::View;

/// Withdraws a release that waits. The body is empty where a token says who asks; else it is a signature of the withdrawal.
#[utoipa::path(put, path = "/api/v1/staged/{name}/{version}/withdrawal", security((), ("token" = [])),
    params(("name" = String, Path, description = "The plugin"), ("version" = String, Path, description = "Its version")),
    request_body(content = Option<SignatureDocument>),
    responses(
        (status = 200, description = "It waits no more; as it was", body = StagedDocument),
        (status = 400, description = "The body is no signature", body = ErrorDocument),
        (status = 401, description = "A token is needed", body = ErrorDocument),
        (status = 403, description = "Neither token nor signature allows it", body = ErrorDocument),
        (status = 404, description = "It does not wait", body = ErrorDocument),
        (status = 409, description = "It is published", body = ErrorDocument),
        (status = 413, description = "The body is too large", body = ErrorDocument),
        (status = 414, description = "The path is far too long", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
pub(super) async fn withdraw(
    State(service): State<Arc<Service>>,
    Sender(caller): Sender,
    Path((name, version)): Path<(String, String)>,
    body: Body,
) -> Result<Json<StagedRelease>, ApiError> {
    let (name, version) = named(&caller, &name, &version)?;
    let bytes = read_signature(body).await?;
    let signature = if bytes.is_empty() { None } else { Some(parse_signature(&bytes)?) };
    for _ in 0..ATTEMPTS {
        if let Some(told) = try_to(&service, &caller, (&name, &version), signature.as_ref()).await? {
            return Ok(Json(told));
        }
    }
    Err(RegistryError::Busy { attempts: ATTEMPTS }.into())
}

/// Withdraws it as it is now; none if it was signed or replaced at the same moment.
async fn try_to(
    service: &Service,
    caller: &Caller,
    (name, version): (&PluginName, &Version),
    signature: Option<&Signature>,
) -> Result<Option<StagedRelease>, ApiError> {
    let storage = service.registry.storage();
    // Held to the end: on this server nobody publishes meanwhile what is said to be withdrawn.
    let writer = service.registry.write().await;
    let view = writer.view(writer.settle().await?, name).await?;
    let Some(waiting) = find(storage, name, version, now()?).await? else { return Err(does_not_wait(&view, version)) };
    let told = waiting.kept.told(&waiting.release, &view);
    check_who(caller, &told, signature)?;
    if view.history.release(version).is_some() {
        return Err(does_not_wait(&view, version));
    }
    let condition = Condition::Unchanged(waiting.stored.tag);
    let put = storage.put(&record_path(name, version), Kept::withdrawn().to_bytes().into(), condition).await?;
    Ok(matches!(put, Put::Done(_)).then_some(told))
}

fn does_not_wait(view: &View, version: &Version) -> ApiError {
    match view.history.release(version) {
        Some(entry) => published_already(entry),
        None => not_staged(view.history.name(), version),
    }
}

/// Whoever has a token that allows to publish the plugin, or whose key signs for it.
fn check_who(caller: &Caller, told: &StagedRelease, signature: Option<&Signature>) -> Result<(), ApiError> {
    let not_allowed = |message: String| ApiError::new(StatusCode::FORBIDDEN, "not_allowed", message);
    let Some(signature) = signature else {
        let message = "who withdraws a release needs a token, or signs that with a key of the plugin's owners";
        return if *caller == Caller::Anybody { Err(not_allowed(message.to_owned())) } else { Ok(()) };
    };
    let keys = if told.owners.is_empty() { told.signed() } else { told.owners.clone() };
    if !keys.contains(&signature.key) {
        let keys = keys.iter().map(|key| key.fingerprint().to_string()).collect::<Vec<_>>().join(", ");
        return Err(not_allowed(format!("{} is none of the keys that may: [{keys}]", signature.key.fingerprint())));
    }
    verify(WITHDRAWAL, &told.withdrawal(), signature)
        .map_err(|error| not_allowed(format!("the signature is not of the withdrawal of what waits: {error}")))
}
