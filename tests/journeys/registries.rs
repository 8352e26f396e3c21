//! Several registries at once: a name never crosses silently from one to another.

use crate::support::{Outcome, Sandbox, TestRegistry};

/// A company's registry and a public one, a project that uses both, and keys for both.
struct World {
    private: TestRegistry,
    public: TestRegistry,
    sandbox: Sandbox,
}

impl World {
    /// The project's default is the private registry; the public one is configured as `public`.
    fn new() -> Self {
        let world = Self { private: TestRegistry::empty(), public: TestRegistry::empty(), sandbox: Sandbox::new() };
        world.configure("default", "public", "");
        world.sandbox.pocket(&["key", "new"]).success();
        world
    }

    /// Writes `pocket.yaml` with the private and the public registry under these names.
    fn configure(&self, private: &str, public: &str, dependencies: &str) {
        let (one, other) = (self.private.url(), self.public.url());
        let text = format!(
            "registries:\n  {private}: {one}\n  {public}: {other}\nplugins:\n  dependencies: {{{dependencies}}}\n"
        );
        self.sandbox.write("pocket.yaml", &text);
    }

    fn publish(&self, registry: &TestRegistry, name: &str, version: &str, more: &str) {
        let manifest = format!(
            "name: {name}\nversion: {version}\nruntime: lua\nbinary: main.lua\nnodes: [{{type: {name}}}]\n{more}"
        );
        self.sandbox.write("plugin/manifest.yaml", &manifest);
        self.sandbox.write("plugin/main.lua", &format!("return '{name} {version} of {}'", registry.url()));
        self.sandbox.pocket(&["plugin", "publish", "plugin", "--registry", registry.url()]).success();
        std::fs::remove_dir_all(self.sandbox.path("plugin")).unwrap();
    }

    fn install(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.pocket(&[&["plugin", "install"], arguments].concat())
    }

    /// Name, version and source of each locked plugin.
    fn locked(&self) -> Vec<String> {
        let text = self.sandbox.read("pocket.lock");
        let value = |line: &str| line.split('"').nth(1).unwrap().to_owned();
        let plugins = text.split("[[plugin]]\n").skip(1);
        plugins.map(|plugin| plugin.lines().take(3).map(value).collect::<Vec<_>>().join(" ")).collect()
    }
}

#[test]
fn a_higher_version_elsewhere_is_not_looked_at() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.public, "ledger", "99.0.0", "");
    world.install(&["ledger"]).success();
    assert_eq!(world.locked(), ["ledger 1.0.0 default"]);
    world.install(&["ledger@^99"]).failure(1, &["no version of `ledger` matches `^99`: published is 1.0.0"]);
}

#[test]
fn a_dependency_of_a_private_plugin_is_private() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.public, "ledger", "99.0.0", "");
    world.publish(&world.private, "report", "1.0.0", "dependencies: {ledger: '*'}\n");
    world.configure("corp", "default", "report: {version: ^1, registry: corp}");
    world.install(&[]).success();
    assert_eq!(world.locked(), ["ledger 1.0.0 corp", "report 1.0.0 corp"]);

    let gone = World::new();
    gone.publish(&gone.public, "ledger", "99.0.0", "");
    gone.publish(&gone.private, "report", "1.0.0", "dependencies: {ledger: '*'}\n");
    gone.configure("corp", "default", "report: {version: ^1, registry: corp}");
    gone.install(&[]).failure(1, &["there is no plugin `ledger` in `corp`"]);
}

#[test]
fn a_change_of_the_default_does_not_move_what_is_locked() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.public, "ledger", "99.0.0", "");
    world.install(&["ledger@*"]).success();
    let lock = world.sandbox.read("pocket.lock");
    world.sandbox.write("pocket.yaml", "plugins: {dependencies: {ledger: '*'}}\n");
    let refused = ["`ledger` is locked from the registry `default`", "would come from `bundled`", "hint: name one"];
    for arguments in [&[][..], &["--locked"], &["ledger"], &["data-processor"]] {
        world.install(arguments).failure(6, &refused);
    }
    assert_eq!(world.sandbox.read("pocket.lock"), lock);
}

