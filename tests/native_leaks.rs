//! What plugins do leaves nothing behind in the engine. In a program of its own, since it counts what the whole process has.
#![cfg(target_os = "linux")]

#[path = "soak/holdings.rs"]
mod holdings;
#[path = "native/support.rs"]
mod support;

use std::time::Duration;

use pocket::engine::Limits;
use serde_json::json;

use self::holdings::Holdings;
use self::support::{Held, Setup, c_library};

/// Waits until no more is held than `before`.
fn assert_back_at(before: Holdings, what: &str) {
    let after = Holdings::back_at(before);
    assert_eq!(after.without_memory(), before.without_memory(), "after {what}: {after}, before: {before}");
}

fn hold(source: &str, manifest: &'static str) -> Held {
    let limits = Limits { timeout: Duration::from_secs(2), memory: 64 << 20, ..Limits::default() };
    Setup { limits, manifest, ..Setup::default() }.hold(&c_library(&format!("c-hostile/{source}")))
}

/// Deaths of every kind.
const DEADLY: [(&str, &[&str]); 4] = [
    ("processes.c", &["kill-parent", "fork-bomb", "ptrace-parent", "thread-bomb"]),
    ("files.c", &["socket-bus", "io_uring", "mount"]),
    ("transport.c", &["close-transport", "shut-down-transport", "replace-transport", "send-descriptors"]),
    ("endings.c", &["segfault", "abort", "exit-zero", "exit-in-thread", "loop", "deaf-loop", "stop-oneself"]),
];

#[test]
fn no_descriptor_thread_or_process_is_left_behind() {
    // The compiler and the first plugin start what stays: the standard library's own.
    assert_eq!(hold("endings.c", "").output("count", json!(null)), 1);
    let before = Holdings::settled();
    for (source, attacks) in DEADLY {
        for attack in attacks {
            let plugin = hold(source, "");
            plugin.error(attack, "");
            assert_eq!(plugin.output("count", json!(null)), 1, "the next call works");
            let alive = Holdings::now();
            assert_eq!(alive.processes, before.processes + 1, "{attack}: the old process is gone");
            drop(plugin);
            assert_back_at(before, attack);
        }
    }
    let several = hold("endings.c", "instances: 4\n");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| several.output("count", json!(null)));
        }
    });
    several.unload();
    assert!(several.log().is_empty(), "nothing died: {:?}", several.log());
    drop(several);
    assert_back_at(before, "several processes");
}
