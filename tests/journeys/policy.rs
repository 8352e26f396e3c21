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
    let table = table.replace(sandbox.path("").to_str().unwrap(), "");
    insta::assert_snapshot!(table, @"
    geo 1.0.0 (installed)

    PERMISSION      WHAT                                           ASKED  APPROVED  GRANTED  EFFECTIVE
    read_env        may read the environment variable HOME         yes    yes       yes      yes
    http_client     may send HTTP requests to api.example.com:443  yes    yes       no       no: `plugins.security.permissions.geo` in `pocket.yaml` does not have `http_client`
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
fn a_project_grants_nothing_that_the_user_withholds() {
    let (registry, _author) = published();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("pocket.yaml", &configured(&registry, "permissions: {geo: [read_env, http_client]}"));
    sandbox.pocket(&["plugin", "install", "--yes"]).success();
    let user = sandbox.home().join("pocket.yaml");
    std::fs::write(&user, "plugins:\n  security:\n    default_permissions: [http_client]\n").unwrap();
    let document = sandbox.pocket(&["plugin", "permissions", "geo", "-o", "json"]).success().json();
    let reasons: Vec<_> = document["permissions"].as_array().unwrap().iter().map(|row| row["reason"].clone()).collect();
    let withheld = format!("`plugins.security.default_permissions` in `{}` does not have `read_env`", user.display());
    assert_eq!(reasons[..2], [withheld.into(), serde_json::Value::Null]);
}

#[test]
fn what_the_user_denies_does_not_run_though_it_is_installed() {
    let (registry, _author) = published();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "install", "geo", "--yes"]).success();
    let user = sandbox.home().join("pocket.yaml");
    std::fs::write(&user, "plugins:\n  security:\n    denied_runtimes: [lua]\n").unwrap();
    let place = user.display().to_string();
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &["needs the runtime `lua`", &place, "denies"]);
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

/// Writes the organisation's rules to the user's folder.
fn organisation(sandbox: &Sandbox, rules: &str) {
    std::fs::create_dir_all(sandbox.home()).unwrap();
    std::fs::write(sandbox.home().join("trust.yaml"), format!("version: 1\n{rules}\n")).unwrap();
}

/// A project with `geo` installed from the registry.
fn installed(registry: &TestRegistry) -> Sandbox {
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "install", "geo", "--yes"]).success();
    sandbox
}

/// The key of the registry's log.
fn log_key(sandbox: &Sandbox) -> String {
    let lock = sandbox.read("pocket.lock");
    let line = lock.lines().find_map(|line| line.trim().strip_prefix("log_key = \"")).unwrap();
    line.trim_end_matches('"').to_owned()
}

