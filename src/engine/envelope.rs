//! The JSON that crosses the border to a plugin and back, the same for every runtime.
//!
//! In: `config`, `input` and a context `{"run_id","node","attempt","deadline_ms","plugin","version","settings":{…}}`.
//! Back: `{"output":<any>,"action":"found"}` (the action may be missing) or an error
//! `{"kind":"invalid_input|failed|retryable|timeout","message":"…","details":…}`; an error that is not such an object is
//! taken as the message of a `failed`.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::{CallError, CallErrorKind};
use super::plugin::{CallContext, PluginFiles, Reply};

/// The action of a reply that names none.
pub const DEFAULT_ACTION: &str = "default";

/// Longer error texts of plugins are cut: 16 KiB hold any message a person reads.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// What every call of one plugin has in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The plugin's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Its settings, all of them resolved.
    pub settings: Map<String, Value>,
}

/// The context as it crosses the border.
#[derive(Debug, Serialize)]
struct ContextEnvelope<'a> {
    run_id: &'a str,
    node: &'a str,
    attempt: u32,
    /// Milliseconds that are left when the call starts.
    deadline_ms: u64,
    plugin: &'a str,
    version: &'a str,
    settings: &'a Map<String, Value>,
}

#[derive(Deserialize)]
struct ReplyEnvelope {
    #[serde(default, deserialize_with = "present")]
    output: Option<Value>,
    #[serde(default)]
    action: Option<String>,
}

/// `null` is an output too: only a missing field is `None`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct RefusalEnvelope<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ErrorEnvelope {
    #[serde(default)]
    kind: Option<String>,
    message: String,
    #[serde(default)]
    details: Option<Value>,
}

impl Identity {
    /// Of a plugin's files and its resolved settings.
    pub fn new(files: &PluginFiles, settings: Map<String, Value>) -> Self {
        Self { plugin: files.manifest.name.to_string(), version: files.manifest.version.to_string(), settings }
    }

    /// The settings as JSON text.
    pub fn settings_text(&self) -> String {
        serde_json::to_string(&self.settings).expect("strings, numbers and JSON values always serialize")
    }

    /// The context of one call as JSON text.
    pub fn context(&self, context: &CallContext) -> String {
        serde_json::to_string(&self.envelope(context)).expect("strings, numbers and JSON values always serialize")
    }

    /// The context of one call as a value.
    pub fn context_value(&self, context: &CallContext) -> Value {
        serde_json::to_value(self.envelope(context)).expect("strings, numbers and JSON values always serialize")
    }

    fn envelope<'a>(&'a self, context: &'a CallContext) -> ContextEnvelope<'a> {
        let left = context.deadline.saturating_duration_since(Instant::now());
        ContextEnvelope {
            run_id: &context.run_id,
            node: &context.node,
            attempt: context.attempt,
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            plugin: &self.plugin,
            version: &self.version,
            settings: &self.settings,
        }
    }
}

/// Reads what a plugin returned. `limit` is the most bytes that the text may have.
pub fn decode_reply(node_type: &str, text: &str, limit: u64) -> Result<Reply, CallError> {
    if text.len() as u64 > limit {
        return Err(CallError::output_too_large(node_type, limit));
    }
    let broken = |reason: String| CallError::crashed(format!("`{node_type}` returned a broken reply: {reason}"));
    if !is_object(text) {
        return Err(broken("expected an object with the field `output`".to_owned()));
    }
    let envelope: ReplyEnvelope = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    let output = envelope.output.ok_or_else(|| broken("the field `output` is missing".to_owned()))?;
    Ok(Reply { output, action: named_action(envelope.action) })
}

/// Reads what a plugin returned for several calls: a list with what each of them gave, `{"output","action"}` or `{"error":{…}}`.
/// `limit` is the most bytes that each may have.
///
/// # Errors
/// It is no such list, or has another length.
pub fn decode_replies(
    node_type: &str,
    text: &str,
    calls: usize,
    limit: u64,
) -> Result<Vec<Result<Reply, CallError>>, CallError> {
    let broken = |reason: String| CallError::crashed(format!("`{node_type}` returned broken replies: {reason}"));
    if text.len() as u64 > limit.saturating_mul(calls as u64) {
        return Err(CallError::output_too_large(node_type, limit));
    }
    let replies: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    if replies.len() != calls {
        return Err(broken(format!("there are {} for {calls} calls", replies.len())));
    }
    Ok(replies.into_iter().map(|reply| decode_one_of_several(node_type, reply.get(), limit)).collect())
}

