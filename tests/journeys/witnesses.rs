//! Witnesses: a registry that shows two histories gets cosignatures on one, and clients take no other.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Author, Sandbox, Served};

/// Witnesses and registries as processes, their folders in one sandbox.
struct World {
    sandbox: Sandbox,
}

impl World {
    fn new() -> Self {
        Self { sandbox: Sandbox::new() }
    }

    fn path(&self, name: &str) -> String {
        self.sandbox.path(name).to_str().unwrap().to_owned()
    }

    /// Makes a witness and returns its key.
    fn witness(&self, name: &str) -> String {
        let folder = self.path(name);
        let made = self.sandbox.pocket(&["witness", "init", "--dir", &folder, "--name", &format!("w.example/{name}")]);
        made.success().stdout.trim_end().to_owned()
    }

    /// Starts it on a free port, or on the one that it had before.
    fn start_witness(&self, name: &str, address: &str) -> Served {
        Served::start(&self.sandbox, &["witness", "start", "--dir", &self.path(name), "--address", address])
    }

    /// Lets a witness cosign a registry's log.
    fn add_log(&self, name: &str, registry: &str) {
        self.sandbox.pocket(&["witness", "log", "add", &self.log_key(registry), "--dir", &self.path(name)]).success();
    }

    fn log_key(&self, registry: &str) -> String {
        let config: Value =
            serde_json::from_slice(&fs::read(self.tree(registry).join("config.json")).unwrap()).unwrap();
        config["log"]["key"].as_str().unwrap().to_owned()
    }

    fn tree(&self, registry: &str) -> PathBuf {
        self.sandbox.path(registry).join("tree")
    }

    fn checkpoint(&self, registry: &str) -> String {
        fs::read_to_string(self.tree(registry).join("log/checkpoint")).unwrap()
    }

    /// A new registry that was started once, so that its key is known.
    fn found_registry(&self, name: &str) {
        drop(self.start_registry(name, &[]));
    }

    fn start_registry(&self, name: &str, more: &[&str]) -> Served {
        let folder = self.path(name);
        let arguments = [&["registry", "serve", "--dir", &folder, "--addr", "127.0.0.1:0"], more].concat();
        Served::start(&self.sandbox, &arguments)
    }

    fn evidence(&self, witness: &str) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.sandbox.path(witness).join("evidence")) else { return Vec::new() };
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

/// A user whose organisation demands so many of these witnesses.
fn user(registry: &Served, threshold: usize, keys: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with_registry(&registry.url);
    fs::create_dir_all(sandbox.home()).unwrap();
    let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    let rules = format!("version: 1\nwitnesses: {{keys: [{}], threshold: {threshold}}}\n", keys.join(", "));
    fs::write(sandbox.home().join("trust.yaml"), rules).unwrap();
    sandbox
}

#[test]
fn two_of_three_witnesses_let_a_client_install() {
    let world = World::new();
    let (one, two, three) = (world.witness("one"), world.witness("two"), world.witness("three"));
    world.found_registry("registry");
    world.add_log("one", "registry");
    world.add_log("two", "registry");
    let (first, second) = (world.start_witness("one", "127.0.0.1:0"), world.start_witness("two", "127.0.0.1:0"));
    let (at_one, at_two) = (format!("{}={one}", first.url), format!("{}={two}", second.url));
    let registry =
        world.start_registry("registry", &["--witness", &at_one, "--witness", &at_two, "--witness-quorum", "2"]);
    let author = Author::at(&registry.url);
    author.publish("greeting", "1.0.0", "");
    author.publish("greeting", "1.1.0", "");

    let user = user(&registry, 2, &[&one, &two, &three]);
    user.pocket(&["plugin", "install", "greeting"]).success();
    user.pocket(&["plugin", "install", "--locked"]).success();
    let verified = user.pocket(&["plugin", "verify", "greeting", "--offline"]).success();
    for name in ["w.example/one", "w.example/two"] {
        assert!(verified.stdout.contains(&format!("the witness `{name}` (")), "{}", verified.stdout);
    }
    assert!(!verified.stdout.contains("w.example/three"), "{}", verified.stdout);
    let audited = user.pocket(&["registry", "verify", &registry.url, "-o", "json"]).success().json();
    let witnesses = audited["witnesses"].as_array().unwrap();
    assert!(witnesses.len() == 2 && witnesses.iter().all(|seen| seen["fingerprint"].is_string()), "{audited}");
    // Who knows none of the keys is told the names.
    let stranger = Sandbox::new().pocket(&["registry", "verify", &registry.url]).success();
    assert!(stranger.stdout.contains("`w.example/one` witnessed it at"), "{}", stranger.stdout);
}

