//! Plugins on this machine: folders and single files, installed as copies and noticed when they change.

use std::process::Command;

use crate::support::Sandbox;

const SCRIPT: &str = "-- @name: greeter\n-- @version: 1.2.0\n-- @node: greet\nfunction greet(input) return {text = \"Hello, \" .. input.name} end\n";
const WORKFLOW: &str = "name: w\nstart: a\nnodes: [{name: a, type: greet}]\n";

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "# ours\n");
    sandbox
}

#[track_caller]
fn greeting(sandbox: &Sandbox) -> String {
    sandbox.pocket(&["run", "w.yaml", "--input", "{\"name\": \"Ada\"}"]).success().stdout
}

#[test]
fn two_projects_may_have_a_plugin_of_the_same_name_and_version() {
    let one = Sandbox::new();
    let other = one.beside();
    let write = |sandbox: &Sandbox, word: &str| {
        sandbox.write("greet.lua", &format!("function process() return {{word = '{word}'}} end\n"));
        sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: greet}]\n");
    };
    for (sandbox, word) in [(&one, "one"), (&other, "other")] {
        sandbox.write("pocket.yaml", "");
        write(sandbox, word);
    }
    let install = ["plugin", "install", "./greet.lua"];
    one.pocket(&install).success();
    other.pocket(&install).success();
    let word = |sandbox: &Sandbox| sandbox.pocket(&["run", "w.yaml", "-o", "json"]).success().json()["word"].clone();
    assert_eq!((word(&one), word(&other)), ("one".into(), "other".into()));

    // Changed again and again, it leaves nothing of the old files behind.
    for version in 0..3 {
        write(&other, &version.to_string());
        other.pocket(&["plugin", "install"]).success();
    }
    assert_eq!((word(&one), word(&other)), ("one".into(), "2".into()));
    assert_eq!(std::fs::read_dir(one.home().join("plugins/greet")).unwrap().count(), 4, "two folders and two stamps");
}

#[test]
fn a_script_installs_by_its_path_and_runs() {
    let sandbox = project();
    sandbox.write("scripts/greeter.lua", SCRIPT);
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "install", "scripts/greeter.lua"]).success();
    assert!(greeting(&sandbox).contains("Hello, Ada"));
    insta::assert_snapshot!(sandbox.read("pocket.yaml"), @r#"
    # ours
    plugins:
      dependencies:
        greeter: { path: "./scripts/greeter.lua", version: "=1.2.0" }
    "#);
    let lock = sandbox.read("pocket.lock");
    for part in ["source = \"./scripts/greeter.lua\"", "trust = \"local\"", "tree = \"t1:"] {
        assert!(lock.contains(part), "{part} in\n{lock}");
    }
    let list = sandbox.pocket(&["plugin", "list"]).success().stdout;
    assert!(list.contains("greeter  lua") && list.contains("greet"), "{list}");
}

#[test]
fn a_changed_file_is_taken_by_an_install_and_refused_by_a_locked_one() {
    let sandbox = project();
    sandbox.write("greeter.lua", SCRIPT);
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "install", "greeter.lua"]).success();
    let lock = sandbox.read("pocket.lock");
    let tree = |lock: &str| lock.lines().find(|line| line.starts_with("tree = ")).unwrap()[8..75].to_owned();

    sandbox.write("greeter.lua", &SCRIPT.replace("Hello", "Salut"));
    assert!(greeting(&sandbox).contains("Hello, Ada"), "a run uses what was installed");
    let refused = sandbox.pocket(&["plugin", "install", "--locked"]);
    let refused = refused.failure(6, &["./greeter.lua", &tree(&lock), "--locked allows no change"]);
    assert_eq!(refused.stderr.matches("t1:").count(), 2, "{}", refused.stderr);
    assert_eq!(sandbox.read("pocket.lock"), lock);

    sandbox.pocket(&["plugin", "install"]).success();
    assert_ne!(tree(&sandbox.read("pocket.lock")), tree(&lock));
    assert!(greeting(&sandbox).contains("Salut, Ada"));
    sandbox.pocket(&["plugin", "install", "--locked"]).success();
}

#[test]
fn a_new_version_in_the_file_is_taken_as_well() {
    let sandbox = project();
    sandbox.write("greeter.lua", SCRIPT);
    sandbox.pocket(&["plugin", "install", "greeter.lua"]).success();
    sandbox.write("greeter.lua", &SCRIPT.replace("1.2.0", "1.3.0"));
    sandbox.pocket(&["plugin", "install", "greeter.lua"]).success();
    assert!(sandbox.read("pocket.lock").contains("version = \"1.3.0\""));
    assert!(sandbox.read("pocket.yaml").contains("=1.3.0"));
}

#[test]
fn a_missing_path_is_named_with_its_line() {
    let sandbox = project();
    sandbox.write("greeter.lua", SCRIPT);
    sandbox.pocket(&["plugin", "install", "greeter.lua"]).success();
    std::fs::remove_file(sandbox.path("greeter.lua")).unwrap();
    sandbox.pocket(&["plugin", "install"]).failure(
        1,
        &["`./greeter.lua` does not exist", "pocket.yaml` names it for `greeter` in line 4", "hint: correct"],
    );
    sandbox.pocket(&["plugin", "install", "./nothing.lua"]).failure(1, &["cannot read `./nothing.lua`"]);
}

