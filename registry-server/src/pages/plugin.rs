//! The page of a plugin.

use axum::extract::State;
use maud::{Markup, PreEscaped, html};
use pocket_index::name::PluginName;
use pocket_index::permissions::sentences;
use pocket_index::record::{ReleaseEntry, Status};
use pocket_index::stats::Day;

use super::failure::Failure;
use super::layout::Page;
use super::lists::encoded;
use super::{Shared, chart, node, trust};
use crate::view::{View, status};
use crate::web::{PathPart, Web};

/// 100 versions, and as many plugins that need this one.
const SHOWN: usize = 100;

/// Everything about one plugin.
pub(super) async fn plugin(State(web): Shared, part: PathPart) -> Result<Page, Failure> {
    let name = Web::named(part)?;
    let none = || Failure::NoSuch("plugin", name.clone());
    let plugin: PluginName = name.parse().map_err(|_| none())?;
    let view = View::of(&web, &plugin).await?.ok_or_else(none)?;
    let body = html! {
        (head(&view))
        div.columns {
            div.main { (readme(&view)) (nodes(&view)) (versions(&view)) (trust::section(&view)) }
            aside aria-label="About this plugin" { (side(&view)) }
        }
    };
    Ok(Page::new(plugin.to_string(), body))
}

fn head(view: &View) -> Markup {
    let release = view.shown.release();
    html! {
        h1 { (release.name) " " span.version { (release.version) } }
        @if !release.description.is_empty() { p.lead { bdi { (release.description) } } }
        @match view.shown.status() {
            Status::Available => {},
            Status::Yanked { reason } => p.warning { "Every version is withdrawn; this one was yanked" @if !reason.is_empty() { ": " bdi { (reason) } } },
            Status::Revoked { reason } => p.warning { "Every version is withdrawn; this one was revoked" @if !reason.is_empty() { ": " bdi { (reason) } } },
        }
        @if let Some(reason) = view.deprecation() {
            p.warning { "Its author does not recommend it any more" @if !reason.is_empty() { ": " bdi { (reason) } } }
        }
        @if *view.shown.status() == Status::Available {
            pre.install aria-label="How to install it" { code { "pocket plugin install " (release.name) } }
        }
    }
}

fn readme(view: &View) -> Markup {
    let html = view.detail.as_ref().and_then(|detail| detail.readme_html.as_deref());
    html! {
        section aria-labelledby="readme" {
            h2 #readme { "Readme" }
            @match html {
                // `details::readme` leaves nothing in it that does anything.
                // A wide table is moved sideways, with the keyboard too.
                Some(html) => div.readme tabindex="0" role="group" aria-labelledby="readme" { (PreEscaped(html)) },
                None => p.quiet { "It has none." },
            }
        }
    }
}

fn nodes(view: &View) -> Markup {
    let names = &view.shown.release().nodes;
    html! {
        section aria-labelledby="nodes" {
            h2 #nodes { "Node types" }
            @match &view.detail {
                Some(detail) => (node::described(&detail.manifest.nodes)),
                None => ul { @for name in names { li { code { (name) } } } },
            }
            @if names.is_empty() { p.quiet { "It provides none." } }
        }
    }
}

fn versions(view: &View) -> Markup {
    let all: Vec<&ReleaseEntry> = view.history.releases().rev().collect();
    html! {
        section aria-labelledby="versions" {
            h2 #versions { "Versions" }
            table {
                thead { tr { th scope="col" { "Version" } th scope="col" { "Published" } th scope="col" { "Status" } } }
                tbody {
                    @for entry in all.iter().take(SHOWN) {
                        @let (word, reason) = status(entry.status());
                        tr {
                            td { (entry.release().version) }
                            td { (trust::date(entry.at())) }
                            td class=(word) { (word) @if let Some(reason) = reason.filter(|reason| !reason.is_empty()) { ": " bdi { (reason) } } }
                        }
                    }
                }
            }
            @if all.len() > SHOWN { p.quiet { "And " (all.len() - SHOWN) " older ones." } }
        }
    }
}

fn side(view: &View) -> Markup {
    let release = view.shown.release();
    let sentences = sentences(&release.permissions);
    html! {
        h2 { "Permissions" }
        @if sentences.is_empty() { p { "It asks for nothing." } } @else {
            ul.permissions { @for sentence in &sentences { li { bdi { (sentence) } } } }
        }
        h2 { "Facts" }
        dl.facts {
            dt { "Runtime" } dd { span class={ "tag " (release.runtime) } { (release.runtime) } }
            (facts(view))
            dt { "Published" } dd { (trust::date(view.shown.at())) }
            @if let Some(engine) = &release.engine { dt { "Needs Pocket" } dd { (engine) } }
            dt { "Runs on" } dd { @for archive in &release.archives { (archive.target) " (" (size(archive.size)) ") " } }
        }
        @if !release.categories.is_empty() || !release.keywords.is_empty() {
            h2 { "Found under" }
            ul.tags {
                @for category in &release.categories { li { a.tag href={ "/categories/" (encoded(category)) } { bdi { (category) } } } }
                @for word in release.keywords.iter().filter(|word| !release.categories.contains(word)) { li { a.tag href={ "/search?q=" (encoded(word)) } { bdi { (word) } } } }
            }
        }
        (relations(view))
        h2 { "Downloads" }
        (chart::downloads(&view.downloads, Day::of(view.now)))
    }
}

/// What the manifest alone says.
fn facts(view: &View) -> Markup {
    let Some(detail) = &view.detail else { return html! {} };
    let manifest = &detail.manifest;
    html! {
        @if let Some(author) = &manifest.author { dt { "Author, as it says" } dd { bdi { (author) } } }
        @if let Some(license) = &manifest.license { dt { "License" } dd { bdi { (license) } } }
        @for (title, url) in [("Homepage", &manifest.homepage), ("Source", &manifest.repository)] {
            @if let Some(url) = url { dt { (title) } dd { (link(url)) } }
        }
    }
}

/// A link to the web; what leads elsewhere, to a script for instance, is shown as text.
fn link(url: &str) -> Markup {
    html! {
        @if url.starts_with("https://") || url.starts_with("http://") {
            a href=(url) rel="noopener noreferrer nofollow ugc" { bdi { (url) } }
        } @else { bdi { (url) } }
    }
}

fn relations(view: &View) -> Markup {
    let dependencies = &view.shown.release().dependencies;
    html! {
        @if !dependencies.is_empty() {
            h2 { "Needs" }
            ul { @for (name, needed) in dependencies {
                li { a href={ "/plugins/" (name) } { (name) } " " (needed.version) @if needed.optional { " (optional)" } }
            } }
        }
        @if !view.dependents.is_empty() {
            h2 { "Needed by" }
            ul { @for name in view.dependents.iter().take(SHOWN) { li { a href={ "/plugins/" (name) } { (name) } } } }
            @if view.dependents.len() > SHOWN { p.quiet { "And " (view.dependents.len() - SHOWN) " more." } }
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}
