//! What `run --debug-plugins` and the log level `debug` show of plugins: each call with what goes in and comes out.
//!
//! Values are cut, and the values of secret settings are not shown wherever they turn up.

use std::time::Duration;

use pocket_index::manifest::Manifest;
use serde_json::{Map, Value};

use crate::engine::{CallError, Reply};
use crate::nodes::NodeCall;

/// The name under which all of this is told.
pub const TARGET: &str = "pocket::plugin";

/// 2 KiB of a value tell what it is.
const MAX_SHOWN_BYTES: usize = 2 << 10;

/// What stands for a secret.
pub const MASK: &str = "********";

/// The values that must not be shown.
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a plugin's settings. Nothing is computed unless somebody listens.
    pub fn of(manifest: &Manifest, settings: Option<&Map<String, Value>>) -> Self {
        if !is_told() {
            return Self(Vec::new());
        }
        let secret = manifest.config.iter().filter(|(_, setting)| setting.secret);
        let values = secret.filter_map(|(name, _)| settings?.get(name)).filter(|value| !value.is_null());
        let texts = values.map(|value| value.as_str().map_or_else(|| value.to_string(), inside_json));
        Self(texts.filter(|text| !text.is_empty()).collect())
    }

    /// The text without them.
    pub fn masked(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }

    /// A value without them, cut.
    fn shown(&self, value: &Value) -> String {
        cut(&self.masked(&value.to_string()))
    }
}

/// A text as it stands inside of a JSON text.
fn inside_json(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn is_told() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_SHOWN_BYTES);
    if end < text.len() { format!("{}… ({} bytes)", &text[..end], text.len()) } else { text.to_owned() }
}

/// A call begins.
pub fn called(call: &NodeCall<'_>, secrets: &Secrets) {
    if is_told() {
        let (input, config) = (secrets.shown(call.input), secrets.shown(call.config));
        let attempt = call.context.attempt;
        tracing::debug!(target: TARGET, node_type = call.node_type, attempt, %config, %input, "called");
    }
}

/// A call ended.
pub fn returned(result: &Result<Reply, CallError>, elapsed: Duration, secrets: &Secrets) {
    if !is_told() {
        return;
    }
    match result {
        Ok(reply) => {
            let (output, action) = (secrets.shown(&reply.output), reply.action.as_deref().unwrap_or("default"));
            tracing::debug!(target: TARGET, ?elapsed, action, %output, "returned");
        }
        Err(error) => {
            let message = cut(&secrets.masked(&error.message));
            tracing::debug!(target: TARGET, ?elapsed, kind = %error.kind, %message, "failed");
        }
    }
}

/// A plugin was loaded, or not.
pub fn loaded(manifest: &Manifest, may: &[String], elapsed: Duration, error: Option<&CallError>) {
    let Manifest { name, version, runtime, .. } = manifest;
    let may = if may.is_empty() { "nothing beyond its sandbox".to_owned() } else { may.join(", ") };
    match error {
        None => tracing::debug!(target: TARGET, plugin = %name, %version, %runtime, ?elapsed, %may, "loaded"),
        Some(error) => tracing::debug!(target: TARGET, plugin = %name, %version, %runtime, %error, "not loaded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_also_where_json_escapes_it() {
        let secrets = Secrets(vec![inside_json("a\"b"), "hunter2".to_owned()]);
        let shown = secrets.shown(&serde_json::json!({"url": "redis://:hunter2@host", "password": "a\"b"}));
        assert_eq!(shown, r#"{"password":"********","url":"redis://:********@host"}"#);
    }

    #[test]
    fn a_long_value_is_cut_between_two_letters() {
        let shown = Secrets(Vec::new()).shown(&Value::String("ä".repeat(5_000)));
        assert!(shown.ends_with("… (10002 bytes)") && shown.len() < MAX_SHOWN_BYTES + 32, "{}", shown.len());
    }
}
