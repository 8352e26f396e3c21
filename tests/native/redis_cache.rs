//! The plugin `redis-cache` with a real Redis server.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use pocket::engine::{CallErrorKind, GrantedWords, Limits};
use pocket_index::permissions::Permissions;
use serde_json::{Value, json};

use crate::support::{Held, Setup, root};

/// The plugin as it would be installed, built once.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native-plugins");
    let built = Command::new(root().join("fixtures/plugins/build.sh")).arg(&folder).arg("redis-cache").status();
    assert!(built.expect("there is a shell").success(), "`redis-cache` builds");
    folder.join("redis-cache-1.2.0/lib/libredis_cache.so")
});

/// A Redis server on a port of its own, ended with the test.
struct Redis {
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start(arguments: &[&str]) -> Self {
        Self::start_on(free_port(), arguments)
    }

    fn start_on(port: u16, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(folder.path()).args(arguments).stdout(Stdio::null());
        let server = command.spawn().expect("redis-server is installed");
        let patience = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "redis-server gets ready");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { server, port, _folder: folder }
    }

    /// The plugin with this server in its settings, and with more settings.
    fn plugin(&self, more: Value) -> Held {
        plugin(self.port, more, GrantedWords::all(), Limits::default())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It fails only if the server has ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free").port()
}

fn plugin(port: u16, more: Value, granted: GrantedWords, limits: Limits) -> Held {
    let mut settings = json!({"host": "127.0.0.1", "port": port}).as_object().expect("it is an object").clone();
    settings.extend(more.as_object().expect("it is an object").clone());
    let asked = Permissions { network: vec!["{host}:{port}".to_owned()], ..Permissions::default() };
    Setup { asked, granted, settings, limits, ..Setup::default() }.hold(&LIBRARY)
}

fn get(plugin: &Held, key: &str) -> (Value, Option<String>) {
    let reply = plugin.call_with("redis-get", json!({"key": key}), json!({})).expect("the server answers");
    (reply.output, reply.action)
}

fn set(plugin: &Held, config: Value) -> Value {
    plugin.call_with("redis-set", config, json!({})).expect("the server answers").output
}

#[test]
fn what_is_stored_is_found_until_it_is_deleted() {
    let redis = Redis::start(&[]);
    let plugin = redis.plugin(json!({}));
    let missing = (json!({"found": false, "key": "user:42", "value": null}), Some("not_found".to_owned()));
    assert_eq!(get(&plugin, "user:42"), missing);

    let user = json!({"name": "Ada", "id": 42, "tags": ["a", "b"]});
    assert_eq!(set(&plugin, json!({"key": "user:42", "value": user})), json!({"ok": true, "key": "user:42"}));
    let found = json!({"found": true, "key": "user:42", "value": user});
    assert_eq!(get(&plugin, "user:42"), (found, Some("found".to_owned())));

    let delete = || plugin.call_with("redis-del", json!({"key": "user:42"}), json!({})).expect("the server answers");
    assert_eq!(delete().output, json!({"deleted": 1}));
    assert_eq!(delete().output, json!({"deleted": 0}));
    assert_eq!(get(&plugin, "user:42"), missing);
}

#[test]
fn text_stays_text_and_a_large_value_comes_back() {
    let redis = Redis::start(&[]);
    let plugin = redis.plugin(json!({}));
    let large = "x".repeat(3 << 20);
    for (key, value) in [("text", "plain text, no JSON"), ("empty", ""), ("large", &large)] {
        set(&plugin, json!({"key": key, "value": value}));
        assert_eq!(get(&plugin, key).0["value"], value, "{key}");
    }
}

