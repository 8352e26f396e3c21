//! The routes and what answers them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Router, extract::Request};
use pocket_index::layout;
use tower::ServiceExt as _;

use crate::access::{Admission, Guard};
use crate::config::{Limits, Tokens};
use crate::error::ApiError;
use crate::files::Served;
use crate::publish::Places;
use crate::pull::Pull;
use crate::serve::{Metrics, Rate};
use crate::stats::Counter;
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

/// What answers requests: the static files, which most requests are for, at once; everything else by its route.
#[derive(Debug)]
pub(crate) struct Answers {
    files: Files,
    router: Router,
}

/// How static files are answered.
#[derive(Debug)]
struct Files {
    served: Arc<Served>,
    /// Who counts downloads.
    counter: Option<Arc<Counter>>,
    /// Who knows the tokens, if whoever reads needs one.
    guard: Option<Guard>,
}

impl Answers {
    /// All of a registry: static files, pages, the API, `PUT /api/v1/publish`, and how the server is.
    pub fn of_registry(service: Arc<Service>) -> Self {
        let guard = service.registry.is_private().then(|| Guard::Registry(Arc::clone(&service)));
        let counter = Some(Arc::clone(&service.web.counter));
        let files = Files { served: service.registry.files(), counter, guard: guard.clone() };
        let router = router(service);
        let router = match guard {
            Some(guard) => router.layer(from_fn_with_state(guard, access::guard)),
            None => router,
        };
        Self { files, router }
    }

    /// Of a copy that is fetched as it is asked for: static files, and how the server is.
    pub fn of_copy(service: Arc<CopyService>) -> Self {
        let (served, router) = (Arc::clone(&service.files), copy_router(&service));
        let guard = Guard::Copy(service);
        let router = router.layer(from_fn_with_state(guard.clone(), access::guard));
        Self { files: Files { served, counter: None, guard: Some(guard) }, router }
    }

    /// The answer to a request.
    pub async fn to(&self, request: Request) -> Response {
        if files::are_below(request.uri().path()) {
            let (mut head, _) = request.into_parts();
            return self.files.answer(&mut head).await;
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Files {
    async fn answer(&self, head: &mut Parts) -> Response {
        let admission = match &self.guard {
            Some(guard) => guard.admit(head).await,
            None => Admission::Public,
        };
        if let Admission::Refused(refusal) = admission {
            return refusal;
        }
        let mut response = files::answer(&self.served, head).await;
        if let Some(counter) = &self.counter {
            counter.note(&head.method, head.uri.path(), response.status(), response.headers());
        }
        admission.mark(&mut response);
        response
    }
}

fn router(service: Arc<Service>) -> Router {
    let (accounts, described) = accounts::described().merge(publish::staged::described()).split_for_parts();
    let pages_and_api = web::router(&service.web, described);
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/publish", put(publish::publish))
        .merge(accounts)
        .with_state(service)
        .merge(pages_and_api);
    with_refusals(router)
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

fn copy_router(service: &CopyService) -> Router {
    let (files, metrics) = (Arc::clone(&service.files), Arc::clone(&service.metrics));
    let answers = async |State(files): State<Arc<Served>>| {
        let checkpoint = files.storage().entry(&in_tree(layout::CHECKPOINT)).await?;
        checkpoint.map(|_| "ready\n").ok_or_else(|| ApiError::not_found(layout::CHECKPOINT))
    };
    let router = Router::new()
        .route("/readyz", get(answers))
        .with_state(files)
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics_text).with_state(metrics));
    with_refusals(router)
}

/// What no route answers.
fn with_refusals(router: Router) -> Router {
    router
        .method_not_allowed_fallback(async |method: Method| ApiError::wrong_method(&method))
        .fallback(async |uri: Uri| ApiError::not_found(uri.path().trim_start_matches('/')))
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