#[test]
fn a_folder_installs_as_its_archive_would() {
    let sandbox = project();
    sandbox.write(
        "greeter/manifest.yaml",
        "name: greeter\nversion: 2.0.0\nruntime: lua\nbinary: main.lua\nnodes: [{type: greet}]\n",
    );
    sandbox.write("greeter/main.lua", SCRIPT);
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.pocket(&["plugin", "pack", "greeter"]).success();
    sandbox.pocket(&["plugin", "install", "greeter/"]).success();
    let by_folder = sandbox.read("pocket.lock");
    assert!(greeting(&sandbox).contains("Hello, Ada"));
    sandbox.pocket(&["plugin", "install", "greeter-2.0.0.tar.gz"]).success();
    let by_archive = sandbox.read("pocket.lock").replace("./greeter-2.0.0.tar.gz", "./greeter");
    assert_eq!(by_archive, by_folder);
    sandbox.pocket(&["plugin", "install", "./greeter"]).success();
    sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();

    sandbox.write("empty/readme.md", "nothing");
    sandbox.pocket(&["plugin", "install", "./empty"]).failure(1, &["cannot make a package of", "manifest.yaml"]);
}

#[cfg(unix)]
#[test]
fn a_link_in_a_folder_does_not_bring_in_what_lies_outside() {
    let sandbox = project();
    sandbox.write("greeter/manifest.yaml", "name: greeter\nversion: 2.0.0\nruntime: lua\nbinary: main.lua\n");
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("greeter/main.lua")).unwrap();
    sandbox.pocket(&["plugin", "install", "./greeter"]).failure(1, &["main.lua", "symbolic link"]);
}

#[test]
fn a_module_is_named_after_its_file_or_by_the_manifest_beside_it() {
    let module = wat::parse_str(
        r#"(module (memory (export "memory") 2)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (data (i32.const 64) "{\"output\":{\"from\":\"wasm\"}}")
            (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (i32.store (i32.const 1024) (i32.const 0))
                (i32.store (i32.const 1028) (i32.const 64))
                (i32.store (i32.const 1032) (i32.const 26))
                (i32.const 1024)))"#,
    )
    .unwrap();
    let sandbox = project();
    std::fs::write(sandbox.path("text_tools.wasm"), &module).unwrap();
    sandbox.pocket(&["plugin", "install", "./text_tools.wasm"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: text-tools}]\n");
    assert!(greeting(&sandbox).contains("wasm"));

    sandbox.write(
        "text_tools.yaml",
        "name: tools\nversion: 3.0.0\nruntime: wasm\nbinary: text_tools.wasm\nnodes: [{type: trim}]\n",
    );
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "./text_tools.wasm"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: trim}]\n");
    assert!(greeting(&sandbox).contains("wasm"));
    assert!(sandbox.read("pocket.lock").contains("version = \"3.0.0\""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_says_itself_what_it_is() {
    let sandbox = project();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiled = Command::new("gcc")
        .args(["-shared", "-fPIC", "-pthread", "-I"])
        .arg(root.join("sdk/c"))
        .arg("-o")
        .arg(sandbox.path("libthing.so"))
        .arg(root.join("fixtures/plugins/c-echo/echo.c"))
        .status();
    assert!(compiled.unwrap().success());
    sandbox.pocket(&["plugin", "install", "./libthing.so"]).success();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: c-echo/echo}]\n");
    assert!(greeting(&sandbox).contains("Ada"));
    assert!(sandbox.read("pocket.lock").contains("name = \"c-echo\""));
    sandbox.write("libbroken.so", "no library at all");
    sandbox
        .pocket(&["plugin", "install", "./libbroken.so"])
        .failure(1, &["has no manifest beside it", "is no shared library"]);
}

#[test]
fn what_is_no_plugin_is_refused_with_what_would_be_one() {
    let sandbox = project();
    sandbox.write("notes.txt", "x");
    sandbox
        .pocket(&["plugin", "install", "./notes.txt"])
        .failure(1, &["is no plugin: expected an archive (`.tar.gz`), a folder"]);
    sandbox.write("Bad Name!.wasm", "x");
    sandbox
        .pocket(&["plugin", "install", "./Bad Name!.wasm"])
        .failure(1, &["is no plugin", "a manifest beside it can name it"]);
    sandbox
        .pocket(&["plugin", "install", "https://example.com/x.lua"])
        .failure(1, &["only archives (`.tar.gz`) come from a URL"]);
    let refused =
        sandbox.pocket(&["plugin", "install", "https://me:hunter2@example.com/x.tar.gz"]).failure(1, &["passwords"]);
    assert!(!refused.stderr.contains("hunter2"));
}

#[test]
fn an_import_that_the_manifest_does_not_ask_for_is_refused_before_anything_is_kept() {
    let sandbox = project();
    let folder = |permissions: &str| {
        format!(
            "name: caller\nversion: 1.0.0\nruntime: wasm\nbinary: caller.wasm\nnodes: [{{type: call}}]\n{permissions}"
        )
    };
    let component = r#"(component (import "pocket:plugin/http@1.1.0" (instance (export "request" (func)))))"#;
    sandbox.write("caller/manifest.yaml", &folder(""));
    std::fs::write(sandbox.path("caller/caller.wasm"), wat::parse_str(component).unwrap()).unwrap();
    sandbox.pocket(&["plugin", "install", "./caller", "--yes"]).failure(
        6,
        &[
            "`caller` 1.0.0 is not used",
            "it imports `pocket:plugin/http@1.1.0`, which takes `permissions.http` in its manifest",
            "its author must list what it uses under `permissions.http`",
        ],
    );
    assert_eq!(sandbox.read("pocket.yaml"), "# ours\n");
    assert!(!sandbox.path("pocket.lock").exists() && !sandbox.home().join("plugins/caller").exists());

    sandbox.write("caller/manifest.yaml", &folder("permissions: {http: [\"api.example.com:443\"]}\n"));
    sandbox.pocket(&["plugin", "install", "./caller", "--yes"]).success();
}
