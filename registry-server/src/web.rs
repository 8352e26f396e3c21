//! What people and their tools see of a registry beyond its files: the pages, and the part of the API that reads.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use pocket_index::name::PluginName;
use pocket_index::stats::Day;
use utoipa::openapi::OpenApi;

use crate::catalog::Catalog;
use crate::details::Details;
use crate::error::{ApiError, chain};
use crate::histories::Histories;
use crate::stats::Counter;
use crate::{Registry, api, checkpoint, pages};

/// What a route has of a path that names something.
pub(crate) type PathPart = Result<Path<String>, PathRejection>;

/// What pages and API share.
#[derive(Debug)]
pub(crate) struct Web {
    pub registry: Arc<Registry>,
    pub catalog: Catalog,
    pub counter: Arc<Counter>,
    pub details: Details,
    pub histories: Histories,
}

impl Web {
    pub fn new(registry: Arc<Registry>) -> Self {
        let (catalog, counter, details) = (Catalog::default(), Arc::default(), Details::default());
        Self { registry, catalog, counter, details, histories: Histories::default() }
    }

    /// Reads what was downloaded before, and begins to read the search list, for which the first search waits.
    pub async fn begin(self: &Arc<Self>) {
        if let Err(error) = self.counter.load(&self.registry).await {
            tracing::warn!("what was downloaded before is not known: {}", chain(&error));
        }
        let web = Arc::clone(self);
        tokio::spawn(async move { web.catalog.prepare(&web.registry).await });
    }

    /// The part of a path that names something.
    ///
    /// # Errors
    /// What is escaped there is no text.
    pub fn named(part: PathPart) -> Result<String, ApiError> {
        let bad = |error: PathRejection| ApiError::new(error.status(), "bad_path", error);
        part.map(|Path(name)| name).map_err(bad)
    }

    /// Today.
    pub fn today() -> Result<Day, ApiError> {
        checkpoint::now().map(Day::of).map_err(|error| ApiError::storage(&error))
    }

    /// Downloads of the last days.
    pub fn recent(&self, name: &PluginName, today: Day) -> u64 {
        self.counter.known().of(name.as_str()).map_or(0, |counts| counts.recent(today))
    }
}

/// The routes of the pages and of the API that reads. What is described elsewhere stands in the API's document, too.
pub(crate) fn router(web: &Arc<Web>, described: OpenApi) -> Router {
    api::router(Arc::clone(web), described).merge(pages::router(Arc::clone(web)))
}
