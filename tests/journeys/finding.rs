//! Finding plugins in a registry that is large, and that no server of ours serves.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pocket_index::layout;
use pocket_index::search::{self, SearchEntry};

use super::support::{Nginx, Sandbox, TestRegistry};

fn entry(number: usize) -> SearchEntry {
    let text = format!(
        r#"{{"name":"plugin{number:04}","version":"1.0.0","description":"Number {number} of many, made of {}","runtime":"lua","nodes":["do-{number}"],"categories":["c{}"],"keywords":["many"],"updated":{number}}}"#,
        ["copper", "sandstone", "porcelain"][number % 3],
        number % 5
    );
    serde_json::from_str(&text).unwrap()
}

/// Lists this many plugins, and gives the path of the file that most of them are in.
fn list(tree: &Path, count: usize) -> std::path::PathBuf {
    let files = search::files((0..count).map(entry));
    let (file, bytes) = files.index.expect("there are many");
    let path = tree.join(layout::search_index(&file.sha256));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::write(tree.join(layout::SEARCH), files.listing).unwrap();
    path
}

fn names(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let all = [&["plugin", "search", "--output", "json"], arguments].concat();
    let found = sandbox.pocket(&all).success().json();
    found.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_large_registry_on_any_web_server_is_searched_without_fetching_it() {
    let registry = TestRegistry::bundled();
    let file = list(registry.tree(), 3_000);
    let nginx = Nginx::serve(registry.tree());
    let mut sandbox = Sandbox::with_registry(&nginx.url);
    assert_eq!(names(&sandbox, &["do-1234", "--limit", "1"]), ["plugin1234"]);
    assert_eq!(names(&sandbox, &["porcelian", "--sort", "updated", "--limit", "2"]), ["plugin2999", "plugin2996"]);
    assert_eq!(names(&sandbox, &["--category", "c4", "--limit", "1"]), ["plugin0004"]);
    let categories = sandbox.pocket(&["plugin", "categories"]).success().stdout;
    assert!(categories.contains("c4        600"), "{categories}");
    let log = nginx.access_log();
    let asked: Vec<_> = log.lines().filter(|line| line.contains("/search/")).collect();
    assert!(asked.len() > 3 && asked.iter().all(|line| line.contains(" 206 ")), "{log}");
    // What was fetched is there without the network; a new list is noticed.
    sandbox.set("POCKET_OFFLINE", "1");
    assert_eq!(names(&sandbox, &["do-1234", "--limit", "1"]), ["plugin1234"]);
    sandbox.set("POCKET_OFFLINE", "0");
    list(registry.tree(), 3_001);
    // nginx tells files of one size apart by the second in which they were written.
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::open(registry.tree().join(layout::SEARCH)).unwrap().set_modified(later).unwrap();
    fs::remove_file(file).unwrap();
    assert_eq!(names(&sandbox, &["do-3000", "--limit", "1"]), ["plugin3000"]);
}

#[test]
fn a_large_registry_in_a_folder_is_searched_in_place() {
    let registry = TestRegistry::bundled();
    let file = list(registry.tree(), 1_000);
    let sandbox = Sandbox::with_registry(&format!("file://{}", registry.tree().display()));
    assert_eq!(names(&sandbox, &["do-999", "--limit", "1"]), ["plugin0999"]);
    sandbox.pocket(&["plugin", "info", "plugin099"]).failure(1, &["did you mean `plugin0099`"]);
    // A damaged file finds less, and harms nothing.
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    sandbox.pocket(&["plugin", "search", "do-999"]).success();
    fs::write(&file, b"nothing").unwrap();
    sandbox.pocket(&["plugin", "search", "do-999"]).failure(6, &["the search index is damaged"]);
    fs::remove_file(&file).unwrap();
    sandbox.pocket(&["plugin", "search", "do-999"]).failure(1, &["search/"]);
}
