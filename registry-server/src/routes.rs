//! The routes and what answers them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, put};

use crate::{Registry, files, publish};

/// Everything the server answers: static files, `PUT /api/v1/publish`, `GET /healthz`.
pub fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/api/v1/publish", put(publish::publish).layer(DefaultBodyLimit::max(publish::MAX_BODY_BYTES)))
        .fallback(get(files::serve))
        .with_state(registry)
}
