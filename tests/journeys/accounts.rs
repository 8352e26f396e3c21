//! `plugin login` and `logout`, tokens in the environment, private registries, and where a token never goes.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Author, Outcome, Reply, Sandbox, ScriptedServer, TestRegistry};

/// A token of a registry, made by its operator.
pub fn token(registry: &TestRegistry, arguments: &[&str]) -> String {
    let folder = registry.folder();
    let command = [&["registry", "token", "new"], arguments, &["--dir", folder.to_str().unwrap()]].concat();
    Sandbox::new().pocket(&command).success().stdout.trim().to_owned()
}

fn login(sandbox: &Sandbox, url: &str, token: &str) -> Outcome {
    sandbox.pocket_with_input(&["plugin", "login", "--registry", url, "--token-stdin", "-o", "json"], token)
}

#[test]
fn a_private_registry_is_used_with_a_token_and_not_without() {
    let registry = TestRegistry::private();
    let reading = token(&registry, &["reading", "--scope", "read", "--expires", "30d"]);
    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "install", "ml-analyzer"])
        .failure(1, &["answered 401", "token_needed", "no token was sent", "pocket plugin login --registry"]);
    user.pocket(&["plugin", "search", "redis"]).failure(1, &["answered 401"]);

    let told = login(&user, registry.url(), &format!("{reading}\n")).success().json();
    assert_eq!(
        (&told["name"], &told["scopes"][0], &told["registry"]),
        (&"reading".into(), &"read".into(), &registry.url().into())
    );
    user.pocket(&["plugin", "install", "ml-analyzer"]).success();
    assert!(user.pocket(&["plugin", "search", "redis"]).success().stdout.contains("redis-cache"));
    assert!(!user.read("pocket.lock").contains(&reading));
    // Another machine has a token in its environment, for the registry that is named there.
    let mut machine = user.beside_with_another_home();
    machine.set("POCKET_TOKEN", &reading);
    machine.pocket(&["plugin", "install", "--locked"]).failure(1, &["no token was sent"]);
    machine.set("POCKET_REGISTRY", registry.url());
    machine.pocket(&["plugin", "install", "--locked"]).success();
    // Somebody else has no token; who logs out has none any more.
    user.pocket_elsewhere(&["plugin", "install", "--locked"]).failure(1, &["answered 401"]);
    user.pocket(&["plugin", "logout", "--registry", registry.url()]).success();
    user.pocket(&["plugin", "update"]).failure(1, &["answered 401", "no token was sent"]);
    user.pocket(&["plugin", "logout", "--registry", registry.url()]).failure(1, &["there is no token for"]);
}

#[test]
fn archives_of_a_private_registry_need_the_token_as_well() {
    let registry = TestRegistry::private();
    let user = Sandbox::with_registry(registry.url());
    let reading = token(&registry, &["reading", "--scope", "read"]);
    login(&user, registry.url(), &reading).success();
    user.pocket(&["plugin", "lock", "--registry", registry.url()]).success();
    user.write(
        "pocket.yaml",
        &format!("registries: {{default: {}}}\nplugins: {{dependencies: {{ml-analyzer: '*'}}}}\n", registry.url()),
    );
    user.pocket(&["plugin", "lock"]).success();
    let id = reading.split('_').nth(1).unwrap();
    let folder = registry.folder();
    user.pocket(&["registry", "token", "revoke", id, "--dir", folder.to_str().unwrap()]).success();
    user.pocket(&["plugin", "install", "--locked"]).failure(1, &["answered 401", "was revoked", "token_revoked"]);
    assert!(!user.home().join("plugins/ml-analyzer").exists());
}

