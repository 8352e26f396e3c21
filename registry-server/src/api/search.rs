//! `search`, `categories` and `popular`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use axum::http::StatusCode;
use pocket_index::manifest::Runtime;
use pocket_index::search::{MAX_LIMIT, MAX_OFFSET, Page, Query, SearchEntry, Sort};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Shared;
use super::documents::{Categories, Category, ErrorDocument, Found, Summary};
use crate::error::{ApiError, chain};
use crate::web::Web;

/// As many as a terminal shows.
const USUAL_LIMIT: usize = 20;

/// What is asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParameters {
    /// Words that a plugin must have in its name, keywords, node types, categories or description; without them, all are found.
    #[param(required = false, max_length = 1000)]
    q: Option<String>,
    /// Only plugins of this category.
    #[param(required = false)]
    category: Option<String>,
    /// Only plugins of this runtime: `native`, `lua` or `wasm`.
    #[param(required = false, pattern = "^(native|lua|wasm)?$")]
    runtime: Option<String>,
    /// What comes first: `relevance`, `downloads`, `updated` or `name`.
    #[param(required = false, pattern = "^(relevance|downloads|updated|name)?$")]
    sort: Option<String>,
    /// How many to give.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// How many to pass over.
    #[param(required = false, maximum = 1_000_000)]
    offset: Option<usize>,
}

/// How many are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PopularParameters {
    /// How many to give.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// Finds plugins.
#[utoipa::path(get, path = "/api/v1/search", params(SearchParameters), responses(
    (status = 200, description = "What was found", body = Found),
    (status = 400, description = "The question makes no sense", body = ErrorDocument),
    (status = 414, description = "The question is far too long", body = ErrorDocument),
    (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
))]
pub(super) async fn search(
    State(web): Shared,
    parameters: Result<Parameters<SearchParameters>, QueryRejection>,
) -> Result<Json<Found>, ApiError> {
    let Parameters(parameters) = parameters.map_err(|error| bad_query(&error))?;
    found(&web, parameters.query()?).await.map(Json)
}

/// Lists the categories.
#[utoipa::path(get, path = "/api/v1/categories", responses(
    (status = 200, description = "All categories", body = Categories),
))]
pub(super) async fn categories(State(web): Shared) -> Result<Json<Categories>, ApiError> {
    let categories = web.catalog.categories(&web.registry).await?;
    let categories = categories.into_iter().map(|(name, plugins)| Category { name, plugins }).collect();
    Ok(Json(Categories { categories }))
}

/// Lists what is downloaded most.
#[utoipa::path(get, path = "/api/v1/popular", params(PopularParameters), responses(
    (status = 200, description = "What is downloaded most", body = Found),
    (status = 400, description = "The question makes no sense", body = ErrorDocument),
    (status = 414, description = "The question is far too long", body = ErrorDocument),
    (status = 429, description = "This address, or whoever has this token, asks too often", body = ErrorDocument),
))]
pub(super) async fn popular(
    State(web): Shared,
    parameters: Result<Parameters<PopularParameters>, QueryRejection>,
) -> Result<Json<Found>, ApiError> {
    let Parameters(PopularParameters { limit }) = parameters.map_err(|error| bad_query(&error))?;
    let sort = Some(Sort::Downloads.to_string());
    found(&web, SearchParameters { limit, sort, ..SearchParameters::default() }.query()?).await.map(Json)
}

/// Entries that were found, and how many there are in all.
pub(crate) struct Part {
    pub total: usize,
    pub entries: Vec<SearchEntry>,
}

/// What a query finds.
pub(crate) async fn page(web: &Web, query: &Query) -> Result<Part, ApiError> {
    let (known, today) = (web.counter.known(), Web::today()?);
    let downloads = |name: &str| Some(known.of(name).map_or(0, |counts| counts.recent(today)));
    let Page { total, entries } = web.catalog.find(&web.registry, query, downloads).await?;
    Ok(Part { total, entries: entries.into_iter().map(|hit| hit.entry).collect() })
}

async fn found(web: &Web, query: Query) -> Result<Found, ApiError> {
    let today = Web::today()?;
    let Part { total, entries } = page(web, &query).await?;
    let summary = |entry: SearchEntry| {
        let downloads = web.recent(&entry.name, today);
        Summary::new(entry, downloads)
    };
    Ok(Found { total, results: entries.into_iter().map(summary).collect() })
}

impl SearchParameters {
    /// The question in its own words.
    pub fn query(&self) -> Result<Query, ApiError> {
        // An empty field of a form is none.
        let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
        let mut query = Query::new(self.q.as_deref().unwrap_or_default()).map_err(|error| bad_query(&error))?;
        query.category = given(&self.category);
        query.runtime =
            given(&self.runtime).map(|text| text.parse::<Runtime>()).transpose().map_err(|error| bad_query(&error))?;
        let sort = given(&self.sort).map(|text| text.parse::<Sort>()).transpose();
        query.sort = sort.map_err(|error| bad_query(&error))?.unwrap_or_default();
        query.limit = Some(within("limit", self.limit.unwrap_or(USUAL_LIMIT), 1, MAX_LIMIT)?);
        query.offset = within("offset", self.offset.unwrap_or_default(), 0, MAX_OFFSET)?;
        Ok(query)
    }

    /// The words as they were typed.
    pub fn text(&self) -> &str {
        self.q.as_deref().unwrap_or_default()
    }
}

fn within(name: &str, value: usize, least: usize, most: usize) -> Result<usize, ApiError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let message = format!("`{name}` is {value}, expected {least} to {most}");
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message))
}

fn bad_query(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_query", chain(error))
}
