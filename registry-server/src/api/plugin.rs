//! One plugin.

use axum::Json;
use axum::extract::State;
use pocket_index::name::PluginName;
use pocket_index::permissions::sentences;
use pocket_index::record::ReleaseEntry;
use pocket_index::signature::PublicKey;
use pocket_index::stats::Day;
use pocket_index::time::UtcTime;

use super::Shared;
use super::documents::{DownloadCounts, ErrorDocument, Needed, Node, Owner, PluginDocument, VersionDocument};
use crate::error::ApiError;
use crate::view::{View, status};
use crate::web::{PathPart, Web};

/// Describes a plugin.
#[utoipa::path(get, path = "/api/v1/plugins/{name}",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = PluginDocument),
        (status = 400, description = "The name is no text", body = ErrorDocument),
        (status = 404, description = "The registry does not have it", body = ErrorDocument),
        (status = 414, description = "The name is far too long", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
pub(super) async fn plugin(State(web): Shared, part: PathPart) -> Result<Json<PluginDocument>, ApiError> {
    let name = Web::named(part)?;
    let not_found = || ApiError::not_found(&name);
    let plugin: PluginName = name.parse().map_err(|_| not_found())?;
    let view = View::of(&web, &plugin).await?.ok_or_else(not_found)?;
    Ok(Json(document(&view)))
}

fn document(view: &View) -> PluginDocument {
    let release = view.shown.release();
    let needed = |(name, one): (&PluginName, &pocket_index::manifest::Dependency)| Needed {
        name: name.to_string(),
        requirement: one.version.to_string(),
        optional: one.optional,
    };
    PluginDocument {
        name: release.name.to_string(),
        version: release.version.to_string(),
        description: release.description.clone(),
        runtime: release.runtime.to_string(),
        categories: release.categories.clone(),
        keywords: release.keywords.clone(),
        deprecated: view.deprecation().map(str::to_owned),
        nodes: nodes(view),
        permissions: sentences(&release.permissions),
        dependencies: release.dependencies.iter().map(needed).collect(),
        dependents: view.dependents.iter().map(ToString::to_string).collect(),
        versions: view.history.releases().rev().map(version).collect(),
        owners: view.history.owners_at(view.now).into_iter().flat_map(|owners| owners.keys()).map(owner).collect(),
        downloads: DownloadCounts { total: view.downloads.total, recent: view.downloads.recent(Day::of(view.now)) },
        readme: view.detail.as_ref().and_then(|detail| detail.readme.clone()),
    }
}

fn nodes(view: &View) -> Vec<Node> {
    match &view.detail {
        Some(detail) => detail.manifest.nodes.iter().map(node).collect(),
        None => view.shown.release().nodes.iter().map(|name| Node::bare(name.to_string())).collect(),
    }
}

fn node(node: &pocket_index::manifest::NodeSpec) -> Node {
    Node {
        r#type: node.node_type.to_string(),
        description: node.description.clone(),
        config_schema: node.config_schema.clone(),
        input_schema: node.input_schema.clone(),
        output_schema: node.output_schema.clone(),
    }
}

impl Node {
    fn bare(name: String) -> Self {
        let (description, config_schema, input_schema, output_schema) = Default::default();
        Self { r#type: name, description, config_schema, input_schema, output_schema }
    }
}

fn version(entry: &ReleaseEntry) -> VersionDocument {
    let (status, reason) = status(entry.status());
    VersionDocument {
        version: entry.release().version.to_string(),
        status,
        reason: reason.map(str::to_owned),
        published: UtcTime(entry.at()).to_string(),
        signers: entry.signers().iter().map(|key| key.fingerprint().to_string()).collect(),
        log: entry.log(),
        line: entry.line().to_string(),
    }
}

fn owner(key: &PublicKey) -> Owner {
    Owner { key: key.to_string(), fingerprint: key.fingerprint().to_string() }
}
