//! What the routes of `/api/v1/staged` have in common: their documents, and how a request says what it is about.

use std::fmt::Display;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use pocket_index::name::PluginName;
use pocket_index::record::{Release, ReleaseEntry};
use pocket_index::signature::Signature;
use semver::Version;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{self, Caller};
use crate::accounts::Scope;
use crate::checkpoint;
use crate::error::ApiError;
use crate::publish::malformed;

/// How often a signature is put beside others that come at the same time.
pub(super) const ATTEMPTS: u32 = 20;
/// 4 KiB: a signature has 200 bytes.
const SIGNATURE: usize = 4 << 10;

/// A release that waits for signatures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StagedRelease)]
pub(super) struct StagedDocument {
    /// The plugin.
    name: String,
    /// Its version.
    version: String,
    /// The event's bytes: what each owner signs.
    event: String,
    /// Who signed them so far.
    signatures: Vec<SignatureDocument>,
    /// The keys that may sign; empty for a plugin that nobody has published yet.
    owners: Vec<String>,
    /// How many of them must sign.
    needed: u32,
    /// Who brought it: a token's name.
    by: Option<String>,
    /// When it was brought: seconds since 1970-01-01 UTC.
    staged: u64,
    /// From when on it is as if it had never been brought.
    expires: u64,
}

/// A signature of the event's bytes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signature)]
pub(super) struct SignatureDocument {
    /// The public key: `ed25519:` and 64 hexadecimal digits.
    key: String,
    /// The signature: 128 hexadecimal digits.
    sig: String,
}

/// Where a release stands that was published.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublishReceipt)]
pub(super) struct ReceiptDocument {
    /// The index of its leaf in the log.
    log: u64,
    /// The digest of its line.
    digest: String,
}

pub(super) async fn read_signature(body: Body) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, SIGNATURE).await.map_err(|_| {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a signature has at most {SIGNATURE} bytes"))
    })
}

pub(super) fn parse_signature(bytes: &Bytes) -> Result<Signature, ApiError> {
    // A list of the same values in the right order would be read as one, too.
    let value: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    serde_json::from_value(value.into()).map_err(|error| malformed(&error))
}

/// What is asked for, if whoever asks may publish it.
pub(super) fn named(caller: &Caller, name: &str, version: &str) -> Result<(PluginName, Version), ApiError> {
    let (Ok(plugin), Ok(parsed)) = (name.parse::<PluginName>(), version.parse::<Version>()) else {
        return Err(not_staged(name, version));
    };
    access::may_write(caller, Scope::Publish, &plugin)?;
    Ok((plugin, parsed))
}

/// What does not wait, as it was asked for.
pub(super) fn not_staged(name: impl Display, version: impl Display) -> ApiError {
    ApiError::not_found(&format!("{name} {version}, staged"))
}

/// What waits no more, for it is published.
pub(super) fn published_already(release: &ReleaseEntry) -> ApiError {
    let Release { name, version, .. } = release.release();
    let message = format!("`{name}` {version} is published already (log entry {})", release.log());
    ApiError::new(StatusCode::CONFLICT, "version_exists", message)
}

pub(super) fn now() -> Result<u64, ApiError> {
    checkpoint::now().map_err(|error| ApiError::storage(&error))
}
