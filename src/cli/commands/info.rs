//! `pocket plugin info`.

use std::fmt::Write as _;

use pocket_index::manifest::Manifest;
use pocket_index::permissions::Permissions;
use pocket_index::record::{Release, Status};
use semver::Version;
use serde_json::{Value, json};

use crate::cli::arguments::InfoArguments;
use crate::cli::output::Output;
use crate::cli::recovery::notice_document;
use crate::engine::Limits;
use crate::engine::budget::Limit;
use crate::engine::native::Confinement;
use crate::ops::info::{self, Confined, Info, Installed};
use crate::ops::install::sentences;
use crate::ops::recovery::Notice;
use crate::ops::settings::ShownSetting;
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach};

pub fn run(arguments: &InfoArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    match look(&workspace, output, info::info(&workspace, &arguments.name, &reach(&arguments.registry)))? {
        Info::Installed(installed) => output.result(&installed_document(&installed), || {
            if arguments.verbose { all_text(&installed) } else { installed_text(&installed) }
        }),
        Info::Published { registry, newest, versions, recoveries, manifest } => {
            recoveries.iter().for_each(|notice| output.warning(notice.to_string()));
            let manifest = manifest.as_deref();
            output.result(&published_document(&registry, &newest, &versions, &recoveries, manifest), || {
                published_text(&registry, &newest, &versions, manifest)
            });
        }
    }
    Ok(())
}

fn installed_text(installed: &Installed) -> String {
    let mut text = head(installed);
    nodes(&mut text, &installed.manifest);
    section(&mut text, "Configuration", installed.settings.iter().map(setting_line));
    text
}

/// The same with everything else there is.
fn all_text(installed: &Installed) -> String {
    let manifest = &installed.manifest;
    let mut text = head(installed);
    let status = installed.status.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let fields = [
        ("License", manifest.license.clone()),
        ("Homepage", manifest.homepage.clone()),
        ("Source", Some(installed.source.clone())),
        ("Status", Some(format!("{}{status}", installed.status.word()))),
    ];
    for (label, value) in fields {
        if let Some(value) = value {
            line(&mut text, &format!("{label}: {value}"));
        }
    }
    nodes(&mut text, manifest);
    section(
        &mut text,
        "Configuration",
        installed.settings.iter().map(|one| format!("{}{}", setting_line(one), origin(one.now.as_ref()))),
    );
    permissions(&mut text, &manifest.permissions);
    section(
        &mut text,
        "Limits",
        limits(&installed.limits).into_iter().map(|(name, value)| format!("  {name}: {value}")),
    );
    text
}

fn head(installed: &Installed) -> String {
    let manifest = &installed.manifest;
    let mut text = format!("Plugin: {}\nType: {}\nVersion: {}\n", manifest.name, manifest.runtime, manifest.version);
    let description = Some(manifest.description.as_str()).filter(|text| !text.is_empty());
    for (label, value) in [("Author", manifest.author.as_deref()), ("Description", description)] {
        if let Some(value) = value {
            line(&mut text, &format!("{label}: {value}"));
        }
    }
    if let Some(confined) = installed.confined.as_ref().filter(|confined| !confined.kernel.confines()) {
        line(&mut text, &format!("Confinement: {}", confinement(confined)));
    }
    text
}

/// What holds the plugin, where something is missing: whoever uses it must know.
fn confinement(Confined { kernel, confinement, file }: &Confined) -> String {
    let file = file.display();
    match confinement {
        Confinement::AllowUnconfined => {
            format!("none: the plugin {}, as `plugins.security.unconfined` in `{file}` allows", kernel.consequence())
        }
        Confinement::Required => format!(
            "{}, so native plugins do not run; `plugins.security.unconfined` in `{file}` would allow it",
            kernel.lack()
        ),
    }
}

fn nodes(text: &mut String, manifest: &Manifest) {
    section(
        text,
        "Provided Nodes",
        manifest.nodes.iter().map(|node| {
            let repeated = match (node.pure, node.idempotent) {
                (true, _) => " (pure)",
                (false, true) => " (idempotent)",
                (false, false) => "",
            };
            match node.description.as_str() {
                "" => format!("  - {}{repeated}", node.node_type),
                description => format!("  - {}: {description}{repeated}", node.node_type),
            }
        }),
    );
}

/// What each call may use, as people write it.
fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    Limit::ALL.into_iter().map(|limit| (limit.key(), limits.shown(limit))).collect()
}

