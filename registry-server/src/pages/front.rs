//! The front page.

use axum::extract::State;
use maud::html;
use pocket_index::search::{Query, Sort};

use super::Shared;
use super::failure::Failure;
use super::layout::{Page, SearchField, search_form};
use super::lists::{cards, encoded};
use crate::api::page;
use crate::web::Web;

/// Six of each list.
const SHOWN: usize = 6;

/// Search, what is popular, what is new.
pub(super) async fn front(State(web): Shared) -> Result<Page, Failure> {
    let mut query = Query::of_all(Sort::Downloads, SHOWN);
    let popular = page(&web, &query).await?;
    query.sort = Sort::Updated;
    let newest = page(&web, &query).await?;
    let mut categories: Vec<_> = web.catalog.categories(&web.registry).await?.into_iter().collect();
    categories.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    categories.truncate(12);
    let today = Web::today()?;
    let body = html! {
        div.hero {
            h1 { "Plugins for Pocket workflows" }
            p.lead { (popular.total) " plugins, each signed by its author and written into a log that anybody can check." }
            (search_form(""))
            @if !categories.is_empty() {
                ul.tags aria-label="Categories" {
                    @for (name, _) in &categories { li { a.tag href={ "/categories/" (encoded(name)) } { bdi { (name) } } } }
                }
            }
        }
        section aria-labelledby="popular" {
            h2 #popular { "Popular" }
            (cards(&web, &popular.entries, today))
            @if popular.total > SHOWN { p { a href="/search?sort=downloads" { "All by downloads" } } }
        }
        section aria-labelledby="newest" {
            h2 #newest { "Newest" }
            (cards(&web, &newest.entries, today))
            @if newest.total > SHOWN { p { a href="/search?sort=updated" { "All by date" } } }
        }
    };
    Ok(Page { search: SearchField::Body, ..Page::new("Plugins", body) })
}
