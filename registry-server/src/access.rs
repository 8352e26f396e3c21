//! Who may do what. Every route that writes asks here before it reads the body, and again once it knows what the body is about; of a private
//! registry every route does.

use std::sync::Arc;

use axum::extract::{Request, State};
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
use crate::routes::Service;
use crate::{Registry, checkpoint, pages};

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

/// Who sends these headers.
///
/// # Errors
/// 401: what stands there is no token, or one that is worth nothing.
pub(crate) async fn authenticate(
    registry: &Registry,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
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
    let record = accounts::find(registry.storage(), &presented).await?.ok_or_else(unknown)?;
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

/// Who wants to write, if they may write anything at all.
pub(crate) async fn authorise(service: &Service, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = authenticate(&service.registry, method, headers).await?;
    match &caller {
        Caller::Anybody if service.tokens == Tokens::Required => Err(no_token()),
        _ => Ok(caller),
    }
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

/// Of a private registry nobody gets anything without a token: neither files nor pages, nor what the API says.
pub(crate) async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) || path == pages::style_path() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    match refusal(&service, &head).await {
        Some(refusal) => refusal,
        None => {
            let mut response = next.run(Request::from_parts(head, body)).await;
            keep_private(response.headers_mut());
            response
        }
    }
}

/// What whoever reads a private registry hears without a token that is worth something.
pub(crate) async fn refusal(service: &Service, head: &Parts) -> Option<Response> {
    let caller = authenticate(&service.registry, &head.method, &head.headers).await;
    let error = match caller {
        Ok(Caller::Holder(_)) => return None,
        Ok(Caller::Anybody) => no_token(),
        Err(error) => error,
    };
    let accepted = head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if !accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        return Some(error.into_response());
    }
    let mut response = pages::refused(error);
    response.headers_mut().append(WWW_AUTHENTICATE, ASK_A_PERSON);
    Some(response)
}

/// What came with a token is kept by nobody between here and who has it.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
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
