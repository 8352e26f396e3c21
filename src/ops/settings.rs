//! A plugin's settings from all places that can set them. The last wins: the manifest's default, the user's file, the
//! project's file, the workflow, the environment.

use std::collections::{BTreeMap, BTreeSet};

use pocket_index::manifest::{Manifest, Setting, SettingKind};
use serde_json::{Map, Value};

use super::OpsError;
use super::trace::MASK;

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The manifest's default.
    Default,
    /// A configuration file: the user's or the project's.
    File(String),
    /// The workflow's `plugins:` block.
    Workflow,
    /// An environment variable.
    Environment(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file) => f.write_str(file),
            Self::Workflow => f.write_str("workflow"),
            Self::Environment(variable) => write!(f, "${variable}"),
        }
    }
}

/// A setting as it may be shown.
#[derive(Debug, Clone)]
pub struct ShownSetting {
    /// Its name.
    pub name: String,
    /// What the manifest says of it.
    pub setting: Setting,
    /// Its value, stars for a secret one, and where that comes from; none if nobody sets it.
    pub now: Option<(Value, String)>,
}

/// Settings that one place gives.
#[derive(Debug, Clone)]
pub struct Layer<'a> {
    /// The place.
    pub origin: Origin,
    /// What it gives; none if it does not speak of the plugin.
    pub settings: Option<&'a Map<String, Value>>,
}

/// A plugin's settings, each with its origin.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, (Value, Origin)>,
    /// Settings that were given and that the plugin does not have.
    pub unknown: Vec<String>,
}

impl Settings {
    /// Joins the layers, first to last, then the environment.
    ///
    /// # Errors
    /// A value of another kind than the manifest says, or a required setting that nobody gives.
    pub fn join(
        manifest: &Manifest,
        layers: &[Layer<'_>],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, OpsError> {
        let mut joined = Self::default();
        for (name, setting) in &manifest.config {
            if let Some(default) = &setting.default {
                joined.values.insert(name.clone(), (default.clone(), Origin::Default));
            }
        }
        for layer in layers {
            joined.add_layer(manifest, layer)?;
        }
        joined.add_environment(manifest, environment)?;
        match manifest.config.iter().find(|(name, setting)| setting.required && !joined.values.contains_key(*name)) {
            None => Ok(joined),
            Some((name, _)) => {
                Err(error(manifest, name, format!("it is required; set `{}`", variable(manifest, name))))
            }
        }
    }

    /// The values alone, as the plugin gets them.
    pub fn values(&self) -> Map<String, Value> {
        self.values.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    /// The names of those that have the manifest's own value.
    pub fn defaults(&self) -> BTreeSet<String> {
        let defaults = self.values.iter().filter(|(_, (_, origin))| *origin == Origin::Default);
        defaults.map(|(name, _)| name.clone()).collect()
    }

    /// A setting's value and origin.
    pub fn get(&self, name: &str) -> Option<&(Value, Origin)> {
        self.values.get(name)
    }

    /// All settings of the plugin in the order of its manifest, as they may be shown: stars for secrets.
    pub fn shown(&self, manifest: &Manifest) -> Vec<ShownSetting> {
        let shown = |name: &String| {
            let setting = manifest.config.get(name)?;
            let now = self.get(name).map(|(value, origin)| {
                let value = if setting.secret { Value::String(MASK.to_owned()) } else { value.clone() };
                (value, origin.to_string())
            });
            Some(ShownSetting { name: name.clone(), setting: setting.clone(), now })
        };
        manifest.config_order.iter().filter_map(shown).collect()
    }

    fn add_layer(&mut self, manifest: &Manifest, layer: &Layer<'_>) -> Result<(), OpsError> {
        for (name, value) in layer.settings.into_iter().flatten() {
            let Some(setting) = manifest.config.get(name) else {
                self.unknown.push(name.clone());
                continue;
            };
            let value = fit(setting.kind, value.clone())
                .map_err(|expected| error(manifest, name, wrong_kind(setting, value, expected, &layer.origin)))?;
            self.values.insert(name.clone(), (value, layer.origin.clone()));
        }
        Ok(())
    }

    fn add_environment(
        &mut self,
        manifest: &Manifest,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), OpsError> {
        for (name, setting) in &manifest.config {
            for variable in variables(manifest, name, setting) {
                let Some(text) = environment(&variable) else { continue };
                let origin = Origin::Environment(variable);
                let value = Value::String(text);
                let fitting = fit(setting.kind, value.clone())
                    .map_err(|expected| error(manifest, name, wrong_kind(setting, &value, expected, &origin)))?;
                self.values.insert(name.clone(), (fitting, origin));
            }
        }
        Ok(())
    }
}

/// The environment variables that set a setting, the strongest last.
fn variables(manifest: &Manifest, name: &str, setting: &Setting) -> Vec<String> {
    let mut variables: Vec<String> = setting.env.iter().cloned().collect();
    let prefixes = [Some(manifest.name.as_str()), manifest.env_prefix.as_deref()];
    variables.extend(prefixes.into_iter().flatten().map(|prefix| pocket_variable(prefix, name)));
    variables
}

/// The shortest variable that sets a setting, for messages.
fn variable(manifest: &Manifest, name: &str) -> String {
    pocket_variable(manifest.env_prefix.as_deref().unwrap_or(manifest.name.as_str()), name)
}

fn pocket_variable(prefix: &str, name: &str) -> String {
    format!("POCKET_PLUGIN_{prefix}_{name}").to_uppercase().replace('-', "_")
}

/// The value in the setting's kind. Text from the environment, or from `${NAME}`, is read as the kind says.
fn fit(kind: SettingKind, value: Value) -> Result<Value, &'static str> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    let candidate = match (&value, kind) {
        (Value::String(_), SettingKind::String) => Some(value),
        (Value::Number(_) | Value::Bool(_), SettingKind::String) => Some(Value::String(value.to_string())),
        (Value::String(text), _) => parsed(text.trim()),
        _ => Some(value),
    };
    let (fits, expected): (fn(&Value) -> bool, _) = match kind {
        SettingKind::String => (Value::is_string, "text"),
        SettingKind::Integer => (|value| value.is_i64() || value.is_u64(), "a whole number"),
        SettingKind::Number => (Value::is_number, "a number"),
        SettingKind::Boolean => (Value::is_boolean, "`true` or `false`"),
        SettingKind::Array => (Value::is_array, "a list"),
        SettingKind::Object => (Value::is_object, "a mapping"),
    };
    candidate.filter(fits).ok_or(expected)
}