#[test]
fn a_time_to_live_reaches_the_server() {
    let redis = Redis::start(&[]);
    let plugin = redis.plugin(json!({}));
    let stored = set(&plugin, json!({"key": "k", "value": 1, "ttl": "1h"}));
    assert_eq!(stored, json!({"ok": true, "key": "k", "ttl_ms": 3_600_000}));
    let port = redis.port.to_string();
    let ttl = Command::new("redis-cli").args(["-p", &port, "pttl", "k"]).output().expect("redis-cli is installed");
    let ttl: u64 = String::from_utf8_lossy(&ttl.stdout).trim().parse().expect("it is a number");
    assert!((3_000_000..=3_600_000).contains(&ttl), "{ttl}");

    let error = plugin.call_with("redis-set", json!({"key": "k", "value": 1, "ttl": "soon"}), json!({}));
    let error = error.expect_err("it is no duration");
    assert_eq!(error.kind, CallErrorKind::InvalidInput);
    assert!(error.message.contains("\"soon\""), "{}", error.message);
}

#[test]
fn databases_and_passwords_are_honoured() {
    let redis = Redis::start(&["--requirepass", "open sesame"]);
    let first = redis.plugin(json!({"password": "open sesame"}));
    let second = redis.plugin(json!({"password": "open sesame", "database": 1}));
    set(&first, json!({"key": "k", "value": 1}));
    assert_eq!(get(&second, "k").1.as_deref(), Some("not_found"));

    for (more, expected) in [
        (json!({}), "NOAUTH Authentication required. (set the plugin's setting `password`)"),
        (json!({"password": "wrong"}), "cannot sign in to Redis"),
        (json!({"password": "open sesame", "database": 99}), "DB index is out of range"),
    ] {
        let error =
            redis.plugin(more).call_with("redis-get", json!({"key": "k"}), json!({})).expect_err("it is refused");
        assert_eq!(error.kind, CallErrorKind::Failed);
        assert!(error.message.contains(expected), "{}", error.message);
        assert!(!error.message.contains("sesame"), "{}", error.message);
    }
}

#[test]
fn a_server_that_came_back_is_connected_again() {
    let redis = Redis::start(&[]);
    let (port, plugin) = (redis.port, redis.plugin(json!({})));
    set(&plugin, json!({"key": "k", "value": 1}));
    drop(redis);
    let error = plugin.call_with("redis-get", json!({"key": "k"}), json!({})).expect_err("the server is gone");
    assert_eq!(error.kind, CallErrorKind::Retryable);
    let redis = Redis::start_on(port, &[]);
    set(&plugin, json!({"key": "k", "value": 2}));
    drop(redis);
    let _redis = Redis::start_on(port, &[]);
    assert_eq!(get(&plugin, "k").1.as_deref(), Some("not_found"), "the kept connection was dead and is replaced");
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_settings_to_change() {
    let port = free_port();
    let plugin = plugin(port, json!({}), GrantedWords::all(), Limits::default());
    let error = plugin.call_with("redis-get", json!({"key": "k"}), json!({})).expect_err("nobody listens");
    assert_eq!(error.kind, CallErrorKind::Retryable);
    let expected = format!(
        "cannot reach Redis at `127.0.0.1:{port}` (cannot connect to `127.0.0.1:{port}`: connection refused): is Redis running \
         there? the settings `host` and `port` say where it is"
    );
    assert_eq!(error.message, expected);
}

#[test]
fn a_server_that_does_not_answer_is_a_timeout_of_the_plugin() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let limits = Limits { timeout: Duration::from_secs(1), ..Limits::default() };
    let plugin = plugin(port, json!({}), GrantedWords::all(), limits);
    let error = plugin.call_with("redis-get", json!({"key": "k"}), json!({})).expect_err("nobody answers");
    assert_eq!(error.kind, CallErrorKind::Timeout);
    assert_eq!(error.message, format!("Redis at `127.0.0.1:{port}` did not answer in time"));
}

#[test]
fn without_the_grant_there_is_no_connection() {
    let redis = Redis::start(&[]);
    let plugin = plugin(redis.port, json!({}), GrantedWords::none(), Limits::default());
    let error = plugin.call_with("redis-get", json!({"key": "k"}), json!({})).expect_err("it is not granted");
    assert_eq!(error.kind, CallErrorKind::Denied);
    assert!(error.message.contains("`network_access` was not granted"), "{}", error.message);
}
