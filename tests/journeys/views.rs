//! A registry that shows one user two histories: what was seen once stays seen, and both sides are kept.

use std::fs;

use crate::support::{Author, Sandbox, TestRegistry};

const INDEX_FILE: &str = "index/gr/ee/greeting";

/// How a project reads the registry.
#[derive(Clone, Copy)]
enum Way {
    Server,
    Folder,
}

/// A user who saw `greeting` 1.0.0 and 1.1.0 and the yank of 1.1.0, and the file as it was before the yank.
struct Told {
    registry: TestRegistry,
    author: Author,
    user: Sandbox,
    before_the_yank: String,
}

impl Told {
    fn new(way: Way) -> Self {
        let registry = TestRegistry::empty();
        let author = Author::of(&registry);
        author.publish("greeting", "1.0.0", "");
        author.publish("greeting", "1.1.0", "");
        let before_the_yank = fs::read_to_string(registry.file(INDEX_FILE)).unwrap();
        author.pocket(&["plugin", "yank", "greeting@1.1.0", "--reason", "broken"]).success();
        let user = Sandbox::with_registry(&match way {
            Way::Server => registry.url().to_owned(),
            Way::Folder => format!("file://{}", registry.tree().display()),
        });
        user.pocket(&["plugin", "info", "greeting"]).success();
        Self { registry, author, user, before_the_yank }
    }

    /// Installs, and sees that it is refused, that nothing is changed, and what is kept of it.
    #[track_caller]
    fn refused(&self, said: &[&str]) -> String {
        let before = self.user.snapshot();
        let memory = self.memory();
        let outcome = self.user.pocket(&["plugin", "install", "greeting"]).failure(6, said);
        assert_eq!(self.user.snapshot(), before);
        assert_eq!(self.memory(), memory, "what was seen is still remembered");
        let files: Vec<_> = fs::read_dir(self.user.home().join("evidence")).unwrap().collect();
        assert_eq!(files.len(), 1, "it is kept once");
        let path = files.into_iter().next().unwrap().unwrap().path();
        assert!(outcome.stderr.contains(path.to_str().unwrap()), "{}", outcome.stderr);
        fs::read_to_string(path).unwrap()
    }

    fn memory(&self) -> Vec<String> {
        let files = fs::read_dir(self.user.home().join("trust")).unwrap().map(|file| file.unwrap().path());
        let memories = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        memories.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    fn checkpoint(&self) -> String {
        fs::read_to_string(self.registry.file("log/checkpoint")).unwrap()
    }
}

#[test]
fn an_older_copy_of_one_file_that_hides_a_yank_is_refused() {
    for way in [Way::Server, Way::Folder] {
        let told = Told::new(way);
        fs::write(told.registry.file(INDEX_FILE), &told.before_the_yank).unwrap();
        let said = ["shows another history", "event 3 of `greeting` was sha256:", "it is gone: the file ends after 2"];
        let kept = told.refused(&said);
        assert_eq!(kept.matches(&told.checkpoint()).count(), 2, "{kept}");
        // Asked again, it refuses again, and nothing is kept twice.
        assert_eq!(told.refused(&said), kept);
    }
}

#[test]
fn a_file_that_is_gone_is_refused_and_is_no_unknown_plugin() {
    let told = Told::new(Way::Server);
    fs::remove_file(told.registry.file(INDEX_FILE)).unwrap();
    told.refused(&["event 3 of `greeting` was sha256:", "it is gone: the file ends after 0"]);
}

#[test]
fn another_event_in_the_place_of_one_that_was_seen_is_refused_with_both() {
    let told = Told::new(Way::Server);
    // The registry drops the yank and logs another event of the owner in its place: every signature and proof is good.
    fs::write(told.registry.file(INDEX_FILE), &told.before_the_yank).unwrap();
    told.author.pocket(&["plugin", "deprecate", "greeting", "--reason", "old"]).success();
    let kept = told.refused(&["event 3 of `greeting` was sha256:", "now it is sha256:"]);
    assert!(kept.contains("\"kind\":\"deprecate\""), "{kept}");
}

#[test]
fn a_smaller_log_is_refused_and_both_signed_notes_are_kept() {
    let told = Told::new(Way::Server);
    let older = told.checkpoint();
    told.author.publish("other", "1.0.0", "");
    let newer = told.checkpoint();
    told.user.pocket(&["plugin", "info", "other"]).success();
    fs::write(told.registry.file("log/checkpoint"), &older).unwrap();
    let kept = told.refused(&["shows another history", "the log shrank: 3 leaves, but 4 were seen before"]);
    assert!(kept.contains(&older) && kept.contains(&newer), "{kept}");
}

#[test]
fn what_is_remembered_is_written_only_if_it_is_new() {
    let told = Told::new(Way::Server);
    let files = || fs::read_dir(told.user.home().join("trust")).unwrap().map(|file| file.unwrap());
    let times = || files().map(|file| (file.path(), file.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>();
    let before = times();
    told.user.pocket(&["plugin", "info", "greeting"]).success();
    assert_eq!(times(), before);
    assert!(told.memory()[0].contains("greeting = \"2 sha256:"), "{:?}", told.memory());
}
