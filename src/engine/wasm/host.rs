//! What the engine offers to every plugin under its own name: `pocket:plugin/log`, `kv` and `http`.
//!
//! The interfaces are defined at their newest version. A plugin that was built with another minor version finds them too, as long
//! as the functions that it uses are there.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::state::{MAX_PRINTED_BYTES, State};
use crate::engine::access::{HttpRequest, HttpResponse, Redirects};
use crate::engine::error::{CallError, CallErrorKind};

/// The newest version of the interfaces.
pub(super) const VERSION: &str = "1.1.0";

type Host<'a> = StoreContextMut<'a, State>;

/// Offers the interfaces of `sdk/wit`.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut log = linker.instance(&format!("pocket:plugin/log@{VERSION}"))?;
    log.func_wrap("write", |store: Host<'_>, (text,): (WasmStr,)| {
        let text = text.to_str(&store)?;
        let end = text.floor_char_boundary(MAX_PRINTED_BYTES);
        let border = &store.data().border;
        border.log.write(&border.identity.plugin, &text[..end]);
        Ok(())
    })?;
    let mut kv = linker.instance(&format!("pocket:plugin/kv@{VERSION}"))?;
    kv.func_wrap("get", |store: Host<'_>, (key,): (String,)| Ok((store.data().texts.get(&key),)))?;
    kv.func_wrap("set", |store: Host<'_>, (key, value): (String, String)| {
        Ok((store.data().texts.set(&key, &value).map_err(|error| error.message),))
    })?;
    kv.func_wrap("delete", |store: Host<'_>, (key,): (String,)| Ok((store.data().texts.delete(&key),)))?;
    let mut http = linker.instance(&format!("pocket:plugin/http@{VERSION}"))?;
    http.func_wrap("request", |store: Host<'_>, (request,): (String,)| {
        let answer = send(store.data(), &request).map_err(|error| {
            let text = error_text(&error);
            if error.kind == CallErrorKind::Denied {
                store.data().refusal.note(error);
            }
            text
        });
        Ok((answer,))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
}

#[derive(Serialize)]
struct Response {
    status: u16,
    url: String,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// Waits on the call's own thread; the request ends at the call's deadline.
fn send(state: &State, request: &str) -> Result<String, CallError> {
    let refused = |reason: String| CallError::new(CallErrorKind::InvalidInput, format!("the HTTP request: {reason}"));
    let request: Request = serde_json::from_str(request).map_err(|error| refused(error.to_string()))?;
    let body = match (request.body, request.body_base64) {
        (Some(_), Some(_)) => return Err(refused("there are `body` and `body_base64`".to_owned())),
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => {
            BASE64.decode(text.as_bytes()).map_err(|error| refused(format!("`body_base64` is no base64: {error}")))?
        }
        (None, None) => Vec::new(),
    };
    let request = HttpRequest {
        method: request.method.unwrap_or_else(|| "GET".to_owned()),
        url: request.url,
        headers: request.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect(),
        body,
        redirects: Redirects::Follow,
    };
    let border = &state.border;
    let response = state.http.send(&border.grants, border.limits, request, state.deadline);
    let response = response.inspect_err(|error| {
        if error.kind == CallErrorKind::Denied {
            state.refusal.note(error.clone());
        }
    })?;
    Ok(serde_json::to_string(&Response::from(response)).expect("texts and numbers always serialize"))
}

impl From<HttpResponse> for Response {
    fn from(response: HttpResponse) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in response.headers {
            let value = String::from_utf8_lossy(&value);
            headers
                .entry(name)
                .and_modify(|before| *before = format!("{before}, {value}"))
                .or_insert_with(|| value.into_owned());
        }
        let (body, body_base64) = match String::from_utf8(response.body) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
        };
        Self { status: response.status, url: response.url, headers, body, body_base64 }
    }
}

/// An error as plugins have them.
fn error_text(error: &CallError) -> String {
    json!({"kind": error.kind.word(), "message": error.message, "details": error.details}).to_string()
}
