//! A disk without room: the message names the path and says what to do, what was installed works, and with room again the
//! install goes through.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::support::{Outcome, POCKET, Sandbox};

/// A shell that sees a small file system where the sandbox has its home. Nobody else sees it.
struct SmallDisk<'a> {
    sandbox: &'a Sandbox,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl<'a> SmallDisk<'a> {
    /// Mounts a file system with these options.
    ///
    /// # Panics
    /// Where mounting is not possible: a test without a small disk must not pass.
    fn mount(sandbox: &'a Sandbox, options: &str) -> Self {
        std::fs::create_dir_all(sandbox.home()).unwrap();
        let mut command = sandbox.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "bash"]);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare is installed");
        let (input, output) = (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
        let mut disk = Self { sandbox, shell, input, output };
        let mounted = disk.shell(&format!("mount -t tmpfs -o {options} tmpfs \"$POCKET_HOME\""));
        assert_eq!(
            mounted, 0,
            "a small disk cannot be mounted; in a container, these tests need `--cap-add SYS_ADMIN --security-opt seccomp=unconfined`"
        );
        disk
    }

    /// Runs a line and gives its exit code; -1 where the shell itself is gone.
    fn shell(&mut self, line: &str) -> i32 {
        let mut code = String::new();
        if writeln!(self.input, "{{ {line}; }} >/dev/null; echo $?").is_ok() {
            self.output.read_line(&mut code).unwrap();
        }
        code.trim().parse().unwrap_or(-1)
    }

    fn pocket(&mut self, arguments: &str) -> Outcome {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.sandbox.root().join(name));
        let code = self.shell(&format!("{POCKET} {arguments} >{} 2>{}", stdout.display(), stderr.display()));
        let [stdout, stderr] = [stdout, stderr].map(|path| std::fs::read_to_string(path).unwrap());
        Outcome { code, stdout, stderr }
    }

    /// Every plugin of the lock is whole.
    fn check_installed(&mut self, names: &[&str]) {
        let listed = self.pocket("plugin list --output json").success().json();
        let works =
            |name| listed.as_array().unwrap().iter().any(|one| one["name"] == name && one["status"] == "loaded");
        assert!(names.iter().all(|name| works(*name)), "{names:?} in {listed}");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn project() -> Sandbox {
    Sandbox::with_registry(concat!("file://", env!("CARGO_MANIFEST_DIR"), "/index/tree"))
}

#[test]
fn an_install_on_a_full_disk_says_so_and_keeps_what_works() {
    let sandbox = project();
    let mut disk = SmallDisk::mount(&sandbox, "size=8m");
    disk.pocket("plugin install data-processor").success();
    let before = sandbox.snapshot();
    // From no room at all to room for the download and half of the files.
    for free in [0, 16, 64, 240, 300] {
        disk.shell("head -c 8m /dev/zero >\"$POCKET_HOME/full\" 2>/dev/null");
        disk.shell(&format!("truncate -s -{free}K \"$POCKET_HOME/full\""));
        disk.pocket("plugin install redis-cache --yes").failure(
            1,
            &[
                sandbox.home().to_str().unwrap(),
                "No space left on device",
                "hint: make room (`pocket plugin cache clean`",
            ],
        );
        assert_eq!(sandbox.snapshot(), before, "the project is as it was, {free} KiB free");
        disk.check_installed(&["data-processor"]);
    }
    disk.shell("rm \"$POCKET_HOME/full\"");
    disk.pocket("plugin install redis-cache --yes").success();
    disk.check_installed(&["data-processor", "redis-cache"]);
    assert_eq!(disk.shell("! find \"$POCKET_HOME\" -name '*.tmp' -o -path '*/.staging/*' | grep ."), 0, "leftovers");
}

#[test]
fn an_install_without_a_free_inode_says_so_and_keeps_what_works() {
    let sandbox = project();
    let mut disk = SmallDisk::mount(&sandbox, "size=8m,nr_inodes=64");
    disk.pocket("plugin install data-processor").success();
    let before = sandbox.snapshot();
    disk.shell("n=0; while : 2>/dev/null >\"$POCKET_HOME/full$n\"; do n=$((n+1)); done");
    for freed in 0..4 {
        disk.pocket("plugin install redis-cache --yes").failure(
            1,
            &[
                sandbox.home().to_str().unwrap(),
                "No space left on device",
                "hint: make room (`pocket plugin cache clean`",
            ],
        );
        assert_eq!(sandbox.snapshot(), before);
        disk.check_installed(&["data-processor"]);
        disk.shell(&format!("rm \"$POCKET_HOME/full{freed}\""));
    }
    disk.shell("rm \"$POCKET_HOME\"/full*");
    disk.pocket("plugin install redis-cache --yes").success();
    disk.check_installed(&["data-processor", "redis-cache"]);
}