#[test]
fn a_checkpoint_that_too_few_witnesses_saw_is_refused_with_the_missing_ones() {
    let world = World::new();
    let (one, two) = (world.witness("one"), world.witness("two"));
    world.found_registry("registry");
    world.add_log("one", "registry");
    let first = world.start_witness("one", "127.0.0.1:0");
    let second = world.start_witness("two", "127.0.0.1:0");
    let (at_one, at_two) = (format!("{}={one}", first.url), format!("{}={two}", second.url));
    second.kill();
    let registry = world.start_registry("registry", &["--witness", &at_one, "--witness", &at_two]);
    Author::at(&registry.url).publish("greeting", "1.0.0", "");

    let both = user(&registry, 2, &[&one, &two]);
    let before = both.snapshot();
    for verb in ["install", "lock"] {
        let arguments: &[&str] =
            if verb == "install" { &["plugin", verb, "greeting"] } else { &["plugin", "info", "greeting"] };
        both.pocket(arguments).failure(
            6,
            &[
                "is not witnessed as it must be",
                "has 1 of the 2 cosignatures",
                "missing: `w.example/two`",
                "it did not cosign",
            ],
        );
    }
    assert_eq!(both.snapshot(), before);
    // Somebody who takes one of them installs; once both are demanded, an audit tells.
    let one_of_two = user(&registry, 1, &[&one, &two]);
    one_of_two.pocket(&["plugin", "install", "greeting"]).success();
    fs::copy(both.home().join("trust.yaml"), one_of_two.home().join("trust.yaml")).unwrap();
    let audit = one_of_two.pocket(&["plugin", "audit", "-o", "json"]);
    assert_eq!((audit.code, audit.json()["findings"][0]["found"].as_str()), (1, Some("unwitnessed")));
    one_of_two.pocket(&["plugin", "update"]).failure(6, &["missing: `w.example/two`"]);
    let said = registry.kill();
    assert!(said.contains("`w.example/two` at http://"), "{said}");
}

#[test]
fn user_and_project_can_demand_witnesses_too() {
    let world = World::new();
    let one = world.witness("one");
    let registry = world.start_registry("registry", &[]);
    Author::at(&registry.url).publish("greeting", "1.0.0", "");
    let sandbox = Sandbox::new();
    let demand = format!("plugins:\n  security:\n    witnesses: {{keys: [\"{one}\"], threshold: 1}}\n");
    sandbox.write("pocket.yaml", &format!("registries:\n  default: {}\n{demand}", registry.url));
    sandbox.pocket(&["plugin", "install", "greeting"]).failure(6, &["pocket.yaml` demands; missing: `w.example/one`"]);
    let sandbox = Sandbox::with_registry(&registry.url);
    fs::create_dir_all(sandbox.home()).unwrap();
    fs::write(sandbox.home().join("pocket.yaml"), demand).unwrap();
    sandbox.pocket(&["plugin", "install", "greeting"]).failure(6, &["home/pocket.yaml` demands"]);
    // What is compiled in needs no witness.
    sandbox.pocket(&["plugin", "info", "data-processor", "--registry", "bundled"]).success();
}

#[test]
fn a_line_that_the_witness_did_not_sign_is_another_error_than_a_missing_one() {
    let world = World::new();
    let one = world.witness("one");
    world.found_registry("registry");
    world.add_log("one", "registry");
    let witness = world.start_witness("one", "127.0.0.1:0");
    let registry = world.start_registry("registry", &["--witness", &format!("{}={one}", witness.url)]);
    let author = Author::at(&registry.url);
    author.publish("greeting", "1.0.0", "");
    let of_before = world.checkpoint("registry");
    author.publish("greeting", "1.1.0", "");
    let line = |note: &str| note.lines().find(|line| line.starts_with("— w.example/one ")).unwrap().to_owned();
    let now = world.checkpoint("registry");
    let swapped = now.replace(&line(&now), &line(&of_before));
    fs::write(world.tree("registry").join("log/checkpoint"), swapped).unwrap();
    user(&registry, 1, &[&one])
        .pocket(&["plugin", "install", "greeting"])
        .failure(6, &["has not signed what stands under its name", "does not verify over the checkpoint of 2 leaves"]);
}

