//! What tests of all runtimes need: a manifest, a border and a call.

use std::time::{Duration, Instant};

use pocket_index::permissions::Permissions;
use serde_json::{Map, Value};

use super::access::Resolver;
use super::budget::Limits;
use super::envelope::Identity;
use super::grants::{GrantedWords, Grants};
use super::log::PluginLog;
use super::plugin::{Border, Call, CallContext};

/// A border that grants all that `asked` lists.
pub(super) fn border(limits: Limits, asked: &Permissions) -> Border {
    let grants = Grants::new(asked, &GrantedWords::all(), &Map::new()).expect("the permissions are well-formed");
    let identity = Identity { plugin: "sample".into(), version: "1.2.3".into(), settings: Map::new() };
    Border { identity, grants, limits, log: PluginLog::new(|_| {}), sampler: None, resolver: Resolver::default() }
}

/// Limits that a test of an endless loop or a leak reaches soon.
pub(super) fn small_limits() -> Limits {
    Limits { timeout: Duration::from_millis(200), memory: 16 << 20, output: 1 << 20, ..Limits::default() }
}

/// A call of `node_type` that may take as long as `limits` say.
pub(super) fn call<'a>(node_type: &'a str, config: &'a Value, input: &'a Value, limits: Limits) -> Call<'a> {
    let context = CallContext {
        run_id: "run-1".into(),
        node: "step".into(),
        attempt: 1,
        deadline: Instant::now() + limits.timeout,
    };
    Call { node_type, config, input, context }
}