/// What a setting is now, and who says so.
fn origin(now: Option<&(Value, String)>) -> String {
    match now {
        Some((value, origin)) => format!(" = {}, from {origin}", plain(value)),
        None => ", not set".to_owned(),
    }
}

/// `host: Redis server host (default: localhost)`.
fn setting_line(ShownSetting { name, setting, .. }: &ShownSetting) -> String {
    let kind = match &setting.default {
        Some(_) if setting.secret => "has a default".to_owned(),
        Some(default) => format!("default: {}", plain(default)),
        None if setting.required => "required".to_owned(),
        None => "optional".to_owned(),
    };
    let gap = if setting.description.is_empty() { "" } else { " " };
    format!("  {name}:{gap}{} ({kind})", setting.description)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn published_text(
    registry: &str,
    release: &Release,
    versions: &[(Version, Status)],
    manifest: Option<&Manifest>,
) -> String {
    let mut text = format!("Plugin: {}\nType: {}\nVersion: {}\n", release.name, release.runtime, release.version);
    if let Some(author) = manifest.and_then(|manifest| manifest.author.as_deref()) {
        line(&mut text, &format!("Author: {author}"));
    }
    if !release.description.is_empty() {
        line(&mut text, &format!("Description: {}", release.description));
    }
    line(&mut text, &format!("Registry: {registry}"));
    line(&mut text, "Status: not installed");
    match manifest {
        Some(manifest) => nodes(&mut text, manifest),
        None => section(&mut text, "Provided Nodes", release.nodes.iter().map(|node| format!("  - {node}"))),
    }
    section(
        &mut text,
        "Dependencies",
        release.dependencies.iter().map(|(name, one)| format!("  {name}: {}", one.version)),
    );
    section(
        &mut text,
        "Versions",
        versions.iter().map(|(version, status)| match status {
            Status::Available => format!("  {version}"),
            Status::Yanked { reason } => format!("  {version} (yanked: {reason})"),
            Status::Revoked { reason } => format!("  {version} (revoked: {reason})"),
        }),
    );
    permissions(&mut text, &release.permissions);
    text
}

fn permissions(text: &mut String, permissions: &Permissions) {
    section(text, "Permissions", sentences(permissions).into_iter().map(|sentence| format!("  {sentence}")));
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        line(text, &format!("\n{title}:"));
        lines.iter().for_each(|one| line(text, one));
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a text takes every line");
}

fn installed_document(installed: &Installed) -> Value {
    let Manifest { name, version, runtime, author, description, license, nodes, permissions, .. } = &installed.manifest;
    let settings: Vec<Value> = installed
        .settings
        .iter()
        .map(|ShownSetting { name, setting, now }| {
            let (value, origin) = now.clone().unzip();
            let default = setting.default.as_ref().filter(|_| !setting.secret);
            json!({ "name": name, "description": setting.description, "default": default, "required": setting.required, "secret": setting.secret, "value": value, "origin": origin })
        })
        .collect();
    let limits: serde_json::Map<String, Value> =
        limits(&installed.limits).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let confined = installed.confined.as_ref().map(|Confined { kernel, confinement, .. }| {
        let allowed = *confinement == Confinement::AllowUnconfined;
        json!({ "files": kernel.files, "system_calls": kernel.system_calls, "allowed_unconfined": allowed })
    });
    json!({ "name": name, "version": version, "type": runtime, "confined": confined, "author": author, "description": description, "license": license, "source": installed.source, "installed": true, "status": installed.status.word(), "reason": installed.status.reason(), "limits": limits, "nodes": nodes, "permissions": permissions, "config": settings })
}

fn published_document(
    registry: &str,
    release: &Release,
    versions: &[(Version, Status)],
    recoveries: &[Notice],
    manifest: Option<&Manifest>,
) -> Value {
    let author = manifest.and_then(|manifest| manifest.author.as_deref());
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, status)| {
            let status = match status {
                Status::Available => "available",
                Status::Yanked { .. } => "yanked",
                Status::Revoked { .. } => "revoked",
            };
            json!({ "version": version, "status": status })
        })
        .collect();
    json!({ "name": release.name, "version": release.version, "type": release.runtime, "author": author, "description": release.description, "registry": registry, "installed": false, "nodes": release.nodes, "permissions": release.permissions, "dependencies": release.dependencies, "versions": versions, "recoveries": recoveries.iter().map(notice_document).collect::<Vec<_>>() })
}
