//! What the user, the project and the organisation allow: permissions, keys, `trust.yaml`, `plugin audit`.

use crate::support::{Author, Sandbox, TestRegistry};

const ASKS: &str = "permissions:\n  env: [HOME]\n  http: [\"api.example.com:443\"]";
const WORKFLOW: &str = "name: w\nstart: a\nnodes: [{name: a, type: geo}]\n";

/// A registry with `geo` 1.0.0, which asks for two things, and its author.
fn published() -> (TestRegistry, Author) {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("geo", "1.0.0", ASKS);
    (registry, author)
}

fn configured(registry: &TestRegistry, security: &str) -> String {
    format!(
        "registries:\n  default: {}\nplugins:\n  dependencies:\n    geo: '*'\n  security:\n    {security}\n",
        registry.url()
    )
}

#[test]
fn permissions_say_what_is_missing() {
    let (registry, _author) = published();
    let sandbox = Sandbox::with_registry(registry.url());
    let before = sandbox.pocket(&["plugin", "permissions", "geo"]).success().stdout;
    assert!(before.contains("not installed") && before.contains("nobody approved it yet"), "{before}");

    sandbox.write("pocket.yaml", &configured(&registry, "permissions: {geo: [read_env, read_files]}"));
    sandbox.pocket(&["plugin", "install", "--yes"]).success();
    let table = sandbox.pocket(&["plugin", "permissions", "geo"]).success().stdout;
    insta::assert_snapshot!(table, @"
    geo 1.0.0 (installed)

    PERMISSION      WHAT                                           ASKED  APPROVED  GRANTED  EFFECTIVE
    read_env        may read the environment variable HOME         yes    yes       yes      yes
    http_client     may send HTTP requests to api.example.com:443  yes    yes       no       no: `plugins.security.permissions.geo` does not have `http_client`
    network_access  may connect to other machines                  no     no        no       no: its manifest does not ask for it
    read_files      may read files                                 no     no        yes      no: its manifest does not ask for it
    write_files     may write files                                no     no        no       no: its manifest does not ask for it
    ");
    let document = sandbox.pocket(&["plugin", "permissions", "geo", "-o", "json"]).success().json();
    let missing: Vec<_> =
        document["permissions"].as_array().unwrap().iter().map(|row| row["missing"].as_str()).collect();
    assert_eq!(missing, [None, Some("granted"), Some("asked"), Some("asked"), Some("asked")]);
}

#[test]
fn a_permission_that_was_taken_out_of_the_lock_is_not_used() {
    let (registry, _author) = published();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "install", "geo", "--yes"]).success();
    sandbox.pocket(&["run", "w.yaml"]).success();
    let lock = sandbox.read("pocket.lock");
    assert!(lock.contains("\"env HOME\""), "{lock}");
    sandbox.write("pocket.lock", &lock.replace("\"env HOME\"", "\"env LANG\""));
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &["may read the environment variable HOME", "does not approve"]);
    let table = sandbox.pocket(&["plugin", "permissions", "geo"]).success().stdout;
    assert!(table.contains("no: pocket.lock does not approve it"), "{table}");
}
