//! A home and a project folder of their own, and the program run in them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

/// The program.
pub const POCKET: &str = env!("CARGO_BIN_EXE_pocket");

/// A temporary folder with `home/` and `project/`.
pub struct Sandbox {
    folder: tempfile::TempDir,
    home: PathBuf,
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Fails the test unless the command succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the command failed with this code and said all of this.
    #[track_caller]
    pub fn failure(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for text in said {
            assert!(self.stderr.contains(text), "expected `{text}` in:\n{}", self.stderr);
        }
        self
    }

    /// The standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Self { home: folder.path().join("home"), folder, environment: Vec::new() };
        fs::create_dir_all(sandbox.project()).unwrap();
        sandbox
    }

    /// Another project of the same user.
    pub fn beside(&self) -> Self {
        Self { home: self.home(), ..Self::new() }
    }

    /// A new home, with the manifest and the lock of this project: another machine.
    pub fn beside_with_another_home(&self) -> Self {
        let other = Self::new();
        for file in ["pocket.yaml", "pocket.lock"] {
            other.write(file, &self.read(file));
        }
        other
    }

    /// Another sandbox with the same files.
    pub fn copy(&self) -> Self {
        let copy = Self { environment: self.environment.clone(), ..Self::new() };
        let status = Command::new("cp").arg("-a").arg(self.folder.path().join(".")).arg(copy.folder.path()).status();
        assert!(status.unwrap().success(), "a sandbox can be copied");
        copy
    }

    /// A sandbox whose project uses the registry at `url`.
    pub fn with_registry(url: &str) -> Self {
        let sandbox = Self::new();
        sandbox.write("pocket.yaml", &format!("registries:\n  default: {url}\n"));
        sandbox
    }

    /// Sets an environment variable for every command.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.environment.push((name.to_owned(), value.to_string()));
    }

    /// The folder that home and project stand in.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn home(&self) -> PathBuf {
        self.home.clone()
    }

    /// The home of [`Self::pocket_elsewhere`].
    pub fn other_home(&self) -> PathBuf {
        self.folder.path().join("other-home")
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.project().join(name)
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs `pocket` in the project folder.
    pub fn pocket(&self, arguments: &[&str]) -> Outcome {
        self.run(&self.home(), arguments, "")
    }

    /// Runs `pocket` with this standard input.
    pub fn pocket_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        self.run(&self.home(), arguments, input)
    }

    /// Runs `pocket` in the same project with another, empty home: another machine.
    pub fn pocket_elsewhere(&self, arguments: &[&str]) -> Outcome {
        self.run(&self.other_home(), arguments, "")
    }

    /// Runs `pocket` at a terminal, at which somebody types `input`. What the terminal shows is the standard output.
    pub fn pocket_at_a_terminal(&self, arguments: &[&str], input: &str) -> Outcome {
        outcome_of(self.at_a_terminal(arguments), input)
    }

    /// The same, where nothing is typed before the terminal shows `question`.
    pub fn pocket_that_asks(&self, arguments: &[&str], question: &str, input: &str) -> Outcome {
        let mut command = self.at_a_terminal(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shown = Vec::new();
        while !shown.ends_with(question.as_bytes()) {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        // What was asked is asked before the terminal stops showing what is typed.
        std::thread::sleep(std::time::Duration::from_millis(500));
        stdin.write_all(input.as_bytes()).unwrap();
        stdout.read_to_end(&mut shown).unwrap();
        let code = child.wait().unwrap().code().unwrap_or(-1);
        Outcome { code, stdout: String::from_utf8_lossy(&shown).into_owned(), stderr: String::new() }
    }

    fn at_a_terminal(&self, arguments: &[&str]) -> Command {
        let words = [&[POCKET], arguments].concat();
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        // `script` is of util-linux: it runs a command at a terminal of its own.
        let mut command = self.command("script");
        command.args(["--quiet", "--return", "--flush", "--command", &quoted.join(" "), "/dev/null"]);
        command
    }

    /// `program` with the environment of this sandbox, in the project folder.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.project())
            .env("POCKET_HOME", self.home())
            .env_remove("POCKET_REGISTRY")
            .env_remove("POCKET_OFFLINE")
            .env_remove("POCKET_TOKEN")
            .env_remove("POCKET_TRUST")
            .env_remove("POCKET_LOG_LEVEL")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `pocket` in a folder of the project.
    pub fn pocket_in(&self, folder: &str, arguments: &[&str]) -> Outcome {
        let mut command = self.command(POCKET);
        command.current_dir(self.path(folder)).args(arguments);
        outcome_of(command, "")
    }

    /// Runs another program in the project folder.
    pub fn program(&self, program: &str, arguments: &[&str]) -> Outcome {
        let mut command = self.command(program);
        command.args(arguments);
        outcome_of(command, "")
    }

    /// Runs `pocket` as the last words of another command.
    pub fn pocket_through(&self, wrapper: &[&str], arguments: &[&str]) -> Outcome {
        let mut command = self.command(wrapper[0]);
        command.args(&wrapper[1..]).arg(POCKET).args(arguments);
        outcome_of(command, "")
    }

    fn run(&self, home: &Path, arguments: &[&str], input: &str) -> Outcome {
        let mut command = self.command(POCKET);
        command.args(arguments).env("POCKET_HOME", home);
        outcome_of(command, input)
    }

    /// Every file of the project and of the installed plugins, with the digest of its bytes. What a failed command must leave
    /// as it was.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        collect(&self.project(), "project", &mut files);
        collect(&self.home().join("plugins"), "plugins", &mut files);
        files.retain(|path, _| !path.ends_with("/.lock"));
        files
    }

    /// Everything in home and project, folders too, with the digest of each file's bytes. Where a file names this sandbox's own folder,
    /// another name is taken, so that two sandboxes can be compared.
    pub fn everything(&self) -> BTreeMap<String, String> {
        let own = self.folder.path().to_str().unwrap();
        let mut files = BTreeMap::new();
        let mut folders = vec![self.home(), self.project()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                let mut name = path.strip_prefix(own).unwrap().display().to_string();
                if name.starts_with("home/projects/") {
                    // Named by the digest of the project's path.
                    name = "home/projects/PROJECT".to_owned();
                }
                if path.is_dir() {
                    files.insert(name, "folder".to_owned());
                    folders.push(path);
                    continue;
                }
                let content = fs::read(&path).unwrap();
                let content = String::from_utf8(content).map(|text| text.replace(own, "SANDBOX").into_bytes());
                files.insert(name, hex(&content.unwrap_or_else(|error| error.into_bytes())));
            }
        }
        files
    }
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn outcome_of(mut command: Command, input: &str) -> Outcome {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads no input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn collect(folder: &Path, name: &str, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &name, files);
        } else {
            files.insert(name, hex(&fs::read(entry.path()).unwrap()));
        }
    }
}
