//! The manifest's root, and the checks that concern more than one field.

use std::collections::BTreeMap;

use semver::{BuildMetadata, Version};

use super::fields::{Field, Fields, error_at};
use super::sections;
use super::{Binary, InstancePolicy, MAX_VERSION_BYTES, Manifest, ManifestError, Runtime};
use crate::archive::EntryPath;
use crate::limits::MANIFEST_BYTES;
use crate::name::Target;
use crate::yaml::{self, Position};

pub(super) fn manifest(text: &[u8]) -> Result<Manifest, ManifestError> {
    if text.len() as u64 > MANIFEST_BYTES {
        let message = format_args!("the file has {} bytes, at most {MANIFEST_BYTES} are allowed", text.len());
        return Err(error_at(Position::START, "", message));
    }
    let root = yaml::parse(text).map_err(|error| error_at(error.position, "", error.message))?;
    let mut fields = Field { path: String::new(), node: &root }.fields()?;
    let mut unknown = BTreeMap::new();

    let name = fields.require("name", "the plugin's name")?.parse()?;
    let version = version(&fields.require("version", "a version such as `1.2.0`")?)?;
    let runtime = runtime(&fields.require("runtime", "`native`, `lua` or `wasm`")?)?;
    let (config, config_order) = sections::settings(&mut fields, &mut unknown)?;
    let manifest = Manifest {
        version,
        description: fields.line("description")?.unwrap_or_default(),
        author: fields.line("author")?,
        license: fields.line("license")?,
        homepage: fields.line("homepage")?,
        repository: fields.line("repository")?,
        readme: fields.take("readme").map(|readme| path(&readme)).transpose()?,
        keywords: fields.take("keywords").map_or(Ok(Vec::new()), |keywords| keywords.words())?,
        categories: fields.take("categories").map_or(Ok(Vec::new()), |categories| categories.words())?,
        runtime,
        binary: Some(binary(&fields.require("binary", "the path of the file that is run")?, runtime)?),
        instance: instance(&mut fields, runtime)?,
        nodes: sections::nodes(&mut fields, &mut unknown)?,
        permissions: sections::permissions(&mut fields, &config)?,
        requirements: sections::requirements(&mut fields, &mut unknown)?,
        dependencies: sections::dependencies(&mut fields, &name, &mut unknown)?,
        env_prefix: env_prefix(&mut fields)?,
        failure: sections::failure(&mut fields, runtime)?,
        instances: sections::instances(&mut fields, runtime)?,
        name,
        config,
        config_order,
        unknown: BTreeMap::new(),
    };
    fields.keep_rest(&mut unknown);
    Ok(Manifest { unknown, ..manifest })
}

fn version(field: &Field<'_>) -> Result<Version, ManifestError> {
    let text = field.text()?;
    let refused = |reason: &str| {
        field.error(format_args!(
            "`{}` is no version: {reason}; expected one such as `1.2.0` or `1.2.0-rc.1`",
            text.escape_debug()
        ))
    };
    let version = Version::parse(text).map_err(|error| refused(&error.to_string()))?;
    if version.build != BuildMetadata::EMPTY {
        // Two versions that differ there alone have no order.
        return Err(refused("build metadata (`+…`) is not allowed"));
    }
    if text.len() > MAX_VERSION_BYTES {
        return Err(refused("it is longer than 128 bytes"));
    }
    if version.to_string() != text {
        return Err(refused("it is not in its canonical form"));
    }
    Ok(version)
}

fn runtime(field: &Field<'_>) -> Result<Runtime, ManifestError> {
    match field.text()? {
        "native" => Ok(Runtime::Native),
        "lua" => Ok(Runtime::Lua),
        "wasm" => Ok(Runtime::Wasm),
        other => Err(field.error(format_args!("expected `native`, `lua` or `wasm`, found `{}`", other.escape_debug()))),
    }
}

fn instance(fields: &mut Fields<'_>, runtime: Runtime) -> Result<InstancePolicy, ManifestError> {
    let Some(field) = fields.take("instance") else { return Ok(InstancePolicy::default()) };
    if runtime != Runtime::Wasm {
        return Err(field.error("only `wasm` plugins have instances"));
    }
    let text = field.text()?;
    let found = InstancePolicy::ALL.into_iter().find(|(word, _)| *word == text);
    found.map(|(_, policy)| policy).ok_or_else(|| {
        field.error(format_args!("expected `per-call`, `pooled` or `per-run`, found `{}`", text.escape_debug()))
    })
}

fn binary(field: &Field<'_>, runtime: Runtime) -> Result<Binary, ManifestError> {
    let Ok(targets) = field.mapping() else { return path(field).map(Binary::Path) };
    if runtime != Runtime::Native {
        return Err(field.error("a path per target is for `native` plugins; `lua` and `wasm` run one file everywhere"));
    }
    if targets.is_empty() {
        return Err(field.error("expected at least one target with its path"));
    }
    let per_target = |(target, file): (&str, Field<'_>)| {
        let target: Target = target.parse().map_err(|error| file.error(error))?;
        if target.is_any() {
            return Err(
                file.error("`any` is no target of a shared library; expected one such as `x86_64-unknown-linux-gnu`")
            );
        }
        Ok((target, path(&file)?))
    };
    targets.into_iter().map(per_target).collect::<Result<_, _>>().map(Binary::PerTarget)
}

/// A path in the archive, under the archive's own rules.
fn path(field: &Field<'_>) -> Result<String, ManifestError> {
    let text = field.text()?;
    let path = text.parse::<EntryPath>();
    path.map(String::from).map_err(|error| field.error(format_args!("`{}` is no path: {error}", text.escape_debug())))
}

fn env_prefix(fields: &mut Fields<'_>) -> Result<Option<String>, ManifestError> {
    let Some(field) = fields.take("envPrefix") else { return Ok(None) };
    let text = field.text()?;
    let fits = text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.len() <= super::MAX_WORD_BYTES
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if fits {
        return Ok(Some(text.to_owned()));
    }
    let expected = "expected up to 64 upper-case letters, digits and `_`, starting with a letter, such as `REDIS`";
    Err(field.error(format_args!("{expected}; found `{}`", text.escape_debug())))
}
