//! What plugins try against the engine and the machine: each attempt is refused, costs its own call at most, and leaves
//! nothing behind.

use std::path::Path;
use std::time::Duration;

use pocket::engine::budget::Limit;
use pocket::engine::{CallErrorKind, GrantedWords, Limits};
use pocket_index::permissions::Permissions;
use serde_json::json;

use crate::support::{Held, Setup, c_library};

const NETWORK: &str = "a native plugin gets its connections from `connect` of its host";
const PROCESSES: &str = "a native plugin cannot start processes";
const OTHERS: &str = "a native plugin cannot touch other processes";
const MACHINE: &str = "a native plugin cannot change the machine";

fn attacker(source: &str) -> Held {
    Setup::default().hold(&c_library(&format!("c-hostile/{source}")))
}

/// The attempt ends the process, and the error names the system call.
fn assert_fatal(plugin: &Held, attack: &str, system_call: &str, advice: &str) {
    let error = plugin.error(attack, "");
    assert_eq!(error.kind, CallErrorKind::Crashed, "{attack}: {error}");
    assert_eq!(error.message, format!("`{attack}` was ended at the system call `{system_call}`: {advice}"));
    assert_works_anew(plugin);
}

/// The process is a new one: it counts from the start again.
fn assert_works_anew(plugin: &Held) {
    assert_eq!(plugin.output("count", json!(null)), 1);
}

/// The attempt is refused as `errno`, and the plugin goes on.
fn assert_refused(plugin: &Held, attack: &str, input: &str, errno: &str) {
    let error = plugin.error(attack, input);
    assert_eq!((error.kind, error.message), (CallErrorKind::Failed, format!("refused: {errno}")), "{attack} {input}");
}

#[test]
fn other_processes_the_engine_first_of_all_are_out_of_reach() {
    let plugin = attacker("processes.c");
    for (attack, system_call) in [
        ("kill-parent", "kill"),
        ("kill-group", "kill"),
        ("kill-everybody", "kill"),
        ("probe-parent", "kill"),
        ("tkill-parent", "tkill"),
        ("tgkill-parent", "tgkill"),
        ("pidfd-parent", "pidfd_open"),
        ("pidfd-signal", "pidfd_send_signal"),
        ("pidfd-getfd", "pidfd_getfd"),
        ("queue-signal", "rt_sigqueueinfo"),
        ("ptrace-parent", "ptrace"),
        ("ptrace-me", "ptrace"),
        ("compare-files", "kcmp"),
        ("read-parent-memory", "process_vm_readv"),
        ("write-parent-memory", "process_vm_writev"),
    ] {
        assert_fatal(&plugin, attack, system_call, OTHERS);
    }
}

#[test]
fn no_process_and_no_program_is_started() {
    let plugin = attacker("processes.c");
    for (attack, system_call) in [
        ("clone-process", "clone"),
        ("clone-sibling", "clone"),
        ("clone-namespace", "clone"),
        ("fork-bomb", "clone"),
        ("program-by-descriptor", "execveat"),
    ] {
        assert_fatal(&plugin, attack, system_call, PROCESSES);
    }
    // The C library blocks all signals before it starts a process, so that the handler cannot write the call's name down.
    let error = plugin.error("spawn-program", "");
    assert!(error.message.contains("was ended at a system call that native plugins may not make"), "{error}");
    assert_works_anew(&plugin);
}

#[test]
fn what_the_kernel_would_do_to_others_for_a_plugin_does_not_exist() {
    let plugin = attacker("processes.c");
    for attack in [
        "clone3",
        "own-parent",
        "own-parent-extended",
        "program-from-memory",
        "limit-parent",
        "pin-parent",
        "starve-parent",
        "real-time",
        "shared-memory",
        "message-queue",
        "semaphores",
        "posix-queue",
        "dumpable",
        "outlive",
        "new-session",
        "new-group",
        "become-root",
        "capabilities",
    ] {
        assert_refused(&plugin, attack, "", "Function not implemented");
    }
    assert_refused(&plugin, "raise-own-limit", "", "Operation not permitted");
    let timers = plugin.output("timer-bomb", "").as_u64().expect("it counts");
    assert!(timers <= 256, "{timers} timers");
    let files = plugin.output("file-bomb", "").as_u64().expect("it counts");
    assert!((200..256).contains(&files), "{files} files");
    assert_eq!(plugin.output("count", json!(null)), 22, "none of them cost the process");
}

