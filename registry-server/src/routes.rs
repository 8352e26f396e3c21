//! The routes and what answers them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Router, extract::Request};
use pocket_index::layout;

use crate::config::{Limits, Tokens};
use crate::error::ApiError;
use crate::files::Served;
use crate::publish::Places;
use crate::pull::Pull;
use crate::serve::{Metrics, Rate};
use crate::storage::{Storage, in_tree};
use crate::web::{self, Web};
use crate::{Registry, access, accounts, files, publish};

/// What the routes that write and those about the server itself share.
#[derive(Debug)]
pub(crate) struct Service {
    pub registry: Arc<Registry>,
    pub limits: Limits,
    pub metrics: Arc<Metrics>,
    pub places: Places,
    pub web: Arc<Web>,
    /// Whether whoever writes must have a token.
    pub tokens: Tokens,
    /// How often each token may be used, by its name in the storage.
    pub token_rate: Rate<String>,
}

impl Service {
    pub fn new(registry: Arc<Registry>, limits: Limits) -> Self {
        let places = Places::new(&limits);
        let web = Arc::new(Web::new(Arc::clone(&registry)));
        let token_rate = Rate::new(limits.requests_per_second_per_token);
        Self { registry, limits, metrics: Arc::default(), places, web, tokens: Tokens::default(), token_rate }
    }

    /// The same, which may ask whoever writes for a token.
    pub fn asking_for(self, tokens: Tokens) -> Self {
        Self { tokens, ..self }
    }
}

/// Everything the server answers: static files, pages, the API, `PUT /api/v1/publish`, and how the server is.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let files = Router::new().fallback(files::serve).with_state(service.registry.files());
    let files = files.layer(from_fn_with_state(Arc::clone(&service.web), count));
    let (accounts, described) = accounts::described().merge(publish::staged::described()).split_for_parts();
    let pages_and_api = web::router(&service.web, described);
    let is_private = service.registry.is_private();
    let guard = from_fn_with_state(Arc::clone(&service), access::guard);
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/publish", put(publish::publish))
        .merge(accounts)
        .with_state(service)
        .merge(pages_and_api)
        .method_not_allowed_fallback(async |method: Method| ApiError::wrong_method(&method))
        .fallback_service(files);
    if is_private { router.layer(guard) } else { router }
}

/// What the routes of a copy share that is fetched as it is asked for.
#[derive(Debug)]
pub(crate) struct CopyService {
    pub files: Arc<Served>,
    pub pull: Arc<Pull>,
    pub metrics: Arc<Metrics>,
    /// How often each token may be used, by its name in the storage.
    pub token_rate: Rate<String>,
}

impl CopyService {
    pub fn new(pull: Arc<Pull>, limits: &Limits) -> Self {
        let files = Arc::new(Served::new(Arc::clone(&pull) as Arc<dyn Storage>));
        let token_rate = Rate::new(limits.requests_per_second_per_token);
        Self { files, pull, metrics: Arc::default(), token_rate }
    }
}

/// What a copy answers that is fetched as it is asked for: static files, and how the server is.
pub(crate) fn copy_router(service: Arc<CopyService>) -> Router {
    let (files, metrics) = (Arc::clone(&service.files), Arc::clone(&service.metrics));
    let answers = async |State(files): State<Arc<Served>>| {
        let checkpoint = files.storage().entry(&in_tree(layout::CHECKPOINT)).await?;
        checkpoint.map(|_| "ready\n").ok_or_else(|| ApiError::not_found(layout::CHECKPOINT))
    };
    Router::new()
        .route("/readyz", get(answers))
        .with_state(Arc::clone(&files))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics_text).with_state(metrics))
        .method_not_allowed_fallback(async |method: Method| ApiError::wrong_method(&method))
        .fallback_service(Router::new().fallback(files::serve).with_state(files))
        .layer(from_fn_with_state(service, access::guard_copy))
}

/// Counts downloads, of whomever.
async fn count(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    web.counter.note(&method, uri.path(), response.status(), response.headers());
    response
}

/// Whether the registry's files can be reached.
async fn ready(State(service): State<Arc<Service>>, _: Request) -> Result<&'static str, ApiError> {
    service.registry.answers().await?;
    Ok("ready\n")
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    metrics_text(State(Arc::clone(&service.metrics))).await
}

async fn metrics_text(State(metrics): State<Arc<Metrics>>) -> Response {
    let mut response = metrics.to_text().into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
