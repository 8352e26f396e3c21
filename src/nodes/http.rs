//! `http`: one HTTP request.

use std::str::FromStr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, Url};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{BuiltIn, ConfigProblem, Node, NodeCall, Outcome, Prepared, Setup, failed, invalid, is_template};
use crate::engine::budget::Seconds;
use crate::engine::{CallError, CallErrorKind};
use pocket_index::permissions::parse_duration;

/// How long a request may take when the node does not say: 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body when the node does not say: 10 MiB. It is held in memory, as text and as a value.
const DEFAULT_MAX_BYTES: u64 = 10 << 20;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "http",
    category: "network",
    description: "Makes one HTTP request. The output is `{status, headers, body}`; a JSON body is a value, any other is text. \
        The action is `success` for a status below 400 and `failure` otherwise, each when a connection carries it. \
        A request that gets no answer is an error, unless `failure` is connected; `fail_on_status` makes a status of 400 \
        and above an error too, which `retry` tries again for 429 and 5xx.",
    schema,
    examples: Vec::new,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "url": { "type": "string", "minLength": 1 },
            "method": { "type": "string", "default": "GET" },
            "headers": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
            "query": { "type": "object", "description": "Parameters for the URL; a list repeats one." },
            "body": { "description": "Text as it is, any other value as JSON." },
            "timeout": { "type": "string", "default": "30s" },
            "max_bytes": { "type": "integer", "minimum": 0, "default": DEFAULT_MAX_BYTES },
            "fail_on_status": { "type": "boolean", "default": false }
        },
        "required": ["url"],
        "additionalProperties": false
    })
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let fixed = |key: &str| setup.config.get(key).and_then(Value::as_str).filter(|text| !is_template(text));
    let mut problems = Vec::new();
    if let Some(text) = fixed("url")
        && let Err(message) = address(text)
    {
        problems.push(ConfigProblem::new("/url", message));
    }
    if let Some(text) = fixed("method")
        && let Err(message) = method(text)
    {
        problems.push(ConfigProblem::new("/method", message));
    }
    if let Some(Err(error)) = fixed("timeout").map(parse_duration) {
        problems.push(ConfigProblem::new("/timeout", error.to_string()));
    }
    if problems.is_empty() { Ok(Prepared::new(Http)) } else { Err(problems) }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("`{text}` starts with `{other}:`, expected `http:` or `https:`")),
    }
}

fn method(text: &str) -> Result<Method, String> {
    Method::from_str(&text.to_ascii_uppercase()).map_err(|_| format!("`{text}` is no HTTP method"))
}

/// Requests of all runs share their connections and one thread that drives them.
static REQUESTS: LazyLock<Result<(Runtime, Client), String>> = LazyLock::new(|| {
    // Another part of the program may have installed it before; the first stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let client = Client::builder()
        .user_agent(concat!("pocket/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| describe(&error))?;
    Ok((runtime, client))
});

struct Http;

impl Node for Http {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let (runtime, client) =
            REQUESTS.as_ref().map_err(|error| failed(format!("cannot make HTTP requests: {error}")))?;
        let request = request(call)?;
        let place = format!("{} {}", request.method(), shown(request.url()));
        let limit = call.field("max_bytes").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_BYTES);
        let timeout = timeout(call)?;
        let stop = call.run.stop().clone();
        let answer = runtime.block_on(async {
            tokio::select! {
                answer = tokio::time::timeout(timeout, exchange(client, request, limit)) => answer,
                () = stop.stopped() => Ok(Err("the run was stopped".to_owned())),
            }
        });
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {}", Seconds(timeout))));
        match answer {
            Ok(answer) => conclude(call, &place, answer),
            Err(message) if call.run.is_connected("failure") => {
                let output = json!({"status": 0, "headers": {}, "body": null, "error": message});
                Ok(Outcome::of(output).with_action("failure"))
            }
            Err(message) => Err(CallError::new(CallErrorKind::Retryable, format!("{place}: {message}"))),
        }
    }
}

