//! A forge: a real HTTP server that answers with the JSON of GitHub's release API, which Gitea and Forgejo speak as well.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// What the server knows, and what it was asked.
#[derive(Default)]
struct Forge {
    base: String,
    repositories: BTreeMap<String, Repository>,
    files: BTreeMap<String, Vec<u8>>,
    /// The token without which nothing is shown.
    secret: Option<String>,
    /// Every answer is this one.
    answer: Option<(u16, Vec<(&'static str, String)>)>,
    /// The API has moved there.
    moved: Option<String>,
    page: usize,
    requests: Vec<Request>,
}

#[derive(Default)]
struct Repository {
    /// Newest first.
    releases: Vec<Value>,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub authorization: Option<String>,
}

/// A running forge; stopped when dropped.
pub struct TestForge {
    forge: Arc<Mutex<Forge>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestForge {
    pub fn start() -> Self {
        let forge = Arc::new(Mutex::new(Forge { page: 30, ..Forge::default() }));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&forge));
        let (ready, started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let serving = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
                serving.await.unwrap();
            });
        });
        forge.lock().unwrap().base = format!("http://{}", started.recv().unwrap());
        Self { forge, stop: Some(stop), thread: Some(thread) }
    }

    /// The base of the API.
    pub fn api(&self) -> String {
        self.forge.lock().unwrap().base.clone()
    }

    /// `host:port`, as it stands in front of a repository.
    pub fn host(&self) -> String {
        self.api().trim_start_matches("http://").to_owned()
    }

    /// Releases these files.
    pub fn release(&self, repository: &str, tag: &str, files: &[&Path]) {
        self.release_with(repository, tag, files, &json!({}));
    }

    /// Releases these files; `more` are further fields of the release's JSON.
    pub fn release_with(&self, repository: &str, tag: &str, files: &[&Path], more: &Value) {
        let mut forge = self.forge.lock().unwrap();
        let mut assets = Vec::new();
        for file in files {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let content = std::fs::read(file).unwrap();
            let path = format!("/{repository}/releases/download/{tag}/{name}");
            assets.push(json!({
                "id": forge.files.len(),
                "name": name,
                "url": format!("{}/api-assets{path}", forge.base),
                "browser_download_url": format!("{}{path}", forge.base),
                "size": content.len(),
                "state": "uploaded",
                "content_type": "application/octet-stream",
            }));
            forge.files.insert(path, content);
        }
        let mut release =
            json!({ "id": 1, "tag_name": tag, "name": tag, "draft": false, "prerelease": false, "assets": assets });
        release.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        forge.repositories.entry(repository.to_owned()).or_default().releases.insert(0, release);
    }

    /// Makes a repository that has released nothing.
    pub fn create(&self, repository: &str) {
        self.forge.lock().unwrap().repositories.entry(repository.to_owned()).or_default();
    }

    /// Changes an asset's JSON.
    pub fn change_asset(&self, repository: &str, name: &str, field: &str, value: Value) {
        let mut forge = self.forge.lock().unwrap();
        for release in &mut forge.repositories.get_mut(repository).unwrap().releases {
            for asset in release["assets"].as_array_mut().unwrap() {
                if asset["name"] == name {
                    asset[field] = value.clone();
                }
            }
        }
    }

    /// Puts other bytes in an asset's place.
    pub fn replace(&self, name: &str, content: &[u8]) {
        let mut forge = self.forge.lock().unwrap();
        let path = forge.files.keys().find(|path| path.ends_with(name)).unwrap().clone();
        forge.files.insert(path, content.to_vec());
    }

    /// From now on nothing is shown without this token.
    pub fn require_token(&self, token: &str) {
        self.forge.lock().unwrap().secret = Some(token.to_owned());
    }

    /// From now on everything is answered like this.
    pub fn answer_all(&self, status: u16, headers: &[(&'static str, String)]) {
        self.forge.lock().unwrap().answer = Some((status, headers.to_vec()));
    }

    /// From now on the API redirects to another one.
    pub fn move_to(&self, other: &TestForge) {
        self.forge.lock().unwrap().moved = Some(other.api());
    }

    /// So many releases stand on a page.
    pub fn set_page(&self, releases: usize) {
        self.forge.lock().unwrap().page = releases;
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.forge.lock().unwrap().requests.clone()
    }

    /// Forgets what was asked.
    pub fn forget_requests(&self) {
        self.forge.lock().unwrap().requests.clear();
    }
}

impl Drop for TestForge {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn answer(State(forge): State<Arc<Mutex<Forge>>>, uri: Uri, headers: HeaderMap, _body: Bytes) -> Response {
    let mut forge = forge.lock().unwrap();
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    forge.requests.push(Request { path: uri.to_string(), authorization: authorization.clone() });
    if let Some((status, headers)) = &forge.answer {
        let mut response = StatusCode::from_u16(*status).unwrap().into_response();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        return response;
    }
    let may_see = forge.secret.as_ref().is_none_or(|secret| authorization == Some(format!("Bearer {secret}")));
    if uri.path().starts_with("/storage/") {
        return forge.file(uri.path().trim_start_matches("/storage"));
    }
    if !may_see {
        return not_found();
    }
    if let Some(other) = &forge.moved {
        return redirect(&format!("{other}{uri}"));
    }
    // A private asset comes from a storage that takes no token of ours.
    if let Some(path) = uri.path().strip_prefix("/api-assets") {
        return redirect(&format!("{}/storage{path}", forge.base));
    }
    match uri.path().strip_prefix("/repos/") {
        Some(path) => forge.api(path, uri.query().unwrap_or_default()),
        None => forge.file(uri.path()),
    }
}

impl Forge {
    fn file(&self, path: &str) -> Response {
        self.files.get(path).map_or_else(not_found, |content| content.clone().into_response())
    }

    fn api(&self, path: &str, query: &str) -> Response {
        let parts: Vec<&str> = path.split('/').collect();
        let [owner, name, "releases", rest @ ..] = parts.as_slice() else { return not_found() };
        let Some(repository) = self.repositories.get(&format!("{owner}/{name}")) else { return not_found() };
        let is_final = |release: &&Value| release["draft"] == false && release["prerelease"] == false;
        let found = match rest {
            [] => return self.page(repository, query),
            ["latest"] => repository.releases.iter().find(is_final),
            ["tags", tag] => repository
                .releases
                .iter()
                .find(|release| release["draft"] == false && release["tag_name"] == tag.replace("%2F", "/")),
            _ => None,
        };
        found.map_or_else(not_found, |release| axum::Json(release).into_response())
    }

    fn page(&self, repository: &Repository, query: &str) -> Response {
        let number =
            query.split('&').find_map(|pair| pair.strip_prefix("page=")).map_or(1, |page| page.parse().unwrap());
        let pages: Vec<&[Value]> = repository.releases.chunks(self.page).collect();
        let page = pages.get(number - 1).copied().unwrap_or_default();
        let mut response = axum::Json(page).into_response();
        if number < pages.len() {
            let link = "<http://elsewhere.invalid/?page=2>; rel=\"next\"";
            response.headers_mut().insert("link", link.parse().unwrap());
        }
        response
    }
}

fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [("location", to.to_owned())]).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({ "message": "Not Found" }))).into_response()
}
