//! `pocket … serve` as a process of its own, ended by its own process id.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use super::{POCKET, Sandbox};

/// A program that serves until it is dropped.
pub struct Served {
    process: Child,
    pub url: String,
}

impl Served {
    /// Starts `pocket` in a sandbox and waits until it says where it listens.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.command(POCKET);
        command.args(arguments).arg("--quiet").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim_end().strip_prefix("serving ").map(str::to_owned) else {
            let mut said = String::new();
            process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("it does not serve: {line}{said}");
        };
        Self { process, url }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// Ends it at once, as a crash would, and returns what it said.
    pub fn kill(mut self) -> String {
        self.end();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}
