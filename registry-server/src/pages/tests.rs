//! What a browser and a program get.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use pocket_index::layout;
use pocket_index::search::{Listing, SearchEntry};
use pocket_index::stats::Downloads;

use crate::Registry;
use crate::config::{DEFAULT_RECOVERY_DELAY, Limits, Source};
use crate::routes::{Answers, Service};
use crate::storage::{Condition, in_tree};

/// A server with the bundled plugins.
struct Site(Arc<Service>);

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Site {
    async fn open() -> Self {
        let registry = Registry::open(&Source::Bundled, DEFAULT_RECOVERY_DELAY).await.expect("a new registry");
        Self(Arc::new(Service::new(Arc::new(registry), Limits::default())))
    }

    async fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let answer = Answers::of_registry(Arc::clone(&self.0)).to(request).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = to_bytes(answer.into_body(), 1 << 24).await.expect("a whole body");
        Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// Lists what nobody could publish.
    async fn list(&self, entries: Vec<SearchEntry>) {
        let text = Listing::of(entries).to_text().into();
        self.0.registry.storage().put(&in_tree(layout::SEARCH), text, Condition::Always).await.expect("it is written");
    }
}

#[tokio::test]
async fn every_page_is_there_and_forbids_what_it_does_not_need() {
    let site = Site::open().await;
    for (path, expected) in [
        ("/", "Plugins for Pocket workflows"),
        ("/search?q=redis", "/plugins/redis-cache"),
        ("/search?q=", "All plugins"),
        ("/categories", "/categories/data"),
        ("/categories/data", "redis-cache"),
        ("/plugins/redis-cache", "pocket plugin install redis-cache"),
        ("/plugins/data-processor", "ml-analyzer"),
        ("/owners/85b97bdb5aa0b5e30b66329a560a4421e4ab5e67058fd3f36ee7d7dfd93f15e7", "ml-analyzer"),
        ("/verify", "How to verify"),
    ] {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        assert!(page.text.contains(expected), "{path}: {}", page.text);
        let policy = page.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        for forbidden in ["<script", "style=", "onclick", "https://fonts"] {
            assert!(!page.text.contains(forbidden), "{path} has {forbidden}");
        }
    }
    for path in ["/plugins/no-such", "/plugins/NO", "/categories/none", "/owners/12"] {
        assert_eq!(site.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_escape_is_told_like_anything_else_that_is_wrong() {
    let site = Site::open().await;
    let answer = site.get("/api/v1/plugins/%ff").await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::BAD_REQUEST, &"application/json".parse().expect("a value"))
    );
    assert!(answer.text.contains("\"code\":\"bad_path\""), "{}", answer.text);
    for path in ["/plugins/%ff", "/categories/%c3%28", "/owners/%ff"] {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(
            page.headers.contains_key("content-security-policy") && page.text.contains("<h1>"),
            "{path}: {}",
            page.text
        );
    }
}

#[tokio::test]
async fn a_plugins_page_shows_that_the_log_holds_it() {
    let page = Site::open().await.get("/plugins/redis-cache").await.text;
    assert!(page.contains("This server checked the signatures and the proof"), "{page}");
    assert!(page.contains("redis-get") && page.contains("may connect to"), "{page}");
}

#[tokio::test]
async fn what_authors_write_is_text_on_every_page() {
    let site = Site::open().await;
    let text = site.get("/search.json").await.text;
    let mut entries: Vec<_> = Listing::parse(&text).expect("a list").entries.into_values().collect();
    let hostile = r#""><script>alert(1)</script><img src=x onerror=alert(1)>'"#;
    for entry in &mut entries {
        entry.description = hostile.to_owned();
        entry.categories = vec![hostile.to_owned(), "a/../b?c#d".to_owned()];
        entry.keywords = vec![hostile.to_owned()];
    }
    site.list(entries).await;
    let encoded = super::lists::encoded(hostile);
    let pages = [
        "/",
        "/categories",
        "/search?q=script",
        &format!("/search?q={encoded}"),
        &format!("/categories/{encoded}"),
        &format!("/plugins/{encoded}"),
        &format!("/search?category={encoded}"),
    ];
    for path in pages {
        let page = site.get(path).await.text;
        assert!(!page.contains("<script") && !page.contains("<img"), "{path}: {page}");
    }
    assert!(site.get("/categories").await.text.contains("/categories/a%2F..%2Fb%3Fc%23d"));
    assert_eq!(site.get("/categories/a%2F..%2Fb%3Fc%23d").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_search_finds_what_was_listed_a_moment_ago() {
    let site = Site::open().await;
    let found = async || site.get("/api/v1/search?q=redis").await.text;
    assert!(found().await.contains("\"total\":1"));
    let entries = Listing::parse(&site.get("/search.json").await.text).expect("a list").entries;
    site.list(entries.into_values().filter(|entry| entry.name.as_str() != "redis-cache").collect()).await;
    assert!(found().await.contains("\"total\":0"));
}

#[tokio::test]
async fn the_api_finds_lists_and_describes() {
    let site = Site::open().await;
    let json = async |path: &str| {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        serde_json::from_str::<serde_json::Value>(&answer.text).expect("JSON")
    };
    assert_eq!(json("/api/v1/search?q=sentimnt").await["results"][0]["name"], "ml-analyzer");
    assert_eq!(json("/api/v1/search?runtime=lua&sort=name&limit=1").await["total"], 1);
    assert_eq!(json("/api/v1/categories").await["categories"][0]["name"], "ai");
    assert_eq!(json("/api/v1/popular?limit=2").await["results"].as_array().map(Vec::len), Some(2));
    let plugin = json("/api/v1/plugins/data-processor").await;
    assert_eq!((&plugin["version"], &plugin["dependents"][0]), (&"1.0.0".into(), &"ml-analyzer".into()));
    assert_eq!(json("/api/v1/plugins/redis-cache").await["versions"][0]["status"], "yanked");
    let document = json("/api/v1/openapi.json").await;
    for path in ["search", "categories", "popular", "plugins/{name}"] {
        assert!(document["paths"][format!("/api/v1/{path}")].is_object(), "{path}");
    }
    for path in [
        "search?limit=0",
        "search?limit=101",
        "search?limit=x",
        "search?sort=best",
        "search?runtime=java",
        "search?q=%3F",
        "popular?limit=-1",
        "search?offset=9999999",
    ] {
        let answer = site.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.text.contains("\"code\":\"bad_query\""), "{path}: {}", answer.text);
    }
    assert_eq!(site.ask(Method::POST, "/api/v1/search").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_download_is_counted_once_and_nothing_else_is_written_down() {
    let site = Site::open().await;
    let index = site.get("/index/re/di/redis-cache").await.text;
    let digest = index.split("sha256:").nth(1).and_then(|rest| rest.get(..64)).expect("a digest");
    let archive = format!("/a/{}/{digest}.tar.gz", &digest[..2]);
    site.get(&archive).await;
    site.ask(Method::HEAD, &archive).await;
    site.get("/a/00/0000000000000000000000000000000000000000000000000000000000000000.tar.gz").await;
    let (web, registry) = (&site.0.web, &site.0.registry);
    web.counter.flush(registry).await.expect("it is written");
    web.counter.flush(registry).await.expect("there is nothing to write");
    let text = site.get("/stats/downloads.json").await.text;
    let counts = Downloads::parse(&text).expect("counts");
    assert_eq!(
        counts.iter().map(|(name, counts)| (name.as_str(), counts.total)).collect::<Vec<_>>(),
        [("redis-cache", 1)]
    );
    assert!(site.get("/plugins/redis-cache").await.text.contains("<svg"));
    assert!(site.get("/").await.text.contains("1 download in 30 days"));
}
