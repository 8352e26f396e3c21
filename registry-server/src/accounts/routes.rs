//! `GET /api/v1/token`: what the token of a request allows. A login asks here, and so can a proxy that serves a private registry's files.

use std::sync::Arc;

use axum::Json;
use pocket_index::time::UtcTime;
use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Scope;
use crate::access::{self, Caller};
use crate::api::ErrorDocument;
use crate::error::ApiError;
use crate::routes::Service;

/// What a token allows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenDocument {
    /// What its maker called it.
    name: String,
    /// What it allows.
    scopes: Vec<Scope>,
    /// About which plugins it may write: patterns in which `*` stands for any letters.
    plugins: Vec<String>,
    /// From when on it is worth nothing (RFC 3339); null for never.
    expires: Option<String>,
}

#[derive(OpenApi)]
#[openapi(modifiers(&TokenScheme))]
struct Document;

/// How a token is sent.
struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_with(openapi::Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The route, with its description.
pub(crate) fn described() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(Document::openapi()).routes(routes!(token))
}

/// Says what the token that is sent along allows.
#[utoipa::path(get, path = "/api/v1/token", security(("token" = [])),
    responses(
        (status = 200, description = "What it allows", body = TokenDocument),
        (status = 401, description = "There is no token, or it is worth nothing", body = ErrorDocument),
        (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
    ))]
pub(super) async fn token(caller: Caller) -> Result<Json<TokenDocument>, ApiError> {
    match caller {
        Caller::Anybody => Err(access::no_token()),
        Caller::Holder(record) => Ok(Json(TokenDocument {
            name: record.name,
            scopes: record.scopes.into_iter().collect(),
            plugins: record.plugins.into_iter().map(String::from).collect(),
            expires: record.expires.map(|at| UtcTime(at).to_string()),
        })),
    }
}
