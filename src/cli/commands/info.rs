//! `pocket plugin info`.

use std::fmt::Write as _;

use pocket_index::manifest::{Manifest, Setting};
use pocket_index::name::PluginName;
use pocket_index::permissions::Permissions;
use pocket_index::record::{Release, Status};
use semver::Version;
use serde_json::{Value, json};

use crate::cli::arguments::RegistryArguments;
use crate::cli::output::Output;
use crate::cli::recovery::notice_document;
use crate::ops::info::{self, Info, Installed, ShownSetting};
use crate::ops::install::sentences;
use crate::ops::recovery::Notice;
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach};

pub fn run(name: &PluginName, registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    match look(&workspace, output, info::info(&workspace, name, &reach(registry)))? {
        Info::Installed(installed) => output.result(&installed_document(&installed), || installed_text(&installed)),
        Info::Published { registry, newest, versions, recoveries } => {
            recoveries.iter().for_each(|notice| output.warning(notice.to_string()));
            output.result(&published_document(&registry, &newest, &versions, &recoveries), || {
                published_text(&registry, &newest, &versions)
            });
        }
    }
    Ok(())
}

fn installed_text(installed: &Installed) -> String {
    let manifest = &installed.manifest;
    let mut text = format!("Plugin: {}\nType: {}\nVersion: {}\n", manifest.name, manifest.runtime, manifest.version);
    let fields = [
        ("Author", manifest.author.as_deref()),
        ("Description", Some(manifest.description.as_str()).filter(|text| !text.is_empty())),
        ("License", manifest.license.as_deref()),
        ("Homepage", manifest.homepage.as_deref()),
        ("Source", Some(installed.source.as_str())),
    ];
    for (label, value) in fields {
        if let Some(value) = value {
            line(&mut text, &format!("{label}: {value}"));
        }
    }
    section(
        &mut text,
        "Provided Nodes",
        manifest.nodes.iter().map(|node| match node.description.as_str() {
            "" => format!("  - {}", node.node_type),
            description => format!("  - {}: {description}", node.node_type),
        }),
    );
    section(
        &mut text,
        "Configuration",
        manifest.config.iter().map(|(name, setting)| {
            let now = installed.settings.iter().find(|one| one.name == *name).and_then(|one| one.now.as_ref());
            setting_line(name, setting, now)
        }),
    );
    permissions(&mut text, &manifest.permissions);
    text
}

/// `host: Redis server host (default: localhost)`, and what it is now where that differs.
fn setting_line(name: &str, setting: &Setting, now: Option<&(Value, String)>) -> String {
    let kind = match &setting.default {
        Some(default) => format!("default: {}", plain(default)),
        None if setting.required => "required".to_owned(),
        None => "optional".to_owned(),
    };
    let now = match now {
        Some((value, origin)) if origin != "default" => format!(" = {}, from {origin}", plain(value)),
        _ => String::new(),
    };
    format!("  {name}: {} ({kind}){now}", setting.description)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn published_text(registry: &str, release: &Release, versions: &[(Version, Status)]) -> String {
    let mut text = format!("Plugin: {}\nType: {}\nVersion: {}\n", release.name, release.runtime, release.version);
    if !release.description.is_empty() {
        line(&mut text, &format!("Description: {}", release.description));
    }
    line(&mut text, &format!("Registry: {registry}"));
    line(&mut text, "Status: not installed");
    section(&mut text, "Provided Nodes", release.nodes.iter().map(|node| format!("  - {node}")));
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
        .map(|ShownSetting { name, now }| {
            let setting = &installed.manifest.config[name];
            let (value, origin) = now.clone().unzip();
            json!({ "name": name, "description": setting.description, "default": setting.default, "required": setting.required, "secret": setting.secret, "value": value, "origin": origin })
        })
        .collect();
    json!({ "name": name, "version": version, "type": runtime, "author": author, "description": description, "license": license, "source": installed.source, "installed": true, "nodes": nodes, "permissions": permissions, "config": settings })
}

fn published_document(
    registry: &str,
    release: &Release,
    versions: &[(Version, Status)],
    recoveries: &[Notice],
) -> Value {
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
    json!({ "name": release.name, "version": release.version, "type": release.runtime, "description": release.description, "registry": registry, "installed": false, "nodes": release.nodes, "permissions": release.permissions, "dependencies": release.dependencies, "versions": versions, "recoveries": recoveries.iter().map(notice_document).collect::<Vec<_>>() })
}
