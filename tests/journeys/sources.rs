//! The example plugins, built from their sources, go the whole way: publish, resolve, install, run.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Redis, Sandbox, TestRegistry};

#[test]
fn plugins_built_from_their_sources_are_published_installed_and_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    let status = Command::new(root.join("fixtures/plugins/build.sh")).arg(&built).status().unwrap();
    assert!(status.success(), "the plugins build");

    let registry = TestRegistry::empty();
    let redis = Redis::start();
    let mut sandbox = Sandbox::with_registry(registry.url());
    sandbox.set("POCKET_PLUGIN_REDIS_HOST", "127.0.0.1");
    sandbox.set("POCKET_PLUGIN_REDIS_PORT", redis.port());
    sandbox.pocket(&["key", "new"]).success();
    for release in ["data-processor-1.0.0", "ml-analyzer-0.5.0", "redis-cache-1.2.0"] {
        sandbox.pocket(&["plugin", "publish", &built.join(release).to_string_lossy()]).success();
    }
    sandbox.pocket(&["plugin", "install", "ml-analyzer", "redis-cache", "--yes"]).success();
    sandbox.write(
        "w.yaml",
        "name: w\nstart: analyze\nnodes:\n  - {name: analyze, type: sentiment-analyzer}\n  - {name: keep, type: redis-set, config: {key: mood, value: '{{.label}}'}}\nconnections:\n  - {from: analyze, to: keep}\n",
    );
    sandbox.pocket(&["run", "w.yaml", "--input", &json!({"text": "What a wonderful day!"}).to_string()]).success();
    assert!(redis.command(&["GET", "mood"]).contains("positive"));
}
