//! The manifest's sections: nodes, settings, permissions, requirements and dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use semver::VersionReq;

use super::fields::{Field, Fields};
use super::{
    Dependency, FailurePolicy, MAX_INSTANCES, MAX_NODE_TYPES, MAX_WORD_BYTES, ManifestError, NodeExample, NodeSpec,
    Requirements, Runtime, Setting, SettingKind, variable_word,
};
use crate::name::PluginName;
use crate::permissions::{
    FilesystemPattern, NetworkPattern, Permissions, check_variable, parse_duration, parse_memory,
};
use crate::yaml::Value;

type Unknown = BTreeMap<String, serde_json::Value>;

pub(super) fn nodes(root: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Vec<NodeSpec>, ManifestError> {
    let Some(field) = root.take("nodes") else { return Ok(Vec::new()) };
    let items = field.list()?;
    if items.len() > MAX_NODE_TYPES {
        return Err(field.error(format_args!("{} node types, at most {MAX_NODE_TYPES} are allowed", items.len())));
    }
    let mut seen = BTreeSet::new();
    let mut nodes = Vec::new();
    for item in items {
        let node = node(&item, unknown)?;
        if !seen.insert(node.node_type.clone()) {
            return Err(item.error(format_args!("the node type `{}` stands twice", node.node_type)));
        }
        nodes.push(node);
    }
    Ok(nodes)
}

fn node(item: &Field<'_>, unknown: &mut Unknown) -> Result<NodeSpec, ManifestError> {
    let mut fields = item.fields()?;
    let node = NodeSpec {
        node_type: fields.require("type", "the node's name in workflows")?.parse()?,
        category: fields.line("category")?,
        description: fields.line("description")?.unwrap_or_default(),
        config_schema: schema(&mut fields, "configSchema")?,
        input_schema: schema(&mut fields, "inputSchema")?,
        output_schema: schema(&mut fields, "outputSchema")?,
        examples: examples(&mut fields, unknown)?,
        pure: fields.boolean("pure")?,
        idempotent: fields.boolean("idempotent")?,
    };
    fields.keep_rest(unknown);
    Ok(node)
}

fn schema(fields: &mut Fields<'_>, key: &str) -> Result<Option<serde_json::Value>, ManifestError> {
    let Some(field) = fields.take(key) else { return Ok(None) };
    match field.node.value {
        Value::Mapping(_) | Value::Boolean(_) => Ok(Some(field.node.to_json())),
        _ => Err(field.error(format_args!("expected a JSON Schema, found {}", field.node.describe()))),
    }
}

fn examples(fields: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Vec<NodeExample>, ManifestError> {
    let Some(field) = fields.take("examples") else { return Ok(Vec::new()) };
    let example = |item: Field<'_>| {
        let mut fields = item.fields()?;
        let mut json = |key| fields.take(key).map_or(serde_json::Value::Null, |field| field.node.to_json());
        let (config, input, output) = (json("config"), json("input"), json("output"));
        let name = fields.line("name")?.unwrap_or_default();
        fields.keep_rest(unknown);
        Ok(NodeExample { name, config, input, output })
    };
    field.list()?.into_iter().map(example).collect()
}

/// Settings by name, and their names as they were written.
type Settings = (BTreeMap<String, Setting>, Vec<String>);

pub(super) fn settings(root: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Settings, ManifestError> {
    let Some(field) = root.take("config") else { return Ok(Settings::default()) };
    let mut variables: BTreeMap<String, &str> = BTreeMap::new();
    let (mut settings, mut order) = Settings::default();
    for (name, field) in field.mapping()? {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !starts || !plain || name.len() > MAX_WORD_BYTES {
            let expected = "expected a name of up to 64 letters, digits, `_` and `-`, starting with a letter";
            return Err(field.error(expected));
        }
        // `api-key` and `api_key` would be set by one variable.
        if let Some(other) = variables.insert(variable_word(name), name) {
            return Err(field.error(format_args!("`{other}` and `{name}` have the same environment variable")));
        }
        settings.insert(name.to_owned(), setting(&field, unknown)?);
        order.push(name.to_owned());
    }
    Ok((settings, order))
}

fn setting(item: &Field<'_>, unknown: &mut Unknown) -> Result<Setting, ManifestError> {
    let mut fields = item.fields()?;
    let kind = fields.take("type").map_or(Ok(SettingKind::String), |field| kind(&field))?;
    let default = match fields.take("default") {
        Some(field) if !kind.accepts(&field.node.to_json()) => {
            return Err(
                field.error(format_args!("expected a default of the type `{kind}`, found {}", field.node.describe()))
            );
        }
        other => other.map(|field| field.node.to_json()),
    };
    let setting = Setting {
        description: fields.line("description")?.unwrap_or_default(),
        kind,
        default,
        required: fields.boolean("required")?,
        secret: fields.boolean("secret")?,
        env: fields.take("env").map(|field| checked(&field, check_variable)).transpose()?,
    };
    fields.keep_rest(unknown);
    Ok(setting)
}

fn kind(field: &Field<'_>) -> Result<SettingKind, ManifestError> {
    let word = field.text()?;
    let known = SettingKind::ALL.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind);
    known.ok_or_else(|| {
        let words = SettingKind::ALL.map(|(name, _)| format!("`{name}`")).join(", ");
        field.error(format_args!("expected one of {words}; found `{}`", word.escape_debug()))
    })
}

pub(super) fn permissions(
    root: &mut Fields<'_>,
    settings: &BTreeMap<String, Setting>,
) -> Result<Permissions, ManifestError> {
    let Some(field) = root.take("permissions") else { return Ok(Permissions::default()) };
    let mut fields = field.fields()?;
    let network = |text: &str| network(text, settings);
    let permissions = Permissions {
        env: asked(&mut fields, "env", check_variable)?,
        http: asked(&mut fields, "http", network)?,
        network: asked(&mut fields, "network", network)?,
        filesystem: asked(&mut fields, "filesystem", |text| text.parse::<FilesystemPattern>().map(|_| ()))?,
        memory: fields
            .take("memory")
            .map(|field| checked(&field, |text| parse_memory(text).map(|_| ())))
            .transpose()?,
        timeout: fields.take("timeout").map(|field| checked(&field, timeout)).transpose()?,
    };
    // A permission that is not understood must not be taken for one that is not asked.
    fields.refuse_rest("one of the permissions `env`, `http`, `network`, `filesystem`, `memory`, `timeout`")?;
    Ok(permissions)
}

fn asked<E: Display>(
    fields: &mut Fields<'_>,
    key: &str,
    check: impl Fn(&str) -> Result<(), E>,
) -> Result<Vec<String>, ManifestError> {
    let Some(field) = fields.take(key) else { return Ok(Vec::new()) };
    field.list()?.iter().map(|item| checked(item, &check)).collect()
}

/// A text that a check lets through.
fn checked<E: Display>(field: &Field<'_>, check: impl Fn(&str) -> Result<(), E>) -> Result<String, ManifestError> {
    let text = field.text()?;
    check(text).map_err(|error| field.error(error))?;
    Ok(text.to_owned())
}

fn network(text: &str, settings: &BTreeMap<String, Setting>) -> Result<(), String> {
    let pattern: NetworkPattern =
        text.parse().map_err(|error: crate::permissions::PermissionError| error.to_string())?;
    match pattern.settings().find(|name| !settings.contains_key(*name)) {
        Some(name) => Err(format!("`{pattern}` takes the setting `{name}`, which `config` does not declare")),
        None => Ok(()),
    }
}

fn timeout(text: &str) -> Result<(), String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("a timeout of zero would stop every call; expected one such as `3s`".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn requirements(root: &mut Fields<'_>, unknown: &mut Unknown) -> Result<Requirements, ManifestError> {
    let Some(field) = root.take("requirements") else { return Ok(Requirements::default()) };
    let mut fields = field.fields()?;
    let requirements = Requirements {
        pocket: fields.take("pocket").map(|field| requirement(&field)).transpose()?,
        memory: fields
            .take("memory")
            .map(|field| checked(&field, |text| parse_memory(text).map(|_| ())))
            .transpose()?,
    };
    fields.keep_rest(unknown);
    Ok(requirements)
}

pub(super) fn dependencies(
    root: &mut Fields<'_>,
    plugin: &PluginName,
    unknown: &mut Unknown,
) -> Result<BTreeMap<PluginName, Dependency>, ManifestError> {
    let Some(field) = root.take("dependencies") else { return Ok(BTreeMap::new()) };
    let mut dependencies = BTreeMap::new();
    for (name, field) in field.mapping()? {
        let name: PluginName = name.parse().map_err(|error| field.error(error))?;
        if name == *plugin {
            return Err(field.error("a plugin cannot depend on itself"));
        }
        dependencies.insert(name, dependency(&field, unknown)?);
    }
    Ok(dependencies)
}

fn dependency(field: &Field<'_>, unknown: &mut Unknown) -> Result<Dependency, ManifestError> {
    if !matches!(field.node.value, Value::Mapping(_)) {
        return Ok(Dependency { version: requirement(field)?, registry: None, optional: false });
    }
    let mut fields = field.fields()?;
    let dependency = Dependency {
        version: requirement(&fields.require("version", "the versions that will do, such as `^1.2`")?)?,
        registry: fields.line("registry")?,
        optional: fields.boolean("optional")?,
    };
    fields.keep_rest(unknown);
    Ok(dependency)
}

pub(super) fn failure(root: &mut Fields<'_>, runtime: Runtime) -> Result<FailurePolicy, ManifestError> {
    let Some(field) = root.take("failure") else { return Ok(FailurePolicy::default()) };
    native_only(&field, runtime)?;
    let word = field.text()?;
    let known = FailurePolicy::ALL.iter().find(|(name, _)| *name == word).map(|(_, policy)| *policy);
    known.ok_or_else(|| {
        let words = FailurePolicy::ALL.map(|(name, _)| format!("`{name}`")).join(", ");
        field.error(format_args!("expected one of {words}; found `{}`", word.escape_debug()))
    })
}

pub(super) fn instances(root: &mut Fields<'_>, runtime: Runtime) -> Result<u8, ManifestError> {
    let Some(field) = root.take("instances") else { return Ok(1) };
    native_only(&field, runtime)?;
    let number = field.node.to_json().as_u64().and_then(|number| u8::try_from(number).ok());
    let allowed = number.filter(|number| (1..=MAX_INSTANCES).contains(number));
    let found = || field.node.to_json();
    allowed.ok_or_else(|| field.error(format_args!("expected a number from 1 to {MAX_INSTANCES}, found `{}`", found())))
}

/// What a plugin without a process of its own cannot have is refused rather than ignored.
fn native_only(field: &Field<'_>, runtime: Runtime) -> Result<(), ManifestError> {
    match runtime {
        Runtime::Native => Ok(()),
        other => {
            Err(field.error(format_args!("only `native` plugins run in processes of their own, this one is `{other}`")))
        }
    }
}

fn requirement(field: &Field<'_>) -> Result<VersionReq, ManifestError> {
    let text = field.text()?;
    VersionReq::parse(text).map_err(|error| {
        let shown = text.escape_debug();
        field.error(format_args!(
            "`{shown}` is no version requirement: {error}; expected one such as `^1.2`, `~1.2.3` or `>=1, <3`"
        ))
    })
}
