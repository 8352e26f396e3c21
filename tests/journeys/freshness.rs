//! Registries that show nothing new, clocks that are wrong, event keys and times that the log does not bear out.

use std::fs;
use std::path::Path;

use pocket_registry::{Seed, Source};

use crate::support::{Author, HandMadeIndex, Nginx, Sandbox, TestRegistry, make_registry, now};

const DAY: u64 = 86_400;
const OLD: &str = "its checkpoint was signed 9d ago, at ";

/// A registry, and a project that has a plugin of it in an older version.
fn installed() -> (TestRegistry, Sandbox) {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::with_registry(registry.url());
    sandbox.pocket(&["plugin", "install", "data-processor@^0.9"]).success();
    (registry, sandbox)
}

#[test]
fn a_registry_that_shows_nothing_new_for_too_long_is_not_chosen_from() {
    let (registry, sandbox) = installed();
    registry.sign_at(Some(now() - 9 * DAY));
    let before = sandbox.snapshot();
    for verb in [
        &["plugin", "update"][..],
        &["plugin", "update", "--dry-run"],
        &["plugin", "outdated"],
        &["plugin", "lock"],
        &["plugin", "install", "ml-analyzer"],
        &["plugin", "install", "ml-analyzer", "--dry-run"],
        &["plugin", "install", "data-processor@^1"],
    ] {
        let said = ["is too old to choose versions from", OLD, "; 7d are allowed", "hint: ", "registry refresh"];
        sandbox.pocket(verb).failure(6, &said);
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn what_is_locked_is_installed_from_an_old_registry_with_a_warning() {
    let (registry, sandbox) = installed();
    registry.sign_at(Some(now() - 9 * DAY));
    let lock = sandbox.read("pocket.lock");
    for (verb, home) in
        [(&["plugin", "install", "--locked"][..], "locked"), (&["plugin", "install"], "plain")].into_iter()
    {
        let mut machine = sandbox.copy();
        machine.set("POCKET_HOME", machine.root().join(home).display());
        let outcome = machine.pocket_through(&["env"], verb).success();
        assert!(outcome.stderr.contains("warning: ") && outcome.stderr.contains(OLD), "{}", outcome.stderr);
        assert_eq!(machine.read("pocket.lock"), lock);
    }
    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
}

#[test]
fn looking_and_verifying_tell_how_old_the_registry_is() {
    let (registry, sandbox) = installed();
    registry.sign_at(Some(now() - 9 * DAY));
    for verb in [
        &["plugin", "info", "ml-analyzer"][..],
        &["plugin", "search", "redis"],
        &["plugin", "verify", "data-processor"],
    ] {
        let outcome = sandbox.pocket(verb).success();
        assert!(outcome.stderr.contains(OLD), "{}", outcome.stderr);
    }
    let verified = sandbox.pocket(&["plugin", "verify", "data-processor", "--offline"]).success();
    assert!(verified.stdout.contains("the log says that it signed it at 20"), "{}", verified.stdout);
    // Whether something was withdrawn since, nobody can know.
    let audited = sandbox.pocket(&["plugin", "audit", "--output", "json"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    assert!(audited.stdout.contains("\"unknown\"") && audited.stdout.contains(OLD), "{}", audited.stdout);
}

#[test]
fn max_age_is_what_the_configuration_says() {
    let (registry, sandbox) = installed();
    registry.sign_at(Some(now() - 9 * DAY));
    let configure = |age: &str| {
        sandbox
            .write("pocket.yaml", &format!("registries: {{default: {{url: '{}', max_age: {age}}}}}\n", registry.url()));
    };
    configure("10d");
    sandbox.pocket(&["plugin", "install", "ml-analyzer", "--dry-run"]).success();
    configure("1d");
    registry.sign_at(Some(now() - 2 * DAY));
    sandbox.pocket(&["plugin", "install", "ml-analyzer"]).failure(6, &["signed 2d ago", "; 1d are allowed"]);
}

#[test]
fn a_checkpoint_that_does_not_say_when_it_was_signed_is_too_old() {
    let (registry, sandbox) = installed();
    registry.sign_at(None);
    let said = ["is too old to choose versions from", "does not say when it was signed"];
    sandbox.pocket(&["plugin", "update"]).failure(6, &said);
    let locked = sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    assert!(locked.stderr.contains("does not say when it was signed"), "{}", locked.stderr);
}

#[test]
fn a_checkpoint_of_the_future_is_refused_for_everything() {
    let (registry, sandbox) = installed();
    let ahead = now() + DAY;
    registry.sign_at(Some(ahead));
    let before = sandbox.snapshot();
    let both = [
        "is ahead of this machine's clock",
        "its checkpoint was signed at ",
        "the clock of this machine says ",
        "set the clock",
    ];
    for verb in [&["plugin", "update"][..], &["plugin", "info", "ml-analyzer"], &["plugin", "install", "ml-analyzer"]] {
        sandbox.pocket(verb).failure(6, &both);
    }
    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).failure(6, &both);
    assert_eq!(sandbox.snapshot(), before);
    // Four minutes are within what clocks differ.
    registry.sign_at(Some(now() + 240));
    sandbox.pocket(&["plugin", "update", "--dry-run"]).success();
}

#[test]
fn without_the_network_an_old_registry_is_used_and_its_age_is_told() {
    let (registry, sandbox) = installed();
    registry.sign_at(Some(now() - 9 * DAY));
    sandbox.pocket(&["plugin", "info", "ml-analyzer"]).success();
    let outcome = sandbox.pocket(&["plugin", "outdated", "--offline"]).success();
    assert!(outcome.stderr.contains(OLD), "{}", outcome.stderr);
}

#[test]
fn a_larger_log_that_was_signed_before_a_smaller_one_is_refused_and_both_are_kept() {
    let registry = TestRegistry::empty();
    let author = Author::of(&registry);
    author.publish("greeting", "1.0.0", "");
    let user = Sandbox::with_registry(registry.url());
    user.pocket(&["plugin", "info", "greeting"]).success();
    author.publish("other", "1.0.0", "");
    registry.sign_at(Some(now() - 3_600));
    let outcome = user.pocket(&["plugin", "info", "greeting"]);
    outcome.failure(
        6,
        &["shows another history", "the log had 1 leaves at ", "its checkpoint of 2 leaves was signed before, at "],
    );
    let kept: Vec<_> = fs::read_dir(user.home().join("evidence")).unwrap().collect();
    let text = fs::read_to_string(kept[0].as_ref().unwrap().path()).unwrap();
    assert_eq!(text.matches("\n— pocket-registry/").count(), 4, "two checkpoints with two signatures each: {text}");
    // The same tree as it was signed earlier, but after the smaller one, is an older copy and no contradiction.
    registry.sign_at(Some(now() + 200));
    user.pocket(&["plugin", "info", "greeting"]).success();
    registry.sign_at(Some(now() + 100));
    user.pocket(&["plugin", "info", "other"]).success();
}

#[test]
fn a_release_that_says_it_came_out_before_the_log_was_seen_without_it_is_refused() {
    let index = HandMadeIndex::new();
    index.release("greeting", "1.0.0", b"one");
    let user = Sandbox::with_registry(&index.url());
    user.pocket(&["plugin", "info", "greeting"]).success();
    // A release of today that says it is of last week, so that no cooldown holds it back.
    index.sign_at(Some(now() - 7 * DAY));
    index.release_at("other", "1.0.0", b"two", now() - 7 * DAY);
    index.sign_at(Some(now()));
    let before = user.snapshot();
    let said = ["line 1 of the index file of `other`", "`at` is 20", "this one is leaf 1: the line is backdated"];
    user.pocket(&["plugin", "install", "other"]).failure(6, &said);
    assert_eq!(user.snapshot(), before);
    // Who saw nothing before cannot know, but a monitor sees that the log's own lines go backwards.
    let monitor = Sandbox::new();
    let outcome = monitor.pocket(&["registry", "verify", &index.url(), "--no-archives"]);
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("event 1 is of 20"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("but leaf 0, before its leaf 1, is of 20"), "{}", outcome.stdout);
}

#[test]
fn a_release_from_after_its_checkpoint_is_refused() {
    let index = HandMadeIndex::new();
    index.release_at("greeting", "1.0.0", b"one", now() + 240);
    index.sign_at(Some(now() - 600));
    let user = Sandbox::with_registry(&index.url());
    user.pocket(&["plugin", "info", "greeting"])
        .failure(6, &["`at` is 20", "but the checkpoint that publishes it was signed at 20"]);
}

/// Puts another event key into `config.json`, and returns its fingerprint.
fn swap_event_key(registry: &TestRegistry) -> String {
    let text = fs::read_to_string(registry.file("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let other = pocket_index::signature::SecretKey::from_seed(&[9; 32]).public();
    config["keys"] = serde_json::json!([other]);
    fs::write(registry.file("config.json"), config.to_string()).unwrap();
    other.fingerprint().to_string()
}

#[test]
fn event_keys_that_the_log_does_not_state_are_refused() {
    let (registry, sandbox) = installed();
    let stated = fs::read_to_string(registry.file("log/checkpoint")).unwrap();
    let stated = stated.lines().find_map(|line| line.strip_prefix("keys ")).unwrap().to_owned();
    let other = swap_event_key(&registry);
    let before = sandbox.snapshot();
    let said = ["is refused", "`keys` of `config.json` have the digest sha256:", &other, &stated];
    sandbox.pocket(&["plugin", "update"]).failure(6, &said);
    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).failure(6, &said);
    sandbox.pocket(&["registry", "verify", registry.url()]).failure(6, &said);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn event_keys_that_change_with_the_log_are_told_loudly_and_once() {
    let (registry, sandbox) = installed();
    let text = fs::read_to_string(registry.file("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let old: pocket_index::signature::PublicKey = config["keys"][0].as_str().unwrap().parse().unwrap();
    let new = swap_event_key(&registry);
    registry.sign_at(Some(now()));
    let told = format!("signs its own events with other keys: {new} now, {} before", old.fingerprint());
    let first = sandbox.pocket(&["plugin", "update", "--dry-run"]).success();
    assert!(first.stderr.contains(&told), "{}", first.stderr);
    let second = sandbox.pocket(&["plugin", "update", "--dry-run"]).success();
    assert!(!second.stderr.contains("other keys"), "{}", second.stderr);
}

/// Makes a registry in a folder, and gives up the right to write to it.
fn make(folder: &Path) {
    let source = Source::Folder { path: folder.to_owned(), seed: Seed::Bundled };
    make_registry(&source);
}

#[test]
fn a_refresh_makes_an_old_static_registry_good_again() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let checkpoint = folder.path().join("tree/log/checkpoint");
    let timeless = fs::read_to_string(&checkpoint).unwrap();
    let (timeless, _) = timeless.trim_end().rsplit_once('\n').unwrap();
    fs::write(&checkpoint, format!("{timeless}\n")).unwrap();
    let nginx = Nginx::serve(&folder.path().join("tree"));
    let sandbox = Sandbox::with_registry(&nginx.url);
    sandbox.pocket(&["plugin", "install", "data-processor"]).failure(6, &["does not say when it was signed"]);

    let path = folder.path().to_str().unwrap();
    let refreshed = sandbox.pocket(&["registry", "refresh", path, "--output", "json"]).json();
    assert_eq!(refreshed["leaves"], 8, "{refreshed}");
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    sandbox.pocket(&["registry", "verify", &nginx.url]).success();
}

#[test]
fn a_refresh_leaves_a_running_registry_and_other_folders_alone() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::new();
    let before = fs::read(registry.file("log/checkpoint")).unwrap();
    let folder = registry.folder().to_str().unwrap().to_owned();
    sandbox.pocket(&["registry", "refresh", &folder]).failure(1, &["another server uses", "hint: stop that server"]);
    assert_eq!(fs::read(registry.file("log/checkpoint")).unwrap(), before);
    let other = sandbox.project();
    sandbox.pocket(&["registry", "refresh", other.to_str().unwrap()]).failure(1, &["is no registry"]);
    assert_eq!(fs::read_dir(other).unwrap().count(), 0);
}

#[test]
fn a_monitor_tells_how_old_the_checkpoint_is() {
    let registry = TestRegistry::bundled();
    let sandbox = Sandbox::new();
    let fresh = sandbox.pocket(&["registry", "verify", registry.url(), "--output", "json"]).json();
    assert!(fresh["age"].as_u64().unwrap() < 3_600, "{fresh}");
    registry.sign_at(Some(now() - 9 * DAY));
    let old = sandbox.pocket(&["registry", "verify", registry.url()]);
    assert_eq!(old.code, 6, "{}", old.stderr);
    assert!(old.stdout.contains(&format!("log/checkpoint: {OLD}")), "{}", old.stdout);
}

#[test]
fn a_copy_of_the_bundled_registry_and_what_is_vendored_have_no_age() {
    let (registry, sandbox) = installed();
    sandbox.pocket(&["plugin", "vendor", "vendor"]).success();
    let config = format!(
        "registries: {{default: '{}'}}\nplugins: {{vendor: ./vendor, dependencies: {{data-processor: ^0.9}}}}\n",
        registry.url()
    );
    sandbox.write("pocket.yaml", &config);
    let checkpoint = sandbox.path("vendor/default/log/checkpoint");
    registry.sign_at(Some(now() - 9 * DAY));
    fs::copy(registry.file("log/checkpoint"), checkpoint).unwrap();
    let outcome = sandbox.pocket_elsewhere(&["plugin", "install", "--frozen"]).success();
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);

    let bundled = Sandbox::with_registry(&format!("file://{}/index/tree", env!("CARGO_MANIFEST_DIR")));
    bundled.pocket(&["plugin", "install", "data-processor"]).success();
}