#[test]
fn another_registry_under_the_same_name_is_refused() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.public, "ledger", "99.0.0", "");
    world.install(&["ledger@*"]).success();
    let lock = world.sandbox.read("pocket.lock");
    world.configure("corp", "default", "ledger: '*', other: '*'");
    let refused = [world.private.url(), world.public.url(), "they are not the same log"];
    world.install(&[]).failure(6, &refused);
    world.install(&["--locked"]).failure(6, &refused);
    assert_eq!(world.sandbox.read("pocket.lock"), lock);
}

#[test]
fn the_same_registry_at_another_address_is_taken_and_told() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.private, "report", "1.0.0", "");
    world.install(&["ledger@*"]).success();
    let mirror = format!("file://{}", world.private.tree().display());
    world.sandbox.write(
        "pocket.yaml",
        &format!("registries: {{default: '{mirror}'}}\nplugins: {{dependencies: {{ledger: '*', report: '*'}}}}\n"),
    );
    let installed = world.install(&[]).success();
    assert!(installed.stderr.contains(&format!("the registry `default` is at {mirror}")), "{}", installed.stderr);
    assert_eq!(world.locked(), ["ledger 1.0.0 default", "report 1.0.0 default"]);
}

#[test]
fn a_name_changes_its_registry_when_that_is_said_and_both_are_told() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.public, "ledger", "99.0.0", "");
    world.install(&["ledger@*"]).success();
    world.configure("default", "public", "ledger: {version: '*', registry: public}");
    world.install(&["--locked"]).failure(1, &["--locked allows no change"]);
    let told = "`ledger` comes from `public` from now on, before it came from `default`";
    let switched = world.install(&[]).success();
    assert!(switched.stderr.contains(told), "{}", switched.stderr);
    assert_eq!(world.locked(), ["ledger 99.0.0 public"]);

    let back = world.install(&["ledger", "--registry", "default"]).success();
    assert!(back.stderr.contains("`ledger` comes from `default` from now on, before it came from `public`"));
    assert_eq!(world.locked(), ["ledger 1.0.0 default"]);
}

#[test]
fn a_registry_that_only_the_lock_knows_is_used_as_it_was_locked() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.configure("corp", "public", "ledger: {version: '*', registry: corp}");
    world.install(&[]).success();
    world.sandbox.write("pocket.yaml", "plugins: {dependencies: {ledger: {version: '*', registry: corp}}}\n");
    world.sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    std::fs::remove_file(world.sandbox.path("pocket.lock")).unwrap();
    world.install(&[]).failure(1, &["there is no registry `corp`", "hint: say where it is: `registries: {corp:"]);
}

#[test]
fn two_plugins_of_one_name_and_version_do_not_take_each_others_place() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.public, "ledger", "1.0.0", "");
    world.publish(&world.private, "report", "1.0.0", "dependencies: {ledger: '*'}\n");
    world.configure("default", "public", "report: ^1, ledger: {version: '*', registry: public}");
    world.install(&[]).failure(6, &["`ledger` 1.0.0 is needed from `default` and from `public`"]);
}

#[test]
fn a_mirror_goes_without_what_does_not_fit_together_and_its_readers_miss_it() {
    let world = World::new();
    world.publish(&world.private, "ledger", "1.0.0", "");
    world.publish(&world.private, "report", "1.0.0", "");
    let index = world.private.tree().join("index/le/dg/ledger");
    let line = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, line.replace("1.0.0", "1.0.1")).unwrap();
    let (from, to) = (world.private.folder(), world.sandbox.path("mirror"));
    let mirror = ["registry", "mirror", "--dir", from.to_str().unwrap(), to.to_str().unwrap(), "-o", "json"];
    let told = world.sandbox.pocket(&mirror).failure(6, &[]).json();
    assert_eq!((&told["plugins"], &told["left_out"][0]["name"]), (&1.into(), &"ledger".into()), "{told}");
    assert_eq!(told["left_out"][0]["copy"], "absent");
    assert!(told["left_out"][0]["reason"].as_str().unwrap().contains("the log says"), "{told}");

    let user = Sandbox::with_registry(&format!("file://{}", to.display()));
    user.pocket(&["plugin", "install", "report"]).success();
    user.pocket(&["plugin", "install", "ledger"]).failure(1, &["there is no plugin `ledger`"]);
    // Once the registry is whole, so is its mirror.
    std::fs::write(&index, line).unwrap();
    let told = world.sandbox.pocket(&mirror).success().json();
    assert_eq!((&told["plugins"], &told["left_out"]), (&2.into(), &serde_json::json!([])), "{told}");
    user.pocket(&["plugin", "install", "ledger"]).success();
}
