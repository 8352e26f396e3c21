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

/// A made-up key that signed nothing.
const STRANGER: &str = "ed25519:e3c69950f147144e98d529f7623f4b5135c8fd5673f33aed4b9ae9f1b640c1b4";

/// A key as text and as fingerprint.
fn key_of(author: &Author) -> (String, String) {
    let key = author.pocket(&["key", "show", "-o", "json"]).success().json();
    (key["public"].as_str().unwrap().to_owned(), key["fingerprint"].as_str().unwrap().to_owned())
}

#[test]
fn a_name_with_a_trusted_key_takes_no_other_ones() {
    let (registry, author) = published();
    let (key, fingerprint) = key_of(&author);
    let sandbox = Sandbox::with_registry(registry.url());
    let trusted = sandbox.pocket(&["key", "trust", STRANGER, "--for", "ge*", "-o", "json"]).success().json();
    let stranger = trusted[0]["fingerprint"].as_str().unwrap();
    let before = sandbox.snapshot();
    let refused = sandbox.pocket(&["plugin", "install", "geo", "--yes"]);
    refused.failure(6, &[&fingerprint, stranger, "keys.toml", "compare the fingerprints"]);
    assert_eq!(sandbox.snapshot(), before);

    sandbox.pocket(&["key", "trust", &key, "--for", "geo"]).success();
    sandbox.pocket(&["plugin", "install", "geo", "--yes"]).success();
    author.publish("other", "1.0.0", "");
    sandbox.pocket(&["plugin", "install", "other"]).success();
}

#[test]
fn what_only_revoked_keys_signed_is_refused_at_install_and_at_run() {
    let (registry, author) = published();
    let (key, fingerprint) = key_of(&author);
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "install", "geo", "--yes"]).success();
    sandbox.pocket(&["key", "revoke", &key, "--reason", "his laptop was stolen"]).success();
    let before = sandbox.snapshot();
    let said = [fingerprint.as_str(), "revokes: his laptop was stolen"];
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &said);
    sandbox.pocket(&["plugin", "install", "--locked"]).failure(6, &said);
    sandbox.pocket(&["plugin", "update"]).failure(6, &said);
    assert_eq!(sandbox.snapshot(), before);
    sandbox.pocket(&["key", "trust", &key, "--for", "*"]).failure(1, &["was revoked", "his laptop was stolen"]);
    let listed = sandbox.pocket(&["key", "trusted"]).success().stdout;
    assert!(listed.contains("revoked: his laptop was stolen"), "{listed}");
}

#[test]
fn a_project_demands_signers_also_of_what_is_installed_and_of_its_own_files() {
    let (registry, author) = published();
    let (key, fingerprint) = key_of(&author);
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.write("pocket.yaml", &configured(&registry, &format!("required_signers: {{'g*': [\"{key}\"]}}")));
    sandbox.pocket(&["plugin", "install", "--yes"]).success();
    sandbox.pocket(&["run", "w.yaml"]).success();
    let script = "-- @name: greeter\n-- @version: 1.2.0\n-- @node: greet\nfunction greet() return {} end\n";
    sandbox.write("greeter.lua", script);
    let unsigned = ["`greeter` 1.2.0 from `./greeter.lua` is signed by nobody", fingerprint.as_str()];
    sandbox.pocket(&["plugin", "install", "greeter.lua"]).failure(6, &unsigned);

    sandbox.write("pocket.yaml", &configured(&registry, &format!("required_signers: {{geo: [\"{STRANGER}\"]}}")));
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &["is signed by", &fingerprint, "pocket.yaml"]);
    sandbox.write("pocket.yaml", &configured(&registry, "required_signers: {geo: []}"));
    sandbox.pocket(&["run", "w.yaml"]).failure(1, &["line 7", "expected at least one public key"]);
}