#[test]
fn threads_end_at_their_limit() {
    let plugin = attacker("processes.c");
    let error = plugin.error("thread-bomb", "");
    assert_eq!(error.kind, CallErrorKind::Crashed);
    assert_eq!(error.message, "`thread-bomb` needs more than its limit of 256 threads");
    assert_eq!(error.limit, Some(Limit::Threads));
    assert_works_anew(&plugin);
}

#[test]
fn files_are_out_of_reach_by_every_route() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "keep this").expect("the folder is writable");
    let secret = secret.to_str().expect("it is UTF-8");
    let plugin = attacker("files.c");
    for attack in ["open", "open-write", "open-old", "open-by-path-descriptor", "open-below", "delete", "rename"] {
        assert_refused(&plugin, attack, secret, "Permission denied");
    }
    for attack in [
        "open-truncate",
        "truncate",
        "create",
        "openat2",
        "name-to-handle",
        "link",
        "symlink",
        "make-device",
        "change-mode",
        "change-owner",
        "change-times",
        "set-attribute",
        "watch",
        "uselib",
    ] {
        assert_refused(&plugin, attack, secret, "Function not implemented");
    }
    assert_refused(&plugin, "make-folder", &format!("{secret}-folder"), "Permission denied");
    assert_refused(&plugin, "temporary", folder.path().to_str().expect("it is UTF-8"), "Permission denied");
    assert_eq!(std::fs::read_to_string(secret).expect("it is there"), "keep this");
}

#[test]
fn what_may_be_read_can_not_be_changed_by_a_detour() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "keep this").expect("the folder is writable");
    let filesystem = vec![format!("read:{}", folder.path().display())];
    let asked = Permissions { filesystem, ..Permissions::default() };
    let setup = Setup { asked, granted: GrantedWords::all(), ..Setup::default() };
    let plugin = setup.hold(&c_library("c-hostile/files.c"));
    let path = file.to_str().expect("it is UTF-8");
    assert_eq!(plugin.output("open", path), 1);
    for attack in ["open-truncate", "truncate", "create", "link", "change-mode"] {
        assert_refused(&plugin, attack, path, "Function not implemented");
    }
    for attack in ["open-write", "delete", "rename"] {
        assert_refused(&plugin, attack, path, "Permission denied");
    }
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "keep this");
}

#[test]
fn what_the_system_says_of_processes_is_not_to_be_read() {
    let plugin = attacker("files.c");
    let engine = std::process::id();
    for path in ["/proc", "/proc/self/environ", "/proc/self/mem", "/proc/self/maps", "/proc/self/root/etc/passwd"] {
        assert_refused(&plugin, "open", path, "Permission denied");
    }
    for file in ["environ", "mem", "maps", "cmdline", "status", "fd", "root", "cwd"] {
        assert_refused(&plugin, "open", &format!("/proc/{engine}/{file}"), "Permission denied");
    }
    for link in ["cwd", "exe", "root", "fd/0"] {
        assert_refused(&plugin, "read-link", &format!("/proc/{engine}/{link}"), "Permission denied");
    }
    for path in ["/dev/zero", "/dev/mem", "/dev/kmsg", "/sys/kernel", "/etc/passwd", "/run", "/tmp"] {
        if Path::new(path).exists() {
            assert_refused(&plugin, "open", path, "Permission denied");
        }
    }
    assert_refused(&plugin, "shared-zeros", "", "Permission denied");
}

#[test]
fn the_machine_cannot_be_changed() {
    let plugin = attacker("files.c");
    for (attack, system_call) in [
        ("open-by-handle", "open_by_handle_at"),
        ("io_uring", "io_uring_setup"),
        ("userfaultfd", "userfaultfd"),
        ("bpf", "bpf"),
        ("perf", "perf_event_open"),
        ("keyctl", "keyctl"),
        ("add_key", "add_key"),
        ("mount", "mount"),
        ("umount", "umount2"),
        ("fsopen", "fsopen"),
        ("unshare", "unshare"),
        ("setns", "setns"),
        ("chroot", "chroot"),
        ("syslog", "syslog"),
        ("reboot", "reboot"),
        ("clock_settime", "clock_settime"),
        ("acct", "acct"),
    ] {
        assert_fatal(&plugin, attack, system_call, MACHINE);
    }
    for attack in ["io_setup", "personality", "seccomp", "memfd_secret"] {
        assert_refused(&plugin, attack, "", "Function not implemented");
    }
}

