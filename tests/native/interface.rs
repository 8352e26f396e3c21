//! The C interface: what the header promises.

use std::process::Command;
use std::time::{Duration, Instant};

use pocket::engine::native::{NativeOptions, NativePlugin, describe};
use pocket::engine::{Call, CallContext, CallErrorKind, Engine, EngineOptions, Grants, Limits, PluginFiles, Reply};
use pocket_index::digest::Digest;
use pocket_index::manifest::{Binary, Manifest};
use serde_json::{Map, json};

use crate::support::{Setup, c_library, files, options, root};

#[test]
fn a_plugin_in_c_returns_values_with_an_action() {
    let plugin = Setup::default().hold(&c_library("c-echo/echo.c"));
    let input = json!({"text": "zwölf \u{0} \"quoted\"", "list": [1, 2.5, null]});
    let reply = plugin.call("echo", input.clone()).expect("it echoes");
    assert_eq!(reply, Reply { output: json!({"echo": input}), action: Some("echoed".into()) });
    let error = plugin.error("shout", json!(null));
    assert_eq!(
        (error.kind, error.message.as_str()),
        (CallErrorKind::Failed, "unknown node type `shout`, expected `echo`")
    );
}

#[test]
fn a_large_value_goes_there_and_back() {
    let plugin = Setup::default().hold(&c_library("c-echo/echo.c"));
    let input = json!("x".repeat(8 << 20));
    assert_eq!(plugin.output("echo", input.clone()), json!({"echo": input}));
}

#[test]
fn a_library_without_a_manifest_describes_itself() {
    let manifest = describe(&c_library("c-echo/echo.c"), &options()).expect("it loads").expect("it has a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("it is JSON");
    assert_eq!(manifest["nodes"][0]["type"], "echo");
    assert_eq!(describe(&c_library("c-hostile/hostile.c"), &options()), Ok(None));
}

#[test]
fn state_lasts_between_calls_and_ends_with_stop() {
    let plugin = Setup::default().hold(&c_library("c-hostile/hostile.c"));
    assert_eq!(plugin.output("count", json!(null)), 1);
    assert_eq!(plugin.output("count", json!(null)), 2);
    plugin.unload();
    assert_eq!(plugin.log(), ["stopped after 2 calls"]);
}

#[test]
fn calls_from_several_threads_run_one_after_the_other() {
    let plugin = Setup::default().hold(&c_library("c-hostile/hostile.c"));
    let mut counts: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| plugin.output("count", json!(null)).as_u64())).collect();
        calls.into_iter().map(|call| call.join().expect("no call panics")).collect()
    });
    counts.sort();
    assert_eq!(counts, (1..=8).map(Some).collect::<Vec<_>>());
}

#[test]
fn a_plugin_logs_starts_threads_and_knows_the_time_zone() {
    let plugin = Setup::default().hold(&c_library("c-hostile/hostile.c"));
    plugin.output("say", json!("careful"));
    assert_eq!(plugin.log(), ["warning: careful"]);
    assert_eq!(plugin.output("thread", json!(null)), 42);
    assert!(plugin.call("time-zone", json!(null)).is_ok());
}

#[test]
fn a_plugin_that_does_not_start_says_why_each_time() {
    let settings = json!({"fail": true}).as_object().expect("it is an object").clone();
    let plugin = Setup { settings, ..Setup::default() }.hold(&c_library("c-hostile/hostile.c"));
    for _ in 0..2 {
        let error = plugin.error("count", json!(null));
        assert_eq!((error.kind, error.message.as_str()), (CallErrorKind::Retryable, "the settings say so"));
    }
}

#[test]
fn a_library_of_another_kind_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (source, reason) in [
        ("int nothing;", "it does not export `pocket_plugin_abi`, which `pocket_plugin.h` asks for"),
        (
            "unsigned pocket_plugin_abi(void) { return 7; }",
            "it is made for version 7 of the plugin interface, this engine serves version 1",
        ),
    ] {
        let (file, library) = (folder.path().join("p.c"), folder.path().join("p.so"));
        std::fs::write(&file, source).expect("the folder is writable");
        let built = Command::new("gcc").args(["-shared", "-o"]).arg(&library).arg(&file).status();
        assert!(built.expect("gcc is installed").success());
        let error = Setup::default().hold(&library).error("n", json!(null));
        assert_eq!(error.kind, CallErrorKind::Load);
        assert_eq!(error.message, format!("cannot load the native plugin `held`: {reason}"));
    }
}

#[test]
fn a_library_that_changed_since_its_installation_is_refused() {
    let options = NativeOptions { library_digest: Some(Digest::of(b"another")), ..options() };
    let (border, _log) = Setup::default().border();
    let error =
        NativePlugin::load(&files(&c_library("c-echo/echo.c"), ""), border, options).err().expect("it is refused");
    assert!(error.message.contains("was changed after it was installed"), "{}", error.message);
}

#[test]
fn a_host_that_is_started_by_hand_says_so() {
    let mut host = Command::new(env!("CARGO_BIN_EXE_pocket"));
    let output = host.arg("__plugin-host").stdin(std::process::Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"error: `__plugin-host` is started by the engine, not by hand\n");
}

#[test]
fn the_engine_loads_a_native_plugin_like_any_other() {
    let manifest = std::fs::read(root().join("fixtures/plugins/c-echo/manifest.yaml")).expect("it is there");
    let mut manifest = Manifest::parse(&manifest).expect("it is well-formed");
    let library = c_library("c-echo/echo.c");
    let name = library.file_name().expect("it is a file").display().to_string();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH).parse().expect("it is a target");
    manifest.binary = Some(Binary::PerTarget([(target, name)].into()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine =
        Engine::new(EngineOptions { cache_dir: folder.path().to_owned(), host_program: options().host_program });
    let files = PluginFiles { root: library.parent().expect("it is in a folder").to_owned(), manifest, tree: None };
    let plugin = engine.load(files, Grants::default(), Map::new(), Limits::default()).expect("it loads");
    let deadline = Instant::now() + Duration::from_secs(30);
    let context = CallContext { run_id: "run".to_owned(), node: "node".to_owned(), attempt: 1, deadline };
    let call = Call { node_type: "echo", config: &json!({}), input: &json!([1]), context };
    assert_eq!(plugin.call(call).expect("it echoes").output, json!({"echo": [1]}));
}
