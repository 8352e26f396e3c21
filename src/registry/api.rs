//! What a registry's server does besides serving files: it takes publishes, keeps releases that wait for signatures, and knows tokens.

use bytes::Bytes;
use pocket_index::digest::Digest;
use pocket_index::name::PluginName;
use pocket_index::publish::{PublishHeader, PublishReceipt};
use pocket_index::signature::Signature;
use pocket_index::staged::{StagedRelease, TokenGrants};
use semver::Version;
use serde::de::DeserializeOwned;

use super::client::Registry;
use super::error::{RegistryError, TransportError};
use super::http::Progress;

/// The body of a publish.
const BYTES: &str = "application/octet-stream";
/// 8 MiB: 100 releases that wait, each with the largest event.
const ANSWER: u64 = 8 << 20;

/// What became of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    /// It was the last that was needed: the release is published.
    Published(PublishReceipt),
    /// More are needed.
    Waits(Box<StagedRelease>),
}

/// An answer of the API that is no error.
struct Answer<'a> {
    registry: &'a Registry,
    status: u16,
    body: Bytes,
}

impl Registry {
    /// Whether it says that every request needs a token.
    pub fn requires_token(&self) -> bool {
        self.auth_required
    }

    /// Whether a server answers there, and not only files.
    pub fn has_api(&self) -> bool {
        self.api.is_some()
    }

    /// Sends a publish and returns where it stands.
    pub async fn publish(&self, body: Vec<u8>, progress: Progress<'_>) -> Result<PublishReceipt, RegistryError> {
        self.put("the publish", "publish", BYTES, body, progress).await?.document()
    }

    /// Brings a release that waits for its owners' signatures.
    pub async fn stage(&self, body: Vec<u8>, progress: Progress<'_>) -> Result<StagedRelease, RegistryError> {
        self.put("to stage it", "staged", BYTES, body, progress).await?.document()
    }

    /// The releases that wait.
    pub async fn staged(&self) -> Result<Vec<StagedRelease>, RegistryError> {
        self.ask("to list what is staged", "staged", ANSWER).await?.document()
    }

    /// A release that waits; none if it does not.
    pub async fn staged_release(
        &self,
        name: &PluginName,
        version: &Version,
    ) -> Result<Option<StagedRelease>, RegistryError> {
        match self.ask("to show what is staged", &format!("staged/{name}/{version}"), ANSWER).await {
            Err(RegistryError::PublishRefused { code, .. }) if code == "not_found" => Ok(None),
            answer => answer?.document().map(Some),
        }
    }

    /// The bytes of an archive of a release that waits, at most `limit` of them.
    pub async fn staged_archive(
        &self,
        name: &PluginName,
        version: &Version,
        digest: Digest,
        limit: u64,
    ) -> Result<Bytes, RegistryError> {
        let route = format!("staged/{name}/{version}/archives/{}", digest.hex());
        Ok(self.ask("to show a staged archive", &route, limit).await?.body)
    }

    /// Signs a release that waits.
    pub async fn approve(
        &self,
        name: &PluginName,
        version: &Version,
        signature: &Signature,
    ) -> Result<Approved, RegistryError> {
        let body = serde_json::to_vec(signature).expect("a signature has text keys");
        let route = format!("staged/{name}/{version}/signatures");
        let answer = self.put("the signature", &route, "application/json", body, &mut |_, _| {}).await?;
        match answer.status {
            202 => answer.document().map(Box::new).map(Approved::Waits),
            _ => answer.document().map(Approved::Published),
        }
    }

    /// Withdraws a release that waits, and tells what it was. Without a signature, the token that is sent along must be enough.
    pub async fn withdraw(
        &self,
        name: &PluginName,
        version: &Version,
        signature: Option<&Signature>,
    ) -> Result<StagedRelease, RegistryError> {
        let body = signature.map(|signature| serde_json::to_vec(signature).expect("a signature has text keys"));
        let (route, body) = (format!("staged/{name}/{version}/withdrawal"), body.unwrap_or_default());
        self.put("to withdraw it", &route, "application/json", body, &mut |_, _| {}).await?.document()
    }

    /// What the token that is sent along allows; none where the registry knows no tokens.
    pub async fn token(&self) -> Result<Option<TokenGrants>, RegistryError> {
        if !self.has_api() {
            return Ok(None);
        }
        match self.ask("the token", "token", ANSWER).await {
            Err(RegistryError::PublishRefused { code, .. }) if code == "not_found" => Ok(None),
            answer => answer?.document().map(Some),
        }
    }

    async fn ask(&self, what: &'static str, route: &str, limit: u64) -> Result<Answer<'_>, RegistryError> {
        let path = self.route(route)?;
        let answer = self.transport.ask(&path, limit).await;
        self.accepted(what, answer)
    }

    async fn put(
        &self,
        what: &'static str,
        route: &str,
        kind: &'static str,
        body: Vec<u8>,
        progress: Progress<'_>,
    ) -> Result<Answer<'_>, RegistryError> {
        let (path, body) = (self.route(route)?, Bytes::from(body));
        let answer = self.transport.put(&path, kind, body.clone(), progress).await;
        // A server that heard enough closes the connection, and what it said of the whole may be lost with it. It says the same of the
        // beginning; without its archives that can only be refused.
        if let (Err(TransportError::Unreachable { .. }), Some(beginning)) = (&answer, beginning(kind, &body)) {
            let again = self.transport.put(&path, kind, beginning, &mut |_, _| {}).await;
            if let Err(refused @ RegistryError::PublishRefused { .. }) = self.accepted(what, again)
                && !matches!(&refused, RegistryError::PublishRefused { code, .. } if code == "truncated")
            {
                return Err(refused);
            }
        }
        self.accepted(what, answer)
    }

    fn route(&self, route: &str) -> Result<String, RegistryError> {
        self.api.as_ref().map(|api| format!("{api}{route}")).ok_or_else(|| self.read_only())
    }

    fn read_only(&self) -> RegistryError {
        RegistryError::ReadOnly { registry: self.location.to_string() }
    }

    fn accepted(
        &self,
        what: &'static str,
        answer: Result<Option<(u16, Bytes)>, TransportError>,
    ) -> Result<Answer<'_>, RegistryError> {
        let answer = answer.map_err(|source| self.transport_error(source))?;
        let (status, body) = answer.ok_or_else(|| self.read_only())?;
        if (200..300).contains(&status) {
            return Ok(Answer { registry: self, status, body });
        }
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| told[name].as_str().map(|text| text.escape_debug().to_string());
        Err(RegistryError::PublishRefused {
            registry: self.location.to_string(),
            what,
            code: field("code").unwrap_or_else(|| format!("status {status}")),
            message: field("message").unwrap_or_else(|| "the server gave no reason".to_owned()),
        })
    }
}

/// The header of a publish, if archives follow it.
fn beginning(kind: &str, body: &Bytes) -> Option<Bytes> {
    let length = 4 + PublishHeader::length(*body.first_chunk()?).ok()?;
    (kind == BYTES && length < body.len()).then(|| body.slice(..length))
}

impl Answer<'_> {
    fn document<T: DeserializeOwned>(&self) -> Result<T, RegistryError> {
        serde_json::from_slice(&self.body).map_err(|error| self.registry.refused(error))
    }
}
