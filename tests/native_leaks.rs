//! What plugins do leaves nothing behind in the engine. In a program of its own, since it counts what the whole process has.
#![cfg(target_os = "linux")]

#[path = "native/support.rs"]
mod support;

use std::fs;
use std::time::{Duration, Instant};

use pocket::engine::Limits;
use serde_json::json;

use self::support::{Held, Setup, c_library};

/// What the process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    children: usize,
}

impl Holdings {
    fn now() -> Self {
        let count = |folder| fs::read_dir(folder).expect("it is this process's").count();
        let children = |task: std::io::Result<fs::DirEntry>| {
            let file = task.expect("it is this process's").path().join("children");
            fs::read_to_string(file).unwrap_or_default().split_whitespace().count()
        };
        let tasks = fs::read_dir("/proc/self/task").expect("it is this process's");
        Self {
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            children: tasks.map(children).sum(),
        }
    }

    /// What is held when nothing ends any more.
    fn settled() -> Self {
        loop {
            let before = Self::now();
            std::thread::sleep(Duration::from_secs(1));
            if Self::now() == before {
                return before;
            }
        }
    }

    /// Waits until no more is held than `before`: a watching thread ends a moment after its process.
    fn assert_back_at(before: Self, what: &str) {
        let patience = Instant::now() + Duration::from_secs(20);
        while Self::now() != before {
            assert!(Instant::now() < patience, "after {what}: {:?}, before {before:?}", Self::now());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn hold(source: &str, manifest: &'static str) -> Held {
    let limits = Limits { timeout: Duration::from_millis(500), memory: 64 << 20, ..Limits::default() };
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
            assert_eq!(alive.children, before.children + 1, "{attack}: the old process is gone");
            drop(plugin);
            Holdings::assert_back_at(before, attack);
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
    Holdings::assert_back_at(before, "several processes");
}