fn timeout(call: &NodeCall<'_>) -> Result<Duration, CallError> {
    let wanted = match call.text("timeout") {
        Some(text) => parse_duration(text).map_err(|error| invalid(error.to_string()))?,
        None => DEFAULT_TIMEOUT,
    };
    Ok(wanted.min(call.context.deadline.saturating_duration_since(Instant::now())))
}

/// A URL as it may be shown: a password in it is hidden, and so is the query, which may hold a key.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

fn request(call: &NodeCall<'_>) -> Result<Request, CallError> {
    let mut url = address(call.text("url").unwrap_or_default()).map_err(invalid)?;
    if let Some(Value::Object(query)) = call.field("query") {
        let mut pairs = url.query_pairs_mut();
        for (key, value) in query {
            let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
            pairs.extend_pairs(values.iter().filter_map(|value| Some((key, plain(value)?))));
        }
    }
    let body = call.field("body");
    let default_method = if body.is_some() { "POST" } else { "GET" };
    let method = method(call.text("method").unwrap_or(default_method)).map_err(invalid)?;
    let mut request = Request::new(method, url);
    match body {
        Some(Value::String(text)) => *request.body_mut() = Some(text.clone().into()),
        Some(value) => {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(value.to_string().into());
        }
        None => {}
    }
    for (name, value) in call.field("headers").and_then(Value::as_object).into_iter().flatten() {
        let key = HeaderName::from_str(name).map_err(|_| invalid(format!("`{name}` is no header name")))?;
        let value = HeaderValue::from_str(&plain(value).unwrap_or_default())
            .map_err(|_| invalid(format!("the value of header `{name}` has characters that headers cannot hold")))?;
        request.headers_mut().insert(key, value);
    }
    Ok(request)
}

/// A value as it stands in a URL or header; `null` leaves the parameter out.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

struct Answer {
    status: u16,
    reason: &'static str,
    headers: Map<String, Value>,
    body: Value,
}

async fn exchange(client: &Client, request: Request, limit: u64) -> Result<Answer, String> {
    let mut response = client.execute(request).await.map_err(|error| describe(&error))?;
    let headers = headers(&response);
    let bytes = body(&mut response, limit).await?;
    let is_json = headers.get("content-type").and_then(Value::as_str).is_some_and(is_json);
    let parsed = if is_json { serde_json::from_slice(&bytes).ok() } else { None };
    Ok(Answer {
        status: response.status().as_u16(),
        reason: response.status().canonical_reason().unwrap_or_default(),
        headers,
        body: parsed.unwrap_or_else(|| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
    })
}

fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

/// The headers with their names in lower case; repeated ones joined by commas.
fn headers(response: &Response) -> Map<String, Value> {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match headers.get_mut(name.as_str()) {
            Some(Value::String(before)) => before.extend([", ", &value]),
            _ => {
                headers.insert(name.to_string(), Value::String(value));
            }
        }
    }
    headers
}

async fn body(response: &mut Response, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(format!("the body has more than `max_bytes` ({limit}) bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The innermost cause: the outer ones only say that a request failed, and name the URL with its query.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let kind = if error.is_connect() { "cannot connect: " } else { "" };
    format!("{kind}{}", cause.to_string().to_lowercase())
}

fn conclude(call: &NodeCall<'_>, place: &str, answer: Answer) -> Result<Outcome, CallError> {
    let good = answer.status < 400;
    let action = if good { "success" } else { "failure" };
    let connected = call.run.is_connected(action);
    if !good && !connected && call.field("fail_on_status") == Some(&Value::Bool(true)) {
        let again = answer.status == 429 || answer.status >= 500;
        let kind = if again { CallErrorKind::Retryable } else { CallErrorKind::Failed };
        let message = format!("{place}: status {} {}", answer.status, answer.reason);
        let details = json!({"status": answer.status, "body": answer.body});
        return Err(CallError { details: Some(details), ..CallError::new(kind, message.trim_end()) });
    }
    let output = json!({"status": answer.status, "headers": answer.headers, "body": answer.body});
    let outcome = Outcome::of(output);
    Ok(if connected { outcome.with_action(action) } else { outcome })
}
