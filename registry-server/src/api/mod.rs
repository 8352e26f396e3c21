//! The part of the API that reads, with the document that describes it and everything else: made from the same routes.

mod documents;
mod others;
mod plugin;
mod search;

use std::sync::Arc;

use axum::extract::State;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::web::Web;

pub(crate) use search::{SearchParameters, page};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Pocket registry",
        description = "Finds plugins. Nothing it says is signed: what is installed is read from the static files and verified there."
    ),
    components(schemas(documents::Receipt))
)]
struct Document;

/// The routes below `/api/v1/`, and the document about them.
pub(crate) fn router(web: Arc<Web>) -> Router {
    let (router, document) = described().split_for_parts();
    let document = Json(others::with_others(document));
    router.route("/api/v1/openapi.json", axum::routing::get(async move || document)).with_state(web)
}

fn described() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(search::search))
        .routes(routes!(search::categories))
        .routes(routes!(search::popular))
        .routes(routes!(plugin::plugin))
}

type Shared = State<Arc<Web>>;
