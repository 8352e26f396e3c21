//! Events made from what is about to be published: the one place where a manifest's fields become an event's.

use super::{ArchiveRecord, Release};
use crate::archive::{Archive, archive_file_name};
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::name::Target;

impl Release {
    /// The release of a plugin with this manifest.
    pub fn describe(manifest: &Manifest, archives: Vec<ArchiveRecord>) -> Self {
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            runtime: manifest.runtime,
            engine: manifest.requirements.pocket.clone(),
            dependencies: manifest.dependencies.clone(),
            permissions: manifest.permissions.clone(),
            nodes: manifest.nodes.iter().map(|node| node.node_type.clone()).collect(),
            categories: manifest.categories.clone(),
            keywords: manifest.keywords.clone(),
            archives,
        }
    }
}

impl ArchiveRecord {
    /// The record of an archive: `bytes` as they will be served, and what was read from them.
    pub fn describe(manifest: &Manifest, target: Target, bytes: &[u8], archive: &Archive) -> Self {
        Self {
            file: archive_file_name(&manifest.name, &manifest.version, &target),
            target,
            size: bytes.len() as u64,
            unpacked: archive.unpacked(),
            entries: archive.entries().len() as u64,
            sha256: Digest::of(bytes),
            tree: archive.tree(),
        }
    }
}
