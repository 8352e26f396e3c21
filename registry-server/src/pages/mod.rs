//! The pages: made here, with nothing in them that runs, and nothing that comes from elsewhere.

mod chart;
mod failure;
mod front;
mod layout;
mod lists;
mod node;
mod plugin;
mod style;
#[cfg(test)]
mod tests;
mod trust;
mod verify;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::web::Web;

type Shared = State<Arc<Web>>;

pub(crate) use failure::refused;
pub(crate) use style::path as style_path;

/// The routes of the pages and of their stylesheet.
pub(crate) fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/", get(front::front))
        .route("/search", get(lists::search))
        .route("/categories", get(lists::categories))
        .route("/categories/{name}", get(lists::category))
        .route("/owners/{key}", get(lists::owner))
        .route("/plugins/{name}", get(plugin::plugin))
        .route("/verify", get(verify::verify))
        .route(style::path(), get(style::style))
        .with_state(web)
}
