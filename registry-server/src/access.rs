//! Who may do what. Every route that writes asks here before it reads the body, and again once it knows what the body is about; of a private
//! registry every route does.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use pocket_index::record::Event;
use pocket_index::time::UtcTime;

use crate::accounts::{self, Presented, Scope, TokenRecord};
use crate::config::Tokens;
use crate::error::ApiError;
use crate::routes::{CopyService, Service};
use crate::serve::{Metrics, Rate};
use crate::storage::Storage;
use crate::{checkpoint, pages};

/// What a private registry answers without a token: whether it lives, and how its pages look.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];
/// Browsers ask for a name and a password; the password is the token.
const ASK_A_PERSON: HeaderValue = HeaderValue::from_static("Basic realm=\"Pocket registry: the password is a token\"");

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody said. Who signed the event says who may publish it.
    Anybody,
    /// Who has this token.
    Holder(TokenRecord),
}

/// Who asks for something that not everybody may do.
#[derive(Debug)]
pub(crate) struct Sender(pub Caller);

/// Who asks. A token counts once for each request, whoever looks at it, and wherever the request comes from: one that leaked is used from many addresses.
impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, ApiError> {
        // The guard of a private registry looked before.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let caller = look(parts, service.registry.storage(), &service.token_rate, &service.metrics).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// Who wants to write, if they may write anything at all.
impl FromRequestParts<Arc<Service>> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, service).await? {
            Caller::Anybody if service.tokens == Tokens::Required => Err(no_token()),
            caller => Ok(Self(caller)),
        }
    }
}

/// Who sends this request, which now counts for its token.
async fn look(
    parts: &Parts,
    storage: &dyn Storage,
    rate: &Rate<String>,
    metrics: &Metrics,
) -> Result<Caller, ApiError> {
    let caller = authenticate(storage, &parts.method, &parts.headers).await?;
    if let Caller::Holder(record) = &caller
        && !rate.allows(record.id.clone(), Instant::now())
    {
        metrics.token_limited();
        return Err(too_often(record));
    }
    Ok(caller)
}

/// Who sends these headers; 401 if what stands there is no token, or one that is worth nothing.
async fn authenticate(storage: &dyn Storage, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Caller::Anybody) };
    let refused = |code, message: &str| ApiError::new(StatusCode::UNAUTHORIZED, code, message);
    let text = sent_token(method, value).ok_or_else(|| {
        refused(
            "token_malformed",
            "`Authorization` holds no token: expected `Bearer pocket_…`, or a browser's password",
        )
    })?;
    let unknown = || refused("token_unknown", "this registry does not know the token");
    let presented = Presented::parse(&text).ok_or_else(unknown)?;
    let record = accounts::find(storage, &presented).await?.ok_or_else(unknown)?;
    if let Some(at) = record.revoked {
        return Err(refused("token_revoked", &format!("the token `{}` was revoked {}", record.name, UtcTime(at))));
    }
    let now = checkpoint::now().map_err(|error| ApiError::storage(&error))?;
    if let Some(at) = record.expires.filter(|_| record.is_expired(now)) {
        return Err(refused("token_expired", &format!("the token `{}` expired {}", record.name, UtcTime(at))));
    }
    Ok(Caller::Holder(record))
}

/// The token in the header. A browser sends it along with everything that any page makes it ask for, so its way counts for reading alone.
fn sent_token(method: &Method, value: &HeaderValue) -> Option<String> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    if !scheme.eq_ignore_ascii_case("basic") || !is_reading {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whether the caller may send this event.
pub(crate) fn may_send(caller: &Caller, event: &Event) -> Result<(), ApiError> {
    may_write(caller, Scope::of(event), event.name())
}

/// Whether the caller may do this to a plugin.
pub(crate) fn may_write(caller: &Caller, scope: Scope, name: &pocket_index::name::PluginName) -> Result<(), ApiError> {
    let Caller::Holder(record) = caller else { return Ok(()) };
    let refused = |code, message: String| ApiError::new(StatusCode::FORBIDDEN, code, message);
    if !record.allows(scope) {
        let has = record.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("the token `{}` allows `{has}`, this needs `{scope}`", record.name);
        return Err(refused("token_scope", message));
    }
    if !record.is_for(name) {
        let plugins = record.plugins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("the token `{}` is for `{plugins}`, not for `{name}`", record.name);
        return Err(refused("token_plugin", message));
    }
    Ok(())
}

/// What everybody hears who needs a token and has none.
pub(crate) fn no_token() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "token_needed", "this needs a token: `Authorization: Bearer pocket_…`")
}

