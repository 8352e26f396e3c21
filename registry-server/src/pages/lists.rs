//! Lists of plugins: what was searched for, a category, an owner's.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use pocket_index::manifest::Runtime;
use pocket_index::search::{Link, MAX_LIMIT, Query, SearchEntry, Sort};
use pocket_index::signature::PublicKey;
use pocket_index::stats::Day;

use super::Shared;
use super::failure::Failure;
use super::layout::Page;
use crate::api::{SearchParameters, page};
use crate::error::ApiError;
use crate::web::{PathPart, Web};

/// Searches.
pub(super) async fn search(
    State(web): Shared,
    parameters: Result<Parameters<SearchParameters>, QueryRejection>,
) -> Result<Page, Failure> {
    let bad = |error: QueryRejection| ApiError::new(StatusCode::BAD_REQUEST, "bad_query", error);
    let Parameters(parameters) = parameters.map_err(bad)?;
    let query = parameters.query()?;
    let found = page(&web, &query).await?;
    let today = Web::today()?;
    let title = match parameters.text() {
        "" => "All plugins".to_owned(),
        text => format!("Search for “{text}”"),
    };
    let body = html! {
        h1 { bdi { (title) } }
        (filters(parameters.text(), &query))
        p.count role="status" { (plugins(found.total)) }
        (cards(&web, &found.entries, today))
        (turning(parameters.text(), &query, found.total))
    };
    Ok(Page { words: parameters.text().to_owned(), ..Page::new(title, body) })
}

/// All categories.
pub(super) async fn categories(State(web): Shared) -> Result<Page, Failure> {
    let categories = web.catalog.categories(&web.registry).await?;
    let body = html! {
        h1 { "Categories" }
        @if categories.is_empty() { p { "No plugin has a category yet." } }
        ul.shelves {
            @for (name, count) in &categories {
                li { a href={ "/categories/" (encoded(name)) } { bdi { (name) } } " " span.quiet { (plugins(*count)) } }
            }
        }
    };
    Ok(Page::new("Categories", body))
}

/// One category.
pub(super) async fn category(State(web): Shared, part: PathPart) -> Result<Page, Failure> {
    let name = Web::named(part)?;
    let mut query = Query::of_all(Sort::Relevance, MAX_LIMIT);
    query.category = Some(name.clone());
    let found = page(&web, &query).await?;
    if found.total == 0 {
        return Err(Failure::NoSuch("category", name));
    }
    let today = Web::today()?;
    let body = html! {
        h1 { "Category " bdi { (name) } }
        p.count { (plugins(found.total)) }
        (cards(&web, &found.entries, today))
        @if found.total > found.entries.len() {
            p { a href={ "/search?category=" (encoded(&name)) "&offset=100&limit=100" } { "More" } }
        }
    };
    Ok(Page::new(format!("Category {name}"), body))
}

/// What a key signs for.
pub(super) async fn owner(State(web): Shared, part: PathPart) -> Result<Page, Failure> {
    let key = Web::named(part)?;
    let none = || Failure::NoSuch("owner", key.clone());
    let public: PublicKey = format!("ed25519:{key}").parse().map_err(|_| none())?;
    let names = web.catalog.linked(&web.registry, Link::Owner(&public)).await?;
    let entries = web.catalog.entries(&web.registry, &names).await?;
    if entries.is_empty() {
        return Err(none());
    }
    let today = Web::today()?;
    let fingerprint = public.fingerprint().to_string();
    let body = html! {
        h1 { "Plugins of one owner" }
        dl.facts {
            dt { "Fingerprint" } dd { code { (fingerprint) } }
            dt { "Public key" } dd { code { (public) } }
        }
        p { "A registry knows owners by their keys, not by their names. Compare the fingerprint with the one that the author shows elsewhere." }
        p.count { (plugins(entries.len())) }
        (cards(&web, &entries, today))
    };
    Ok(Page::new(format!("Owner {fingerprint}"), body))
}

/// Plugins, each in short.
pub(super) fn cards(web: &Web, entries: &[SearchEntry], today: Day) -> Markup {
    html! {
        ul.cards {
            @for entry in entries {
                li.card {
                    p.name { a href={ "/plugins/" (entry.name) } { (entry.name) } " " span.version { (entry.version) } }
                    p { bdi { (entry.description) } }
                    p.quiet {
                        span class={ "tag " (entry.runtime) } { (entry.runtime) }
                        @for category in entry.categories.iter().take(3) { " " a.tag href={ "/categories/" (encoded(category)) } { bdi { (category) } } }
                        " " (downloads(web.recent(&entry.name, today)))
                    }
                }
            }
        }
    }
}

fn filters(text: &str, query: &Query) -> Markup {
    html! {
        form.filters action="/search" method="get" aria-label="Narrow down" {
            input type="hidden" name="q" value=(text);
            @if let Some(category) = &query.category {
                label { "Category" input type="text" name="category" value=(category); }
            }
            label { "Runtime"
                select name="runtime" {
                    option value="" { "Any" }
                    @for runtime in Runtime::ALL { option value=(runtime) selected[query.runtime == Some(runtime)] { (runtime) } }
                }
            }
            label { "Order"
                select name="sort" {
                    @for sort in Sort::ALL { option value=(sort) selected[query.sort == sort] { (sort) } }
                }
            }
            button type="submit" { "Apply" }
        }
    }
}

/// To the part before and the part after.
fn turning(text: &str, query: &Query, total: usize) -> Markup {
    let limit = query.limit.unwrap_or(total).max(1);
    let link = |offset: usize| {
        let runtime = query.runtime.map(|runtime| format!("&runtime={runtime}")).unwrap_or_default();
        let category = query.category.as_ref().map(|name| format!("&category={}", encoded(name))).unwrap_or_default();
        format!("/search?q={}{category}{runtime}&sort={}&limit={limit}&offset={offset}", encoded(text), query.sort)
    };
    html! {
        @if total > limit || query.offset > 0 {
            nav.turning aria-label="Parts of the list" {
                @if query.offset > 0 { a rel="prev" href=(link(query.offset.saturating_sub(limit))) { "← Before" } }
                @if query.offset + limit < total { a rel="next" href=(link(query.offset + limit)) { "After →" } }
            }
        }
    }
}

/// A text as a part of a path or query.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

/// How many, in words.
pub(super) fn downloads(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "1 download in 30 days".to_owned(),
        count => format!("{count} downloads in 30 days"),
    }
}

fn plugins(count: usize) -> String {
    if count == 1 { "1 plugin".to_owned() } else { format!("{count} plugins") }
}
