//! A registry on the loopback address that can change from one command to the next, and a user of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocket_index::digest::Digest;

use crate::index::Index;
use crate::sandbox::{Outcome, Sandbox};
use crate::scripted::{Reply, Request, ScriptedServer};

/// What the server does instead of sending a file.
#[derive(Clone)]
pub enum Fault {
    /// It answers with this status.
    Status(u16),
    /// It never answers.
    Stall,
    /// It sends the client elsewhere.
    Redirect(String),
}

struct Served {
    /// What the registry has. Its files' digests are their tags, also while others are served: whoever changes a file
    /// leaves the tag alone, so that the registry confirms it later.
    honest: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    /// The beginning of a path, and what happens there.
    fault: Option<(String, Fault)>,
}

/// A registry and a user.
pub struct Scene {
    pub index: Index,
    pub user: Sandbox,
    served: Arc<Mutex<Served>>,
    server: ScriptedServer,
    _empty: tempfile::TempDir,
}

/// A command that was refused, and changed nothing.
pub struct Refusal {
    code: i32,
    text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nexit code {}", self.text.trim_end(), self.code)
    }
}

impl Scene {
    /// A user who has never seen the registry.
    pub fn new(index: Index) -> Self {
        let empty = tempfile::tempdir().unwrap();
        let served = Arc::new(Mutex::new(Served::honest(&index)));
        let shared = Arc::clone(&served);
        let server = ScriptedServer::start(empty.path(), move |request, _| Some(answer(&shared, request)));
        let user = Sandbox::new();
        let registry = format!(
            "registries:
  default:
    max_age: 36500d
    url: {}
",
            server.url()
        );
        user.write("pocket.yaml", &registry);
        user.write("flow.yaml", "name: flow\nstart: a\nnodes: [{name: a, type: geo}]\n");
        Self { index, user, served, server, _empty: empty }
    }

    /// A user who installed this from the registry as it is.
    pub fn installed(index: Index, sources: &[&str]) -> Self {
        let scene = Self::new(index);
        scene.user.pocket(&[&["plugin", "install", "--yes"], sources].concat()).success();
        scene
    }

    /// From now on the registry shows these files.
    pub fn serve(&self, index: &Index) {
        self.served.lock().unwrap().files.clone_from(&index.files);
    }

    /// From now on this happens to every path that begins like this.
    pub fn fail(&self, path: &str, fault: Fault) {
        self.served.lock().unwrap().fault = Some((path.to_owned(), fault));
    }

    /// From now on the registry takes every request for a path that begins like this, and says nothing. The user waits half a
    /// second for each of four attempts, which is enough for what does answer.
    pub fn stall(&mut self, path: &str) {
        self.user.set("POCKET_HTTP_TIMEOUT", "500ms");
        self.fail(path, Fault::Stall);
    }

    /// From now on the registry shows its own files again.
    pub fn heal(&self) {
        *self.served.lock().unwrap() = Served::honest(&self.index);
    }

    /// How often files under this path were asked for.
    pub fn requests(&self, path: &str) -> usize {
        self.server.requests(path).len()
    }

    /// Runs a command that must fail and leave everything as it was, but for what was seen (`trust`), kept as evidence, or can
    /// be fetched again (`cache`).
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> Refusal {
        let before = self.state();
        let outcome = self.user.pocket(arguments);
        assert_ne!(outcome.code, 0, "it was taken:\n{}\n{}", outcome.stdout, outcome.stderr);
        assert_eq!(self.state(), before, "something changed:\n{}", outcome.stderr);
        self.refusal(&outcome)
    }

    /// What a mirror does must be refused, and be forgotten as soon as the registry itself is asked again.
    #[track_caller]
    pub fn refused_from_a_mirror(&self, attack: impl FnOnce(&mut Index), arguments: &[&str]) -> Refusal {
        let mut index = self.index.clone();
        attack(&mut index);
        assert_ne!(index.files, self.index.files, "the attack changed nothing");
        self.serve(&index);
        let refusal = self.refused(arguments);
        self.heal();
        self.user.pocket(&[arguments, &["--yes"]].concat()).success();
        refusal
    }

    /// What a registry does in its own name. There is no way back from a log that it signed.
    #[track_caller]
    pub fn refused_from_the_registry(&self, attack: impl FnOnce(&mut Index), arguments: &[&str]) -> Refusal {
        let mut index = self.index.clone();
        attack(&mut index);
        self.serve(&index);
        self.refused(arguments)
    }

    /// What a command said, without what differs from run to run.
    pub fn refusal(&self, outcome: &Outcome) -> Refusal {
        let folder = self.user.root().display().to_string();
        let text = outcome.stderr.replace(&self.server.url(), "REGISTRY/").replace(&folder, "SANDBOX");
        Refusal { code: outcome.code, text: shortened(&text) }
    }

    /// Everything in home and project that a refused command must leave as it was.
    pub fn state(&self) -> BTreeMap<String, String> {
        let mut files = self.user.everything();
        let may_grow = ["home/cache", "home/trust", "home/evidence", "home/projects"];
        files.retain(|path, _| !path.ends_with(".lock") || path.ends_with("pocket.lock"));
        files.retain(|path, _| !may_grow.iter().any(|folder| path.starts_with(folder)));
        // Made before anything can be refused, and empty.
        files.retain(|path, _| !["home", "home/plugins", "home/plugins/.staging"].contains(&path.as_str()));
        files
    }
}

impl Served {
    fn honest(index: &Index) -> Self {
        Self { honest: index.files.clone(), files: index.files.clone(), fault: None }
    }
}

fn answer(served: &Mutex<Served>, request: &Request) -> Reply {
    let path = request.path().trim_start_matches('/').to_owned();
    let (file, honest, fault) = {
        let served = served.lock().unwrap();
        let fault = served.fault.clone().filter(|(start, _)| path.starts_with(start)).map(|(_, fault)| fault);
        (served.files.get(&path).cloned(), served.honest.get(&path).cloned(), fault)
    };
    let tag = format!("\"{}\"", Digest::of(honest.as_deref().unwrap_or_default()));
    match (fault, file.clone()) {
        (Some(Fault::Status(status)), _) => Reply { status, ..Reply::default() },
        (Some(Fault::Redirect(to)), _) => {
            let headers = vec![format!("Location: {to}{path}")];
            Reply { status: 302, headers, ..Reply::default() }
        }
        (Some(Fault::Stall), _) => {
            // Longer than any client waits; the thread ends with the test's process.
            std::thread::sleep(Duration::from_secs(60));
            Reply::default()
        }
        (None, Some(_)) if file == honest && request.header("if-none-match") == Some(&tag) => {
            Reply { status: 304, ..Reply::default() }
        }
        (None, Some(body)) => Reply { status: 200, headers: vec![format!("ETag: {tag}")], body, ..Reply::default() },
        (None, None) => Reply { status: 404, ..Reply::default() },
    }
}

/// Long runs of hexadecimal digits and base64 are cut, so that a line shows both of its values.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    let mut run = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() || letter == '+' || letter == '/' {
            run.push(letter);
            continue;
        }
        let is_long = run.len() >= 32 && run.chars().any(|one| one.is_ascii_digit());
        if is_long {
            short.push_str(&run[..6]);
            short.push('…');
        } else {
            short.push_str(&run);
        }
        run.clear();
        short.push(letter);
    }
    short
}