#[test]
fn a_registry_that_forks_gets_no_second_branch_cosigned() {
    let world = World::new();
    let one = world.witness("one");
    world.found_registry("registry");
    world.add_log("one", "registry");
    let witness = world.start_witness("one", "127.0.0.1:0");
    let at_one = format!("{}={one}", witness.url);
    let registry = world.start_registry("registry", &["--witness", &at_one]);
    let author = Author::at(&registry.url);
    author.publish("shared", "1.0.0", "");
    drop(registry);
    let copied = Command::new("cp").args(["-a", &world.path("registry"), &world.path("copy")]).status().unwrap();
    assert!(copied.success());

    let registry = world.start_registry("registry", &["--witness", &at_one]);
    Author::at(&registry.url).publish("greeting", "1.0.0", "");
    let honest = user(&registry, 1, &[&one]);
    honest.pocket(&["plugin", "install", "greeting"]).success();

    // The copy would show others something else under the same key.
    let copy = world.start_registry("copy", &["--witness", &at_one]);
    Author::at(&copy.url).publish("greeting", "6.6.6", "");
    let victim = user(&copy, 1, &[&one]);
    victim.pocket(&["plugin", "install", "greeting"]).failure(6, &["has 0 of the 1 cosignatures"]);
    let kept = world.evidence("one");
    // What the copy signed at its start is evidence too, where that was a second later than the honest publish.
    let (forks, others): (Vec<_>, Vec<_>) =
        kept.iter().partition(|text| text.contains("the log has two roots for 2 leaves"));
    assert_eq!(forks.len(), 1, "{kept:?}");
    assert!(others.iter().all(|text| text.contains("the log shrank: 1 leaves, but 2 were seen before")), "{kept:?}");
    assert!(witness.kill().contains("both notes are kept in `"));
    assert!(copy.kill().contains("it may have seen another history"));
}

#[test]
fn a_witness_that_was_killed_remembers_what_it_saw() {
    let world = World::new();
    let one = world.witness("one");
    world.found_registry("registry");
    world.add_log("one", "registry");
    let witness = world.start_witness("one", "127.0.0.1:0");
    let at_one = format!("{}={one}", witness.url);
    let registry = world.start_registry("registry", &["--witness", &at_one, "--witness-quorum", "1"]);
    let author = Author::at(&registry.url);
    author.publish("greeting", "1.0.0", "");
    let address = witness.address().to_owned();
    witness.kill();
    let line = |note: &str| note.lines().find(|line| line.starts_with("— w.example/one ")).map(str::to_owned);
    let before = world.checkpoint("registry");
    drop(registry);
    // A start signs the checkpoint anew, and keeps what a witness said of the same tree.
    let registry = world.start_registry("registry", &["--witness", &at_one, "--witness-quorum", "1"]);
    let after = world.checkpoint("registry");
    assert!(line(&before).is_some() && line(&after) == line(&before), "{after}");
    let witness = world.start_witness("one", &address);
    let author = Author::at(&registry.url);
    author.publish("other", "1.1.0", "");
    let log = world.sandbox.pocket(&["witness", "log", "list", "--dir", &world.path("one"), "-o", "json"]).json();
    assert_eq!(log[0]["size"], 2, "{log}");
    drop(witness);
}

#[test]
fn without_a_quorum_a_publish_waits_and_nothing_changes_for_readers() {
    let world = World::new();
    let one = world.witness("one");
    world.found_registry("registry");
    world.add_log("one", "registry");
    let witness = world.start_witness("one", "127.0.0.1:0");
    let (at_one, address) = (format!("{}={one}", witness.url), witness.address().to_owned());
    let more = ["--witness", &at_one, "--witness-quorum", "1"];
    let registry = world.start_registry("registry", &more);
    let author = Author::at(&registry.url);
    author.publish("greeting", "1.0.0", "");
    witness.kill();

    let before = world.checkpoint("registry");
    author.try_publish("greeting", "1.1.0", "").failure(1, &["0 of the 1 witnesses", "w.example/one", "(witnesses)"]);
    author.try_publish("other", "1.0.0", "").failure(1, &["0 of the 1 witnesses"]);
    assert_eq!(world.checkpoint("registry"), before);
    let reader = user(&registry, 1, &[&one]);
    reader.pocket(&["plugin", "install", "greeting"]).success();
    assert!(reader.read("pocket.lock").contains("version = \"1.0.0\""), "{}", reader.read("pocket.lock"));

    // A start in between changes nothing about it either.
    drop(registry);
    let registry = world.start_registry("registry", &more);
    assert_eq!(world.checkpoint("registry").lines().nth(1), Some("1"));
    let _witness = world.start_witness("one", &address);
    let author_again = author.pocket(&["plugin", "publish", "other-1.0.0", "--registry", &registry.url]);
    author_again.success();
    // What was taken before comes out with it, once.
    assert_eq!(world.checkpoint("registry").lines().nth(1), Some("3"));
    author.pocket(&["plugin", "publish", "greeting-1.1.0", "--registry", &registry.url]).success();
    assert_eq!(world.checkpoint("registry").lines().nth(1), Some("3"));
    let verified = Sandbox::new().pocket(&["registry", "verify", &registry.url]).success();
    assert!(verified.stdout.contains("2 plugins with 3 releases"), "{}", verified.stdout);
}