fn wrong_kind(setting: &Setting, value: &Value, expected: &str, origin: &Origin) -> String {
    let shown = if setting.secret { "a secret value".to_owned() } else { format!("`{value}`") };
    format!("{shown} from {origin} does not fit: expected {expected}")
}

fn error(manifest: &Manifest, setting: &str, message: String) -> OpsError {
    OpsError::Setting { plugin: manifest.name.clone(), setting: setting.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MANIFEST: &str = "
name: redis-cache
version: 1.0.0
runtime: lua
binary: x.lua
envPrefix: REDIS
nodes: [{type: x}]
config:
  host: {default: localhost}
  port: {type: integer, default: 6379}
  password: {secret: true, env: REDIS_PASSWORD}
";

    fn manifest() -> Manifest {
        Manifest::parse(MANIFEST.as_bytes()).expect("a valid manifest")
    }

    fn layer(origin: Origin, settings: &Value) -> (Origin, Map<String, Value>) {
        (origin, settings.as_object().expect("a mapping").clone())
    }

    fn join(layers: &[(Origin, Map<String, Value>)], environment: &[(&str, &str)]) -> Result<Settings, OpsError> {
        let layers: Vec<_> = layers
            .iter()
            .map(|(origin, settings)| Layer { origin: origin.clone(), settings: Some(settings) })
            .collect();
        let lookup = |name: &str| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::join(&manifest(), &layers, &lookup)
    }

    #[test]
    fn the_last_place_wins() {
        let file = layer(Origin::File("pocket.yaml".into()), &json!({"host": "file", "port": 1}));
        let workflow = layer(Origin::Workflow, &json!({"host": "workflow"}));
        let settings = join(&[file, workflow], &[]).expect("they fit");
        assert_eq!(settings.values(), *json!({"host": "workflow", "port": 1}).as_object().expect("a mapping"));
        let settings = join(&[], &[("POCKET_PLUGIN_REDIS_PORT", "6380")]).expect("they fit");
        assert_eq!(settings.get("port"), Some(&(json!(6380), Origin::Environment("POCKET_PLUGIN_REDIS_PORT".into()))));
        let settings =
            join(&[], &[("POCKET_PLUGIN_REDIS_CACHE_HOST", "long"), ("REDIS_PASSWORD", "123")]).expect("they fit");
        assert_eq!(
            settings.values(),
            *json!({"host": "long", "port": 6379, "password": "123"}).as_object().expect("a mapping")
        );
    }

    #[test]
    fn a_wrong_kind_names_setting_place_and_value_but_no_secret() {
        let error = join(&[], &[("POCKET_PLUGIN_REDIS_PORT", "many")]).expect_err("no number").to_string();
        assert_eq!(
            error,
            "the setting `port` of `redis-cache`: `\"many\"` from $POCKET_PLUGIN_REDIS_PORT does not fit: expected a whole number"
        );
        let secret = layer(Origin::Workflow, &json!({"password": ["hunter2"]}));
        let error = join(&[secret], &[]).expect_err("no text").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn unknown_settings_are_reported_and_not_passed_on() {
        let settings = join(&[layer(Origin::Workflow, &json!({"hots": "x"}))], &[]).expect("the rest fits");
        assert_eq!(settings.unknown, ["hots"]);
        assert!(settings.get("hots").is_none());
    }
}
