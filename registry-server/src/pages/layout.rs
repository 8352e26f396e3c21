//! What every page has: head, search, navigation, foot, and headers that forbid everything it does not need.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::style;

/// Its own stylesheet, its own form, the empty icon, and nothing else: no script, no frame, no picture from anywhere.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page on its way to a browser.
#[derive(Debug)]
pub(super) struct Page {
    pub status: StatusCode,
    /// What the window's title says before the registry's name.
    pub title: String,
    /// What stands in the search field.
    pub words: String,
    /// Whether the search field is at the top: the front page has a large one.
    pub search: SearchField,
    pub body: Markup,
}

/// Where a page has its search field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SearchField {
    #[default]
    Top,
    Body,
}

impl Page {
    pub fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { status: StatusCode::OK, title: title.into(), words: String::new(), search: SearchField::Top, body }
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Pocket registry" }
                    link rel="stylesheet" href=(style::path());
                    // Without it, browsers ask for /favicon.ico.
                    link rel="icon" href="data:,";
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.top {
                        div.wide {
                            a.brand href="/" { "Pocket " span { "registry" } }
                            @if self.search == SearchField::Top { (search_form(&self.words)) }
                            nav aria-label="Main" {
                                a href="/search?sort=downloads" { "Popular" }
                                a href="/categories" { "Categories" }
                                a href="/verify" { "How to verify" }
                            }
                        }
                    }
                    main #main tabindex="-1" { div.wide { (self.body) } }
                    footer { div.wide {
                        p { "Everything here is made from signed, append-only files. " a href="/verify" { "Check it yourself" } "." }
                        p { a href="/api/v1/openapi.json" { "API" } " · " a href="/log/checkpoint" { "Checkpoint" } " · " a href="/search.json" { "Search list" } }
                    } }
                }
            }
        }
    }
}

/// The search field.
pub(super) fn search_form(words: &str) -> Markup {
    html! {
        form.search role="search" action="/search" method="get" {
            label.hidden for="q" { "Search plugins" }
            input #q type="search" name="q" value=(words) placeholder="Name, node type or keyword" maxlength="1000" autocomplete="off" spellcheck="false";
            button type="submit" { "Search" }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 7] = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (CACHE_CONTROL, "no-cache"),
        ];
        (self.status, headers, self.markup().into_string()).into_response()
    }
}
