//! `http`: one HTTP request, made again where the node says so.
//!
//! `request` is what is sent, `guard` where it may go, `retry` when it is made again, `answer` what comes out. The engine's client
//! makes it, as for plugins: every hop is checked, and only checked addresses are connected to.

mod answer;
mod guard;
mod request;
mod retry;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::Certificate;
use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup, failed, invalid, is_template};
use crate::engine::access::{HttpClient, HttpRequest};
use crate::engine::budget::Seconds;
use crate::engine::{CallError, CallErrorKind, Limit, Limits};
use answer::Answer;
use guard::Guard;
use pocket_index::permissions::parse_duration;
use retry::Retry;

/// How long a request may take when the node does not say: 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body when the node does not say: 10 MiB. It is held in memory, as text and as a value.
const DEFAULT_MAX_BYTES: u64 = 10 << 20;
/// The largest body that a node can ask for: 256 MiB.
const MOST_BYTES: u64 = 256 << 20;
/// The largest file of authorities: 1 MiB. The system's whole list has a quarter of that.
const MAX_CA_BYTES: u64 = 1 << 20;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "http",
    category: "network",
    description: "Makes one HTTP request. The action is `success` for a status below 400 and `failure` otherwise, each when a \
        connection carries it. A request that gets no answer is an error, unless `failure` is connected. A host that stands in the \
        workflow's file or in the run's input is reached wherever it is; one that data brings, or a server redirects to, must be public, unless \
        `plugins.security.private_networks` lists its network.",
    outputs: "`{status, headers, body}`: names of headers in lower case, a JSON body as a value and any other as text. Without an \
        answer, and with `failure` connected, `{status: 0, headers: {}, body: null, error}`.",
    actions: &["success", "failure"],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "url": { "type": "string", "minLength": 1, "description": "Starts with `http:` or `https:`." },
            "method": { "type": "string", "description": "Such as `PUT`. Default: `POST` with a `body`, else `GET`." },
            "headers": {
                "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
                "description": "Headers by name; `null` leaves one out. Those of the connection, such as `Host`, cannot be set."
            },
            "query": { "type": "object", "description": "Parameters for the URL; a list repeats one, `null` leaves it out." },
            "body": { "description": "What is sent: text as it is, any other value as JSON with its content type." },
            "format": {
                "enum": ["auto", "json", "text", "base64"], "default": "auto", "x-pocket-template": false,
                "description": "How the answer's body is read. `auto`: JSON by its content type, else text."
            },
            "timeout": { "type": "string", "default": "30s", "description": "For one request with its redirects." },
            "max_bytes": {
                "type": "integer", "minimum": 0, "maximum": MOST_BYTES, "default": DEFAULT_MAX_BYTES,
                "description": "The largest body of an answer."
            },
            "follow_redirects": { "type": "boolean", "default": true, "description": "Ten at most; `false` gives the redirect itself." },
            "retry": retry::schema(),
            "fail_on_status": { "type": "boolean", "default": false, "description": "A status of 400 and above is an error." },
            "ca_file": {
                "type": "string", "x-pocket-template": false,
                "description": "A PEM file, beside the workflow file, with authorities that are believed besides the system's."
            }
        },
        "required": ["url"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let output = json!({"status": 200, "headers": {}, "body": {"id": 7, "name": "Ada"}});
    vec![
        Example::new(
            "a request with a parameter",
            json!({"url": "https://api.example.com/users/{{.id}}", "query": {"fields": "name"}}),
            json!({"id": 7}),
            output.clone(),
        ),
        Example::new(
            "JSON is sent, and sent again when the server is busy",
            json!({"url": "https://api.example.com/users", "body": {"name": "{{.name}}"}, "retry": {"max_attempts": 5}}),
            json!({"name": "Ada"}),
            output,
        )
        .action("success"),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let text = |key: &str| setup.config.get(key).and_then(Value::as_str);
    let fixed = |key: &str| text(key).filter(|text| !is_template(text));
    let mut problems = Vec::new();
    let mut refuse = |pointer: &str, message: String| problems.push(ConfigProblem::new(pointer, message));
    if let Some(Err(error)) = fixed("url").map(crate::engine::access::http::address) {
        refuse("/url", error.message);
    }
    if let Some(Err(error)) = fixed("method").map(crate::engine::access::http::method) {
        refuse("/method", error.message);
    }
    if let Some(Err(error)) = fixed("timeout").map(parse_duration) {
        refuse("/timeout", error.to_string());
    }
    if let Some(Err((key, message))) =
        setup.config.get("retry").map(|retry| Retry::read(without_templates(retry).as_ref()))
    {
        refuse(&format!("/retry/{key}"), message);
    }
    let authorities = match text("ca_file").map(|file| authorities(&setup.folder.join(file))) {
        Some(Err(message)) => {
            refuse("/ca_file", message);
            Vec::new()
        }
        given => given.and_then(Result::ok).unwrap_or_default(),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let guard = Guard::new(text("url").unwrap_or_default(), setup.host.vars(), setup.host.allowed());
    Ok(Prepared::new(Http { client: HttpClient::believing(authorities), guard: Arc::new(guard) }))
}

/// The parts of a field that are known before the run.
fn without_templates(field: &Value) -> Option<Value> {
    let is_known = |value: &Value| value.as_str().is_none_or(|text| !is_template(text));
    let known = field.as_object()?.iter().filter(|(_, value)| is_known(value));
    Some(Value::Object(known.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let refuse = |reason: String| format!("cannot read `{}`: {reason}", path.display());
    let length = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if length > MAX_CA_BYTES {
        return Err(refuse(format!("it has {length} bytes, at most {MAX_CA_BYTES} are read")));
    }
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if found.is_empty() => Err(refuse("no certificate in PEM form is in it".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(refuse(format!("it is no PEM file: {error}"))),
    }
}

struct Http {
    /// Its connections are this node's alone.
    client: HttpClient,
    guard: Arc<Guard>,
}

impl Node for Http {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        let retry =
            Retry::read(call.field("retry")).map_err(|(key, message)| invalid(format!("`retry.{key}`: {message}")))?;
        let request = request::of(call)?;
        let mut attempt = 1;
        let answer = loop {
            let answer = self.attempt(call, &request);
            let pause = match &answer {
                Ok(answer) => retry.after_answer(attempt, answer, SystemTime::now()),
                Err(error) if request::may_be_repeated(&request, error) => retry.after_nothing(attempt),
                Err(_) => None,
            };
            // An answer is worth more than a pause that the node's time cuts short.
            let left = call.context.deadline.saturating_duration_since(Instant::now());
            match pause.filter(|pause| *pause < left) {
                Some(pause) => call.run.stop().sleep(pause),
                None => break answer,
            };
            call.check_time()?;
            attempt += 1;
        };
        answer::conclude(call, &request, answer)
    }
}

impl Http {
    fn attempt(&self, call: &NodeCall<'_>, request: &HttpRequest) -> Result<Answer, CallError> {
        let timeout = match call.text("timeout") {
            Some(text) => parse_duration(text).map_err(|error| invalid(error.to_string()))?,
            None => DEFAULT_TIMEOUT,
        };
        let max_bytes = call.field("max_bytes").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_BYTES);
        let limits = Limits { transfer: max_bytes, memory: max_bytes, host_call: timeout, ..Limits::default() };
        let stop = call.run.stop().clone();
        let (gate, deadline) = (Arc::clone(&self.guard), call.context.deadline);
        let answer =
            self.client.send_through(gate, limits, request.clone(), deadline, async move { stop.stopped().await });
        let answer = answer.unwrap_or_else(|| Err(failed("the run was stopped")));
        answer.map(Answer::from).map_err(|error| in_the_nodes_words(error, request, timeout, max_bytes))
    }
}

/// The limits are the node's fields here, not a plugin's.
fn in_the_nodes_words(error: CallError, request: &HttpRequest, timeout: Duration, max_bytes: u64) -> CallError {
    let place = request::label(request);
    match error.limit {
        Some(Limit::Transfer) => failed(format!("{place}: the body has more than `max_bytes` ({max_bytes}) bytes")),
        Some(Limit::HostCall) => {
            let message = format!("{place}: no answer within {} (`timeout`)", Seconds(timeout));
            CallError::new(CallErrorKind::Timeout, message)
        }
        _ => error,
    }
}