fn decode_one_of_several(node_type: &str, text: &str, limit: u64) -> Result<Reply, CallError> {
    match serde_json::from_str::<RefusalEnvelope<'_>>(text) {
        Ok(RefusalEnvelope { error: Some(error) }) if is_object(text) => Err(decode_error(error.get())),
        _ => decode_reply(node_type, text, limit),
    }
}

/// Reads the error that a plugin returned.
pub fn decode_error(text: &str) -> CallError {
    match serde_json::from_str::<ErrorEnvelope>(text) {
        Ok(envelope) if is_object(text) => error_of(envelope.kind.as_deref(), envelope.message, envelope.details),
        _ => error_of(None, text.to_owned(), None),
    }
}

/// A list would be taken as an object's fields in order.
fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// An error of the given parts. A kind that a plugin may not report counts as `failed`.
pub fn error_of(kind: Option<&str>, mut message: String, details: Option<Value>) -> CallError {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    if message.trim().is_empty() {
        "the plugin reported an error without a message".clone_into(&mut message);
    }
    let kind = kind.and_then(CallErrorKind::from_plugin).unwrap_or(CallErrorKind::Failed);
    CallError { details: details.filter(|details| !details.is_null()), ..CallError::new(kind, message) }
}

/// `default` and an empty text are the same as no action.
pub fn named_action(action: Option<String>) -> Option<String> {
    action.filter(|action| !action.is_empty() && action != DEFAULT_ACTION)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_has_an_output_and_perhaps_an_action() {
        let reply = decode_reply("n", r#"{"output":{"a":1},"action":"found"}"#, 100).expect("it is whole");
        assert_eq!(reply, Reply { output: json!({"a": 1}), action: Some("found".into()) });
        let reply = decode_reply("n", r#"{"output":null,"action":"default"}"#, 100).expect("null is an output");
        assert_eq!(reply, Reply { output: Value::Null, action: None });
    }

    #[test]
    fn of_several_replies_each_stands_for_itself() {
        let text = r#"[{"output":1,"action":"x"},{"error":{"kind":"retryable","message":"busy"}},{"out":2}]"#;
        let replies = decode_replies("n", text, 3, 100).expect("there are three");
        assert_eq!(replies[0], Ok(Reply { output: json!(1), action: Some("x".into()) }));
        let errors: Vec<_> = replies[1..].iter().map(|reply| reply.as_ref().expect_err("it is one").kind).collect();
        assert_eq!(errors, [CallErrorKind::Retryable, CallErrorKind::Crashed]);
        let too_few = decode_replies("n", text, 4, 100).expect_err("one is missing");
        assert_eq!(too_few.message, "`n` returned broken replies: there are 3 for 4 calls");
        let long = decode_replies("n", text, 3, 20).expect_err("they are longer together").message;
        assert_eq!(long, "the output of `n` is larger than its limit of 20 bytes");
    }

    #[test]
    fn a_broken_reply_is_a_crash_that_says_why() {
        for (text, reason) in
            [("{", "EOF"), (r#"{"action":"x"}"#, "`output` is missing"), ("[1]", "expected an object")]
        {
            let error = decode_reply("n", text, 100).expect_err("it is broken");
            assert_eq!(error.kind, CallErrorKind::Crashed, "{text}");
            assert!(error.message.contains(reason), "{}", error.message);
        }
    }

    #[test]
    fn an_output_above_its_limit_is_refused_before_it_is_parsed() {
        let error = decode_reply("n", "not even JSON", 4).expect_err("it is too long");
        assert_eq!(error.message, "the output of `n` is larger than its limit of 4 bytes");
    }

    #[test]
    fn an_error_is_an_object_or_plain_text() {
        let error = decode_error(r#"{"kind":"retryable","message":"busy","details":{"after":3}}"#);
        assert_eq!((error.kind, error.details), (CallErrorKind::Retryable, Some(json!({"after": 3}))));
        let error = decode_error("just text");
        assert_eq!((error.kind, error.message.as_str()), (CallErrorKind::Failed, "just text"));
    }

    #[test]
    fn a_plugin_cannot_claim_the_engines_own_findings() {
        assert_eq!(decode_error(r#"{"kind":"denied","message":"x"}"#).kind, CallErrorKind::Failed);
    }
}