#[test]
fn a_login_with_a_bad_token_changes_nothing() {
    let (private, open) = (TestRegistry::private(), TestRegistry::empty());
    let user = Sandbox::new();
    let file = user.home().join("credentials.toml");
    let bad = "pocket_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for registry in [&private, &open] {
        let refused = login(&user, registry.url(), bad).failure(1, &["this registry does not know the token"]);
        assert!(!refused.stderr.contains(&bad[24..]), "{}", refused.stderr);
        login(&user, registry.url(), "\n").failure(1, &["cannot be a token"]);
        assert!(!file.exists());
    }
    let good = token(&private, &["ci", "--scope", "publish"]);
    login(&user, private.url(), &good).success();
    let kept = std::fs::read_to_string(&file).unwrap();
    login(&user, private.url(), bad).failure(1, &["does not know the token"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
    user.pocket(&["plugin", "login", "--registry", private.url()]).failure(1, &["--token-stdin"]);
    login(&user, "http://plugins.example.com/", &good).failure(1, &["would travel unencrypted"]);
    login(&user, "bundled", &good).failure(1, &["`bundled` takes no tokens"]);
}

#[test]
fn a_token_is_typed_unseen() {
    let registry = TestRegistry::private();
    let reading = token(&registry, &["reading", "--scope", "read"]);
    let user = Sandbox::new();
    let command = ["plugin", "login", "--registry", registry.url()];
    let shown = user.pocket_that_asks(&command, "(it is not shown): ", &format!("{reading}\n")).success().stdout;
    assert!(shown.contains("token for http") && shown.contains("as `reading`") && !shown.contains(&reading), "{shown}");
    assert!(std::fs::read_to_string(user.home().join("credentials.toml")).unwrap().contains(&reading));
}

#[test]
fn a_token_goes_to_its_registry_alone_and_along_no_redirect() {
    let registry = TestRegistry::bundled();
    let elsewhere = ScriptedServer::start(registry.tree(), |_, _| None);
    let target = elsewhere.url();
    // Wants a token, and hands archives and search list out through others: another server, and itself.
    let front = ScriptedServer::start(registry.tree(), move |request, _| {
        let path = request.path().to_owned();
        let to = |place: String| Reply { status: 302, headers: vec![format!("Location: {place}")], ..Reply::default() };
        match request.header("authorization") {
            _ if path.starts_with("/open/") => Some(to(format!("{target}search.json"))),
            None => Some(Reply { status: 401, ..Reply::default() }),
            Some(_) if path.starts_with("/a/") => Some(to(format!("{target}{}", path.trim_start_matches('/')))),
            Some(_) if path == "/search.json" => Some(to("/open/search.json".to_owned())),
            Some(_) => None,
        }
    });
    let mut user = Sandbox::new();
    user.set("POCKET_REGISTRY", front.url());
    user.set("POCKET_TOKEN", "hunter2");
    user.set("POCKET_LOG_LEVEL", "trace");
    let installed = user.pocket(&["plugin", "install", "ml-analyzer"]).success();
    let searched = user.pocket(&["plugin", "search", "redis"]).success();
    let arrived = elsewhere.requests("");
    assert!(arrived.iter().any(|request| request.path().starts_with("/a/")), "{arrived:?}");
    assert!(arrived.iter().all(|request| request.header("authorization").is_none()), "{arrived:?}");
    let redirected = front.requests("/open/");
    assert!(!redirected.is_empty() && redirected.iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(front.requests("/config.json")[0].header("authorization"), Some("Bearer hunter2"));
    for outcome in [installed, searched] {
        assert!(!outcome.stderr.contains("hunter2") && !outcome.stdout.contains("hunter2"));
    }
    // Nor to another registry of the same command.
    user.set("POCKET_REGISTRY", elsewhere.url());
    user.set("POCKET_TOKEN", "");
    user.set("POCKET_TOKEN_OTHER", "hunter2");
    user.pocket(&["plugin", "search", "redis"]).success();
    assert!(elsewhere.requests("").iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_project_gets_no_token_by_naming_a_server() {
    let registry = TestRegistry::bundled();
    let evil = ScriptedServer::start(registry.tree(), |_, _| None);
    let mut user = Sandbox::with_registry(&evil.url());
    user.set("POCKET_TOKEN", "hunter2");
    user.set("POCKET_TOKEN_DEFAULT", "hunter2");
    user.pocket(&["plugin", "search", "redis"]).success();
    assert!(evil.requests("").iter().all(|request| request.header("authorization").is_none()));
    // Once the user's own file says where it is, it is the user's.
    std::fs::write(user.home().join("pocket.yaml"), format!("registries: {{default: {}}}\n", evil.url())).unwrap();
    user.pocket(&["plugin", "search", "redis"]).success();
    assert_eq!(evil.requests("").last().unwrap().header("authorization"), Some("Bearer hunter2"));
}

#[test]
fn who_publishes_needs_the_right_token_and_the_right_key() {
    let registry = TestRegistry::asking_for_tokens();
    let mut author = Author::of(&registry);
    author.try_publish("acme-geo", "1.0.0", "").failure(1, &["refused the publish", "token_needed", "plugin login"]);
    let wrong = token(&registry, &["yanker", "--scope", "yank"]);
    author.login(registry.url(), &wrong);
    author.try_publish("acme-geo", "1.0.0", "").failure(1, &["allows `yank`, this needs `publish`", "token_scope"]);
    let wrong = token(&registry, &["other", "--scope", "publish", "--plugin", "other-*"]);
    author.login(registry.url(), &wrong);
    author.try_publish("acme-geo", "1.0.0", "").failure(1, &["is for `other-*`, not for `acme-geo`", "token_plugin"]);
    let right = token(&registry, &["ci", "--scope", "publish,yank", "--plugin", "acme-*"]);
    author.login(registry.url(), &right);
    author.publish("acme-geo", "1.0.0", "");
    author.pocket(&["plugin", "yank", "acme-geo@1.0.0"]).success();
    author.pocket(&["plugin", "unyank", "acme-geo@1.0.0"]).success();
    author.pocket(&["plugin", "deprecate", "acme-geo", "--reason", "use acme-map"]).success();
    author.pocket(&["plugin", "owner", "threshold", "acme-geo", "1"]).failure(1, &["this needs `owner`"]);
    // The token does not make somebody else an owner.
    let other = Author::of(&registry);
    other.login(registry.url(), &right);
    other.try_publish("acme-geo", "1.1.0", "").failure(1, &["not_allowed"]);
    let folder = registry.folder();
    author.pocket(&["registry", "token", "revoke", "ci", "--dir", folder.to_str().unwrap()]).success();
    author.try_publish("acme-geo", "1.1.0", "").failure(1, &["token_revoked", "plugin login"]);
    // What the environment holds goes before what was kept.
    let fresh = token(&registry, &["fresh", "--scope", "publish"]);
    author.set("POCKET_REGISTRY", registry.url());
    author.set("POCKET_TOKEN", &fresh);
    author.publish("acme-geo", "1.1.0", "");
}

#[test]
fn a_publish_waits_until_it_can_be_installed_and_says_when_it_cannot() {
    let registry = TestRegistry::empty();
    let api = format!("{}api/v1/", registry.url());
    let hidden = std::sync::Arc::new(AtomicUsize::new(3));
    let left = std::sync::Arc::clone(&hidden);
    // A cache in front: it leads to the server for publishing, and shows new plugins late.
    let front = ScriptedServer::start(registry.tree(), move |request, file| match request.path() {
        "/config.json" => {
            let text = String::from_utf8_lossy(file).replace("\"api/v1/\"", &format!("\"{api}\""));
            Some(Reply { status: 200, body: text.into_bytes(), ..Reply::default() })
        }
        path if path.starts_with("/index/") => {
            let hides = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            hides.then(|| Reply { status: 404, ..Reply::default() })
        }
        _ => None,
    });
    let author = Author::at(&front.url());
    let told = author.try_publish("geo", "1.0.0", "").success();
    assert!(
        told.stderr.contains("Published") && !told.stderr.contains('\r'),
        "no bar where nobody sees it: {}",
        told.stderr
    );
    assert_eq!(hidden.load(Ordering::SeqCst), 0);
    hidden.store(usize::MAX, Ordering::SeqCst);
    author.prepare("geo-more", "1.0.0", "");
    author
        .pocket(&["plugin", "publish", "geo-more-1.0.0", "--wait", "1s"])
        .failure(1, &["took `geo-more` 1.0.0 and did not show it within 1s", "`--wait TIME` waits longer"]);
}
