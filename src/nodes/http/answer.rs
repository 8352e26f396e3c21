//! What comes out of a request.

use data_encoding::BASE64;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::super::json::{Unreadable, read};
use super::request::label;
use crate::engine::access::{HttpRequest, HttpResponse};
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{NodeCall, Outcome, failed};

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl From<HttpResponse> for Answer {
    fn from(response: HttpResponse) -> Self {
        let HttpResponse { status, headers, body, .. } = response;
        Self { status, headers, body }
    }
}

impl Answer {
    /// The first header of a name, which is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().find(|(known, _)| known == name);
        value.and_then(|(_, value)| str::from_utf8(value).ok())
    }

    fn headers(&self) -> Value {
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value).into_owned();
            match headers.get_mut(name) {
                // Repeated ones mean the same joined by commas.
                Some(Value::String(before)) => before.extend([", ", &value]),
                _ => drop(headers.insert(name.clone(), Value::String(value))),
            }
        }
        Value::Object(headers)
    }

    fn body(&self, format: &str) -> Result<Value, String> {
        let says_json = self.header("content-type").is_some_and(is_json);
        match format {
            "base64" => Ok(Value::String(BASE64.encode(&self.body))),
            "json" => read(&self.body).map_err(|error| format!("the body is no JSON: {error}")),
            "auto" if says_json && !self.body.is_empty() => match read(&self.body) {
                Ok(value) => Ok(value),
                // Servers say so of their error pages too.
                Err(Unreadable::Syntax(_)) => self.text(),
                Err(error) => Err(format!("{error} (`format: text` gives the body as it is)")),
            },
            _ => self.text(),
        }
    }

    fn text(&self) -> Result<Value, String> {
        let text = str::from_utf8(&self.body).map_err(|error| {
            let at = error.valid_up_to() + 1;
            format!("the body is no UTF-8 text from byte {at}; `format: base64` gives its bytes")
        })?;
        Ok(Value::String(text.to_owned()))
    }
}

fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

/// The node's outcome.
pub(super) fn conclude(
    call: &NodeCall<'_>,
    request: &HttpRequest,
    answer: Result<Answer, CallError>,
) -> Result<Outcome, CallError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if is_of_the_network(&error) && call.run.is_connected("failure") => {
            let output = json!({"status": 0, "headers": {}, "body": null, "error": error.message});
            return Ok(Outcome::of(output).with_action("failure"));
        }
        Err(error) => return Err(error),
    };
    let body = answer.body(call.text("format").unwrap_or("auto"));
    let body = body.map_err(|reason| failed(format!("{}: {reason}", label(request))))?;
    let is_good = answer.status < 400;
    let action = if is_good { "success" } else { "failure" };
    let is_connected = call.run.is_connected(action);
    if !is_good && !is_connected && call.field("fail_on_status") == Some(&Value::Bool(true)) {
        return Err(bad_status(request, answer.status, body));
    }
    let outcome = Outcome::of(json!({"status": answer.status, "headers": answer.headers(), "body": body}));
    Ok(if is_connected { outcome.with_action(action) } else { outcome })
}

/// Whether an error says something of the other side. What the workflow may not do, or wrote wrong, is no failure of the request.
fn is_of_the_network(error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::Retryable | CallErrorKind::Timeout | CallErrorKind::Failed)
}

fn bad_status(request: &HttpRequest, status: u16, body: Value) -> CallError {
    let again = status == 429 || status >= 500;
    let kind = if again { CallErrorKind::Retryable } else { CallErrorKind::Failed };
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let message = format!("{}: status {status} {reason}", label(request));
    let details = json!({"status": status, "body": body});
    CallError { details: Some(details), ..CallError::new(kind, message.trim_end()) }
}