#[test]
fn no_socket_leads_out_of_the_process() {
    let plugin = attacker("files.c");
    for (attack, system_call) in [
        ("socket-internet", "socket"),
        ("socket-raw", "socket"),
        ("socket-kernel", "socket"),
        ("socket-crypto", "socket"),
        ("socket-packet", "socket"),
        ("socket-bus", "socket"),
        ("socket-pair", "socketpair"),
        ("reconnect-transport", "connect"),
        ("bind-transport", "bind"),
    ] {
        assert_fatal(&plugin, attack, system_call, NETWORK);
    }
}

#[test]
fn a_forged_message_ends_the_process_and_not_the_engine() {
    let plugin = Setup { limits: Limits { output: 1 << 20, ..Limits::default() }, ..Setup::default() }
        .hold(&c_library("c-hostile/transport.c"));
    let broke = "`send-and-wait` broke its conversation with the engine: ";
    for (bytes, expected) in [
        ("ffffffff", "the output of `send-and-wait` is larger than its limit of 1MiB".to_owned()),
        ("00000000", format!("{broke}a malformed message: it is too short")),
        ("000000050000000063", format!("{broke}a malformed message: its tag is unknown")),
        ("000000050000000001", format!("{broke}`ready` came out of turn")),
        ("00000005ffffffff06", format!("{broke}a result came out of turn")),
        ("0000000900000000090000ffff", format!("{broke}a malformed message: a field is cut off")),
        ("0000000b0000000004000000027bff", format!("{broke}a malformed message: a field is not UTF-8")),
        ("0000000b000000000a000000020101", format!("{broke}`confined` came out of turn")),
    ] {
        assert_eq!(plugin.error("send-and-wait", bytes).message, expected, "{bytes}");
        assert_works_anew(&plugin);
    }
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_taken_for_the_next() {
    let plugin = attacker("transport.c");
    assert_eq!(plugin.output("answer-late", ""), 0);
    std::thread::sleep(Duration::from_millis(100));
    let error = plugin.error("count", json!(null));
    assert_eq!(error.message, "`count` broke its conversation with the engine: a result came out of turn");
    assert_works_anew(&plugin);
}

#[test]
fn a_plugin_that_breaks_its_transport_costs_its_own_call() {
    let plugin = attacker("transport.c");
    for attack in ["close-transport", "replace-transport"] {
        let error = plugin.error(attack, "");
        assert_eq!(error.kind, CallErrorKind::Crashed, "{attack}: {error}");
        assert_works_anew(&plugin);
    }
    let error = plugin.error("shut-down-transport", "");
    assert_eq!(error.message, "`shut-down-transport` closed its connection to the engine");
    assert_works_anew(&plugin);
}

#[test]
fn a_plugin_that_steals_its_own_questions_is_a_timeout() {
    let limits = Limits { timeout: Duration::from_secs(2), ..Limits::default() };
    let plugin = Setup { limits, ..Setup::default() }.hold(&c_library("c-hostile/transport.c"));
    assert_eq!(plugin.output("steal", ""), 0);
    // Thread and host read the same socket: each question may reach either, the host's wait is the shorter one.
    let stolen = (0..20_000).map(|_| plugin.call("count", json!(null))).find_map(Result::err).expect("one is stolen");
    assert!(matches!(stolen.kind, CallErrorKind::Timeout | CallErrorKind::Crashed), "{stolen}");
    assert_works_anew(&plugin);
}

#[test]
fn strange_arguments_and_unasked_descriptors_do_nothing() {
    let plugin = attacker("transport.c");
    assert_eq!(plugin.output("strange-texts", ""), 1);
    assert_eq!(plugin.log().last().map(String::as_str), Some("error: \u{fffd}\u{fffd}\\u{0}\\u{1b}[2J"));
    let error = plugin.error("send-descriptors", "");
    assert!(error.message.contains("broke its conversation"), "{error}");
    assert_works_anew(&plugin);
}

#[test]
fn output_without_end_and_without_lines_is_read_and_bounded() {
    let plugin = attacker("transport.c");
    for attack in ["flood-output", "flood-error", "flood-log", "endless-line"] {
        assert!(plugin.output(attack, "").as_u64() >= Some(256), "{attack}");
    }
    assert!(plugin.log().iter().all(|line| line.len() <= 4096));
    assert_eq!(plugin.output("close-output", ""), 0);
    assert_eq!(plugin.output("count", json!(null)), 6, "none of them cost the process");
}
