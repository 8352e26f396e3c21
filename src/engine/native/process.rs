//! The process that holds a plugin: started, watched, ended and reported of.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::syscalls::{REFUSED_STATUS, refused_number};
use crate::engine::log::PluginLog;
use crate::engine::plugin::Usage;

/// The hidden subcommand that turns the program into a plugin's host.
pub const HOST_ARGUMENT: &str = "__plugin-host";

/// 20 lines of what the plugin wrote last explain a death without flooding the report.
const KEPT_LINES: usize = 20;

/// 4 KiB: longer lines are taken apart, so that a plugin cannot fill the engine's memory with one line.
const MAX_LINE_BYTES: u64 = 4096;

/// A killed process that takes longer to die hangs in the kernel; nobody waits for it.
const DYING_TIME: Duration = Duration::from_secs(1);

/// A running host process. It is killed when this is dropped.
pub struct HostProcess {
    handle: OwnedFd,
    pid: u32,
    deaths: Receiver<Death>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Death {
    /// What the system says; `None` if it does not say.
    pub status: Option<ExitStatus>,
    /// The system call that the filter refused.
    pub refused: Option<i64>,
    /// What it wrote last to its standard output and error.
    pub last_lines: Vec<String>,
}

impl HostProcess {
    /// Starts `program` as a host. The socket is the engine's end of their conversation.
    pub fn start(program: &Path, plugin: &str, log: PluginLog) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let (output, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command.arg(HOST_ARGUMENT).env_clear();
        command.stdin(OwnedFd::from(theirs)).stdout(writer.try_clone()?).stderr(Stdio::from(writer));
        let (started, starts) = channel();
        let (died, deaths) = channel();
        let watched = Watched { plugin: plugin.to_owned(), log };
        // The host asks to be killed when its parent dies, and its parent is the *thread* that starts it: so that thread must
        // live as long as the host does.
        thread::Builder::new()
            .name(format!("plugin {plugin}"))
            .spawn(move || watched.start_and_watch(command, output, &started, &died))?;
        let (handle, pid) = starts.recv().map_err(|_| io::Error::other("the thread that starts the host ended"))??;
        Ok((Self { handle, pid, deaths }, ours))
    }

    /// How the process ended, if it has.
    pub fn has_died(&self) -> Option<Death> {
        match self.deaths.try_recv() {
            Ok(death) => Some(death),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Death::unknown()),
        }
    }

    /// The bytes of memory that the process uses (`RssAnon`: without files that are mapped, which others share); `None` when the
    /// system does not say.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes << 10)
    }

    /// What the process used so far, as far as the system says.
    pub fn usage(&self) -> Usage {
        let folder = PathBuf::from(format!("/proc/{}", self.pid));
        let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        let peak = peak.map(|kilobytes: u64| kilobytes << 10);
        Usage { memory_peak: peak, processor: processor_time(&folder), ..Usage::default() }
    }

    /// Waits for the process to end by itself; kills it after `patience`.
    pub fn wait(&self, patience: Duration) -> Death {
        match self.deaths.recv_timeout(patience) {
            Ok(death) => death,
            Err(RecvTimeoutError::Timeout) => self.kill(),
            Err(RecvTimeoutError::Disconnected) => Death::unknown(),
        }
    }

    /// Kills the process.
    pub fn kill(&self) -> Death {
        // It fails only for a process that has ended already. The handle never means another process, unlike a number.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        self.deaths.recv_timeout(DYING_TIME).unwrap_or_else(|_| Death::unknown())
    }
}

/// The time that all of a process's threads had on a processor. `schedstat` counts in nanoseconds, `stat` in hundredths of a second.
fn processor_time(folder: &Path) -> Option<Duration> {
    let threads = std::fs::read_dir(folder.join("task")).ok()?;
    let of_thread = |thread: io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.map(of_thread).sum()
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }
}

impl Death {
    fn unknown() -> Self {
        Self { status: None, refused: None, last_lines: Vec::new() }
    }
}

/// What the watching thread needs to know.
struct Watched {
    plugin: String,
    log: PluginLog,
}

impl Watched {
    fn start_and_watch(
        self,
        mut command: Command,
        output: PipeReader,
        started: &Sender<io::Result<(OwnedFd, u32)>>,
        died: &Sender<Death>,
    ) {
        let child = command.spawn();
        drop(command); // closes this process's copies of the child's ends
        let mut child = match child {
            Ok(child) => child,
            Err(error) => return drop(started.send(Err(error))),
        };
        if started.send(handle_of(&child)).is_err() {
            let _ = child.kill();
        }
        let mut lines = LastLines::default();
        self.read_output(output, &mut lines);
        let status = child.wait().ok();
        let refused = lines.take_refused(status);
        let _ = died.send(Death { status, refused, last_lines: lines.0.into() });
    }

    /// Logs and keeps what the plugin writes, until nobody can write any more.
    fn read_output(&self, output: PipeReader, lines: &mut LastLines) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while let Ok(1..) = output.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if refused_number(text).is_none() {
                self.log.write(&self.plugin, text);
            }
            if !text.is_empty() {
                lines.push(text);
            }
            line.clear();
        }
    }
}

fn handle_of(child: &Child) -> io::Result<(OwnedFd, u32)> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the host has no process number"))?;
    Ok((pidfd_open(pid, PidfdFlags::empty())?, child.id()))
}

#[derive(Default)]
struct LastLines(VecDeque<String>);

impl LastLines {
    fn push(&mut self, line: &str) {
        if self.0.len() == KEPT_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
    }

    /// The number of the refused system call, if that is what the process ended with. Its line is no line of the plugin's.
    fn take_refused(&mut self, status: Option<ExitStatus>) -> Option<i64> {
        if status?.code()? != REFUSED_STATUS {
            return None;
        }
        let number = self.0.iter().rev().find_map(|line| refused_number(line));
        self.0.retain(|line| refused_number(line).is_none());
        number
    }
}