#[test]
fn who_has_no_server_reads_the_registry_and_cosigns() {
    let world = World::new();
    let one = world.witness("one");
    let registry = world.start_registry("registry", &[]);
    let author = Author::at(&registry.url);
    author.publish("greeting", "1.0.0", "");
    let folder = world.path("one");
    let check = |more: &[&str]| {
        let arguments = [&["witness", "check", &registry.url, "--dir", &folder], more].concat();
        world.sandbox.pocket(&arguments)
    };
    check(&[]).failure(6, &["is not known to this witness", "pocket witness log add"]);
    world.add_log("one", "registry");
    let line = check(&[]).success().stdout;
    assert!(line.starts_with("— w.example/one "), "{line}");
    let old = world.checkpoint("registry");
    author.publish("greeting", "1.1.0", "");
    let file = world.path("line");
    check(&["--out", &file]).success();
    let now = world.checkpoint("registry");
    let cosigned = format!("{now}{}", fs::read_to_string(&file).unwrap());
    let at = world.tree("registry").join("log/checkpoint");
    fs::write(&at, cosigned).unwrap();
    user(&registry, 1, &[&one]).pocket(&["plugin", "install", "greeting"]).success();

    fs::write(&at, old).unwrap();
    check(&[])
        .failure(6, &["the checkpoint has 1 leaves, and one of 2 was cosigned before", "both notes are kept in `"]);
    assert_eq!(world.evidence("one").len(), 1);
}

#[test]
fn a_private_registry_is_cosigned_with_the_token_that_there_is_for_it() {
    let mut world = World::new();
    world.witness("one");
    let folder = world.path("registry");
    world.sandbox.pocket(&["registry", "init", "--private", "--dir", &folder]).success();
    world.add_log("one", "registry");
    let token = ["registry", "token", "new", "witness", "--scope", "read", "--dir", &folder];
    let token = world.sandbox.pocket(&token).success().stdout.trim().to_owned();
    let registry = world.start_registry("registry", &[]);
    let one = world.path("one");
    let check = ["witness", "check", registry.url.as_str(), "--dir", &one];
    world.sandbox.pocket(&check).failure(1, &["answered 401", "no token was sent"]);
    let login = ["plugin", "login", "--registry", &registry.url, "--token-stdin"];
    world.sandbox.pocket_with_input(&login, &token).success();
    assert!(world.sandbox.pocket(&check).success().stdout.starts_with("— w.example/one "));
    world.sandbox.pocket(&["plugin", "logout", "--registry", &registry.url]).success();
    world.sandbox.pocket(&check).failure(1, &["no token was sent"]);
    world.sandbox.set("POCKET_TOKEN", &token);
    assert!(world.sandbox.pocket(&check).success().stdout.starts_with("— w.example/one "));
}

#[test]
fn a_witness_is_made_once_and_its_logs_are_listed() {
    let world = World::new();
    let key = world.witness("one");
    assert!(key.starts_with("w.example/one+"), "{key}");
    let folder = world.path("one");
    let again = world.sandbox.pocket(&["witness", "init", "--dir", &folder, "--name", "x"]);
    again.failure(1, &["there is a witness in", "never replaced"]);
    let none = world.sandbox.pocket(&["witness", "start", "--dir", &world.path("nowhere")]);
    none.failure(1, &["there is no witness in", "pocket witness init"]);
    let exposed = world.sandbox.pocket(&["witness", "start", "--dir", &folder, "--address", "0.0.0.0:0"]);
    exposed.failure(1, &["can be reached from other machines"]);

    world.found_registry("registry");
    world.add_log("one", "registry");
    let log = world.log_key("registry");
    let list = |verb: &str| {
        let mut arguments = vec!["witness", "log", verb, "--dir", &folder];
        if verb == "remove" {
            arguments.push(&log);
        }
        world.sandbox.pocket(&arguments)
    };
    let listed = list("list").success().stdout;
    assert!(listed.contains(&log) && listed.starts_with("LOG"), "{listed}");
    assert!(list("remove").success().stdout.contains("no log is cosigned"));
    list("remove").failure(1, &["is not among those of this witness"]);
    let wrong = world.sandbox.pocket(&["registry", "serve", "--witness", &format!("http://127.0.0.1:1/={log}")]);
    wrong.failure(2, &["is no key of a witness"]);
    let many = world.sandbox.pocket(&["registry", "serve", "--witness-quorum", "1"]);
    many.failure(1, &["1 witnesses must cosign, and 0 different ones are named"]);
}
