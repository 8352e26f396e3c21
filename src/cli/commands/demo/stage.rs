//! What the demo stands on: a folder, a registry process, and this program run again for each step.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::ops::OpsError;

/// The folder the demo works in, and how its commands run.
pub struct Stage {
    folder: PathBuf,
    program: PathBuf,
    redis: (String, String),
}

/// The registry's process; ended when the demo ends.
pub struct RunningRegistry {
    process: Child,
    url: String,
}

impl RunningRegistry {
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for RunningRegistry {
    fn drop(&mut self) {
        // Nothing is left to do if it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stage {
    pub fn new(folder: &Path, redis: &str) -> Result<Self, OpsError> {
        let folder = fs::canonicalize(folder).map_err(OpsError::io("open", folder))?;
        let program = std::env::current_exe().map_err(OpsError::io("find this program in", &folder))?;
        let (host, port) = redis.rsplit_once(':').ok_or_else(|| OpsError::Demo {
            message: format!("`{redis}` is no address: expected HOST:PORT, such as 127.0.0.1:6379"),
        })?;
        Ok(Self { folder, program, redis: (host.to_owned(), port.to_owned()) })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn chapter(&self, title: &str, subtitle: &str) {
        println!("\n== {title}\n   {subtitle}");
    }

    pub fn note(&self, text: &str) {
        println!("   -> {text}");
    }

    pub fn write(&self, name: &str, content: &str) -> Result<(), OpsError> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(OpsError::io("create", parent))?;
        }
        fs::write(&path, content).map_err(OpsError::io("write", &path))
    }

    pub fn read(&self, name: &str) -> Result<String, OpsError> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).map_err(OpsError::io("read", &path))
    }

    /// Prints a file as `cat` would.
    pub fn show(&self, name: &str) -> Result<(), OpsError> {
        println!("\n$ cat {name}");
        indent(&self.read(name)?);
        Ok(())
    }

    /// Runs `pocket` with these arguments. A failure ends the demo.
    pub fn pocket(&self, arguments: &[&str]) -> Result<String, OpsError> {
        let (success, stdout) = self.run("home", arguments)?;
        if success { Ok(stdout) } else { Err(self.unexpected(arguments, "failed")) }
    }

    /// Runs `pocket` in another home, where nothing is cached. Success ends the demo: a refusal is what it shows.
    pub fn pocket_on_another_machine(&self, arguments: &[&str]) -> Result<(), OpsError> {
        let (success, _) = self.run("another-home", arguments)?;
        if success { Err(self.unexpected(arguments, "succeeded")) } else { Ok(()) }
    }

    fn unexpected(&self, arguments: &[&str], how: &str) -> OpsError {
        OpsError::Demo { message: format!("`pocket {}` {how}", arguments.join(" ")) }
    }

    fn run(&self, home: &str, arguments: &[&str]) -> Result<(bool, String), OpsError> {
        println!(
            "\n$ {}pocket {}",
            if home == "home" { "" } else { "POCKET_HOME=another-home " },
            shell_words(arguments)
        );
        // One pipe for both: a reader wants to see notices and results in the order they came.
        let (reader, writer) = std::io::pipe().map_err(OpsError::io("open a pipe in", &self.folder))?;
        let errors = writer.try_clone().map_err(OpsError::io("open a pipe in", &self.folder))?;
        let mut child = {
            let mut command = self.command(home, arguments);
            command.stdin(Stdio::null()).stdout(writer).stderr(errors);
            command.spawn().map_err(OpsError::io("start", &self.program))?
        };
        let mut text = String::new();
        for line in BufReader::new(reader).lines() {
            let line = line.map_err(OpsError::io("read the output of", &self.program))?;
            indent(&line);
            text.push_str(&line);
            text.push('\n');
        }
        let status = child.wait().map_err(OpsError::io("wait for", &self.program))?;
        if !status.success() {
            println!("    (exit code {})", status.code().unwrap_or(-1));
        }
        Ok((status.success(), text))
    }

    fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("POCKET_HOME", self.folder.join(home))
            .env_remove("POCKET_REGISTRY")
            .env("POCKET_PLUGIN_REDIS_HOST", &self.redis.0)
            .env("POCKET_PLUGIN_REDIS_PORT", &self.redis.1);
        command
    }

    /// Starts the bundled registry on a free port of the loopback address.
    pub fn start_registry(&self) -> Result<RunningRegistry, OpsError> {
        let arguments = ["registry", "serve", "--dir", "registry", "--with-bundled", "--addr", "127.0.0.1:0"];
        println!("\n$ pocket {} &", shell_words(&arguments));
        let mut command = self.command("home", &arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(OpsError::io("start", &self.program))?;
        let stdout = process.stdout.take().expect("the output was piped one line above");
        let mut registry = RunningRegistry { process, url: String::new() };
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(OpsError::io("read the output of", &self.program))?;
            indent(&line);
            if let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://")) {
                url.clone_into(&mut registry.url);
                return Ok(registry);
            }
        }
        Err(OpsError::Demo { message: "the registry did not start".to_owned() })
    }
}

fn shell_words(arguments: &[&str]) -> String {
    arguments
        .iter()
        .map(|word| if word.contains(['^', ' ', '*']) { format!("'{word}'") } else { (*word).to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

fn indent(text: &str) {
    let mut stdout = std::io::stdout().lock();
    for line in text.lines() {
        // A reader that went away (`| head`) ends the showing, not the demo.
        let _ = writeln!(stdout, "    {line}");
    }
}