/// What everybody hears who uses one token too often, together with whoever else has it.
fn too_often(record: &TokenRecord) -> ApiError {
    let message = format!("the token `{}` is used too often, by all who have it together; wait a second", record.name);
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "token_too_many_requests", message).retry_after(1)
}

/// Who lets readers in where not everybody may read: of a private registry nobody gets anything without a token, neither files nor pages, nor
/// what the API says.
#[derive(Debug, Clone)]
pub(crate) enum Guard {
    /// A private registry's.
    Registry(Arc<Service>),
    /// That of a copy that is fetched as it is asked for. The other registry says whether it is private, and the tokens are the copy's own:
    /// those of the other one are not known here.
    Copy(Arc<CopyService>),
}

/// Whether somebody is let in.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Everybody is.
    Public,
    /// This one is.
    Private,
    /// This one is not, and hears why.
    Refused(Response),
}

/// Asks the guard before anything is answered.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) || path == pages::style_path() {
        return next.run(request).await;
    }
    let (mut head, body) = request.into_parts();
    let admission = guard.admit(&mut head).await;
    if let Admission::Refused(refusal) = admission {
        return refusal;
    }
    let mut response = next.run(Request::from_parts(head, body)).await;
    admission.mark(&mut response);
    response
}

impl Guard {
    /// Whether whoever sends this request may read what they ask for.
    pub async fn admit(&self, head: &mut Parts) -> Admission {
        let (caller, shows_pages) = match self {
            Self::Copy(service) if !service.pull.is_private() => return Admission::Public,
            Self::Copy(service) => {
                let storage = service.files.storage();
                (look(head, storage, &service.token_rate, &service.metrics).await, false)
            }
            Self::Registry(service) => {
                let accepted = head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
                let shows_pages = accepted.is_some_and(|accepted| accepted.contains("text/html"));
                (Caller::from_request_parts(head, service).await, shows_pages)
            }
        };
        let error = match caller {
            Ok(Caller::Holder(_)) => return Admission::Private,
            Ok(Caller::Anybody) => no_token(),
            Err(error) => error,
        };
        if !shows_pages || error.status() != StatusCode::UNAUTHORIZED {
            return Admission::Refused(error.into_response());
        }
        let mut response = pages::refused(error);
        response.headers_mut().append(WWW_AUTHENTICATE, ASK_A_PERSON);
        Admission::Refused(response)
    }
}

impl Admission {
    /// What came with a token is kept by nobody between here and who has it.
    pub fn mark(&self, response: &mut Response) {
        if matches!(self, Self::Private) {
            keep_private(response.headers_mut());
        }
    }
}

fn keep_private(headers: &mut HeaderMap) {
    let told = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or("no-cache");
    let told = format!("private, {}", told.trim_start_matches("public, "));
    headers.insert(CACHE_CONTROL, HeaderValue::from_str(&told).expect("it was a header's value before"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_password_is_a_token_for_reading_alone() {
        let basic = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(b"me:pocket_1_2"))).expect("a value");
        assert_eq!(sent_token(&Method::GET, &basic).as_deref(), Some("pocket_1_2"));
        assert_eq!(sent_token(&Method::PUT, &basic), None);
        let bearer = HeaderValue::from_static("bearer pocket_1_2");
        assert_eq!(sent_token(&Method::PUT, &bearer).as_deref(), Some("pocket_1_2"));
        for other in ["pocket_1_2", "Digest pocket_1_2", "Basic !", "Bearer"] {
            assert_eq!(sent_token(&Method::GET, &HeaderValue::from_static(other)), None, "{other}");
        }
    }

    #[test]
    fn what_is_private_is_kept_by_no_cache_on_the_way() {
        for (told, private) in [
            ("no-cache", "private, no-cache"),
            ("public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
        ] {
            let mut headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(told))]);
            keep_private(&mut headers);
            assert_eq!(headers[CACHE_CONTROL], private);
        }
    }
}