#[test]
fn an_organisation_says_which_registries_may_be_used_and_with_which_keys() {
    let (registry, author) = published();
    author.publish("other", "1.0.0", "");
    let sandbox = installed(&registry);
    let key = log_key(&sandbox);
    organisation(&sandbox, &format!("registries:\n  - {{url: \"{}\", key: \"{key}\"}}", registry.url()));
    sandbox.pocket(&["run", "w.yaml"]).success();
    sandbox.pocket(&["plugin", "update"]).success();
    let before = sandbox.snapshot();
    let bundled = sandbox.pocket(&["plugin", "install", "data-processor", "--registry", "bundled"]);
    bundled.failure(6, &["`bundled` may not be used", "trust.yaml", registry.url()]);
    let archive = registry.archive_of("index/ot/he/other");
    let digest = archive.file_name().unwrap().to_string_lossy().trim_end_matches(".tar.gz").to_owned();
    let url = format!("{}a/{}/{digest}.tar.gz#sha256={digest}", registry.url(), &digest[..2]);
    sandbox.pocket(&["plugin", "install", &url]).failure(6, &["tar.gz` may not be used", registry.url()]);

    organisation(&sandbox, &format!("registries:\n  - {{url: \"{}\", key: \"{key}x\"}}", registry.url()));
    sandbox.pocket(&["run", "w.yaml"]).failure(6, &["has the key", &key, &format!("{key}x")]);
    sandbox.pocket(&["plugin", "update"]).failure(6, &["has the key", &key, &format!("{key}x")]);
    let fresh = Sandbox::with_registry(registry.url());
    organisation(&fresh, &format!("registries:\n  - {{url: \"{}\", key: \"{key}x\"}}", registry.url()));
    fresh.pocket(&["plugin", "install", "geo", "--yes"]).failure(6, &["has the key", &format!("{key}x")]);

    organisation(&sandbox, "registries: [{url: bundled}]");
    for arguments in [&["run", "w.yaml"][..], &["plugin", "install"], &["plugin", "update"], &["plugin", "lock"]] {
        sandbox.pocket(arguments).failure(6, &["may not be used", "allows `bundled`"]);
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn what_an_organisation_denies_is_neither_installed_nor_run() {
    let (registry, _author) = published();
    for (rules, why) in [
        ("denied: {runtimes: [lua]}", "the runtime `lua`"),
        ("denied: {permissions: [http_client]}", "the permission `http_client`"),
    ] {
        let sandbox = installed(&registry);
        let before = sandbox.snapshot();
        organisation(&sandbox, rules);
        sandbox.pocket(&["run", "w.yaml"]).failure(6, &["`geo` 1.0.0 needs", why, "trust.yaml` denies"]);
        sandbox.pocket(&["plugin", "install"]).failure(1, &["denied"]);
        sandbox.pocket(&["plugin", "update"]).failure(1, &["denied"]);
        assert_eq!(sandbox.snapshot(), before);
    }
}

#[test]
fn an_organisation_waits_before_it_takes_a_release() {
    let (registry, _author) = published();
    let sandbox = Sandbox::with_registry(registry.url());
    organisation(&sandbox, "min_release_age: 7d");
    sandbox.pocket(&["plugin", "install", "geo", "--yes"]).failure(1, &["geo"]);
    assert!(!sandbox.path("pocket.lock").exists());
}

#[test]
fn an_organisation_wants_signatures_of_its_own_keys() {
    let (registry, author) = published();
    let (key, fingerprint) = key_of(&author);
    let sandbox = installed(&registry);
    organisation(&sandbox, &format!("publishers: {{g*: {{keys: [\"{key}\", \"{STRANGER}\"], min_signatures: 2}}}}"));
    for arguments in [&["run", "w.yaml"][..], &["plugin", "install"], &["plugin", "update"]] {
        sandbox.pocket(arguments).failure(6, &["is signed by", &fingerprint, "trust.yaml` wants 2 of"]);
    }
    // The pattern that names more letters counts.
    let rules = format!("publishers: {{g*: {{keys: [\"{STRANGER}\"]}}, geo: {{keys: [\"{key}\"]}}}}");
    organisation(&sandbox, &rules);
    sandbox.pocket(&["run", "w.yaml"]).success();
}

#[test]
fn rules_that_must_be_signed_count_only_with_the_right_signature() {
    let (registry, author) = published();
    let sandbox = installed(&registry);
    sandbox.pocket(&["key", "new"]).success();
    let key = sandbox.pocket(&["key", "show", "-o", "json"]).success().json();
    let (key, wanted) = (key["public"].as_str().unwrap(), key["fingerprint"].as_str().unwrap());
    let (other, found) = key_of(&author);
    std::fs::write(sandbox.home().join("pocket.yaml"), format!("trust_key: {key}\n")).unwrap();
    let run = |code, said: &[&str]| drop(sandbox.pocket(&["run", "w.yaml"]).failure(code, said));
    run(6, &["there is no trust.yaml signed by", wanted, "/etc/pocket/trust.yaml"]);
    organisation(&sandbox, "denied: {runtimes: [native]}");
    run(6, &["must be signed by", wanted, "trust.yaml.sig` is missing"]);

    let file = sandbox.home().join("trust.yaml");
    let file = file.to_str().unwrap();
    sandbox.pocket(&["key", "sign", file]).success();
    sandbox.pocket(&["run", "w.yaml"]).success();
    organisation(&sandbox, "denied: {}");
    run(6, &["is not what was signed"]);
    sandbox.write("trust.yaml.sig", "");
    author.pocket(&["key", "sign", file]).success();
    run(6, &["is signed by", &found, wanted]);
    std::fs::write(format!("{file}.sig"), "no signature").unwrap();
    run(6, &["is no signature"]);

    sandbox.pocket(&["key", "sign", file]).success();
    let manifest = sandbox.read("pocket.yaml");
    sandbox.write("pocket.yaml", &format!("{manifest}trust_key: {other}\n"));
    run(6, &["is not the project's to say"]);
}

#[test]
fn mistakes_in_the_rules_are_told_with_their_place() {
    let mut sandbox = Sandbox::new();
    organisation(&sandbox, "denied: {runtime: [lua]}");
    let said = [
        "trust.yaml` cannot be used",
        "line 2, column 10: unknown key `runtime` in `denied`; did you mean `runtimes`?",
    ];
    sandbox.pocket(&["plugin", "list"]).failure(1, &said);
    sandbox.set("POCKET_TRUST", sandbox.path("no-such.yaml").display());
    sandbox.pocket(&["plugin", "list"]).failure(1, &["cannot read", "no-such.yaml"]);
}

/// What an audit found of one plugin: the finding's kind and severity.
fn found(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> (Vec<(String, String)>, serde_json::Value) {
    let outcome = sandbox.pocket(&[&["plugin", "audit", "-o", "json"], arguments].concat());
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    let document = outcome.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    (findings.map(|one| (text(&one["found"]), text(&one["severity"]))).collect(), document)
}

fn findings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(found, severity)| ((*found).to_owned(), (*severity).to_owned())).collect()
}

#[test]
fn an_audit_tells_what_the_registry_says_today() {
    let (registry, author) = published();
    let sandbox = installed(&registry);
    let old = ["--min-age", "0"];
    assert_eq!(found(&sandbox, 0, &old).0, []);
    assert_eq!(found(&sandbox, 1, &["--deny", "low"]).0, findings(&[("young", "low")]));

    author.publish("geo", "1.1.0", ASKS);
    author.pocket(&["plugin", "deprecate", "geo@1.0.0", "--reason", "use 1.1"]).success();
    author.pocket(&["plugin", "yank", "geo@1.0.0", "--reason", "wrong by a mile"]).success();
    let expected = findings(&[("yanked", "medium"), ("deprecated", "low"), ("outdated", "low")]);
    let (kinds, document) = found(&sandbox, 0, &old);
    assert_eq!(kinds, expected);
    assert_eq!(document["advisories"][0]["details"], "wrong by a mile");
    found(&sandbox, 1, &["--min-age", "0", "--deny", "medium"]);

    author.pocket(&["plugin", "revoke", "geo@1.0.0", "--reason", "steals keys"]).success();
    let (kinds, document) = found(&sandbox, 1, &old);
    assert_eq!(kinds[0], ("revoked".to_owned(), "high".to_owned()));
    let advisory = &document["advisories"][0];
    assert_eq!(advisory["affected"][0]["package"], serde_json::json!({"ecosystem": "Pocket", "name": "geo"}));
    assert_eq!(advisory["affected"][0]["versions"][0], "1.0.0");
    let table = sandbox.pocket(&["plugin", "audit"]);
    assert!(table.code == 1 && table.stdout.contains("steals keys"), "{}", table.stdout);
}

#[test]
fn what_an_audit_cannot_know_is_a_finding() {
    let (registry, author) = published();
    let sandbox = installed(&registry);
    let lock = sandbox.read("pocket.lock");
    sandbox.write("pocket.lock", &lock.replace("\"env HOME\"", "\"env LANG\""));
    assert_eq!(found(&sandbox, 1, &["--min-age", "0"]).0, findings(&[("changed", "high")]));
    sandbox.write("pocket.lock", &lock);
    sandbox.pocket(&["key", "revoke", &key_of(&author).0]).success();
    assert_eq!(found(&sandbox, 1, &["--min-age", "0"]).0, findings(&[("denied", "high")]));
    std::fs::remove_file(sandbox.home().join("trust/keys.toml")).unwrap();
    drop(registry);
    assert_eq!(found(&sandbox, 1, &["--min-age", "0"]).0, findings(&[("unknown", "high")]));
    std::fs::remove_file(sandbox.path("pocket.lock")).unwrap();
    sandbox.pocket(&["plugin", "audit"]).failure(6, &["there is no", "pocket.lock"]);
}

#[test]
fn an_audit_names_what_nobody_signed() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    let script = "-- @name: greeter\n-- @version: 1.2.0\n-- @node: greet\nfunction greet() return {} end\n";
    sandbox.write("greeter.lua", script);
    assert_eq!(found(&sandbox, 0, &["--deny", "low"]).0, []);
    sandbox.pocket(&["plugin", "install", "greeter.lua"]).success();
    assert_eq!(found(&sandbox, 1, &["--deny", "low"]).0, findings(&[("local", "low")]));
    sandbox.write("pocket.yaml", &format!("{}  security: {{denied_runtimes: [lua]}}\n", sandbox.read("pocket.yaml")));
    assert_eq!(found(&sandbox, 1, &[]).0, findings(&[("denied", "high"), ("local", "low")]));
}
