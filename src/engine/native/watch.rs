//! The thread that watches a host process from its start to its end: what it writes, what it uses, how it died.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::fault::Fault;
use super::syscalls::{REFUSED_STATUS, refused_number};
use super::usage::{Allowance, Overuse};
use crate::engine::log::PluginLog;

/// How often a process is looked at, also between calls: its threads go on then. One look takes some 30 µs.
const INTERVAL: Duration = Duration::from_millis(50);

/// 20 lines of what the plugin wrote last explain a death without flooding the report.
const KEPT_LINES: usize = 20;

/// 4 KiB: longer lines are taken apart, so that a plugin cannot fill the engine's memory with one line.
const MAX_LINE_BYTES: usize = 4096;

/// How the last words of Go start. Hundreds of lines may follow.
const PANICS: [&str; 2] = ["panic: ", "fatal error: "];

/// How a process ended.
#[derive(Debug, Default)]
pub struct Death {
    /// What the system says; `None` if it does not say.
    pub status: Option<ExitStatus>,
    /// The system call that the filter refused.
    pub refused: Option<i64>,
    /// Where it crashed.
    pub fault: Option<Fault>,
    /// What it used too much of, so that it was ended.
    pub overuse: Option<Overuse>,
    /// What it wrote last to its standard output and error.
    pub last_lines: Vec<String>,
    /// The line with which its language's runtime gave up, which a trace of calls may follow.
    pub panic: Option<String>,
}

/// What the watching thread needs to know.
pub struct Watched {
    /// The plugin's name.
    pub plugin: String,
    /// Where the plugin's lines go.
    pub log: PluginLog,
    /// What the process may use.
    pub allowance: Allowance,
}

/// A process under watch.
struct Process {
    child: Child,
    handle: OwnedFd,
}

impl Watched {
    /// Starts `command`, tells `started` a handle and the number of the process, and `died` how it ended.
    pub fn start_and_watch(
        self,
        mut command: Command,
        output: PipeReader,
        started: &Sender<io::Result<(OwnedFd, u32)>>,
        died: &Sender<Death>,
    ) {
        let process = command.spawn().and_then(Process::new);
        drop(command); // closes this process's copies of the child's ends
        let (handle, process) = match process.and_then(|process| Ok((process.handle.try_clone()?, process))) {
            Ok(both) => both,
            Err(error) => return drop(started.send(Err(error))),
        };
        if started.send(Ok((handle, process.child.id()))).is_err() {
            return process.end();
        }
        let _ = died.send(self.watch(process, output));
    }

    fn watch(self, mut process: Process, output: PipeReader) -> Death {
        let mut lines = Lines { watched: &self, kept: VecDeque::new(), panic: None, line: Vec::new() };
        let mut output = ioctl_fionbio(&output, true).is_ok().then_some(output);
        let mut overuse = None;
        let mut last_look = Instant::now();
        while process.wait(output.as_ref(), INTERVAL) {
            if output.as_mut().is_some_and(|output| lines.read(output) == Output::Closed) {
                output = None; // it closed its standard output and error, and goes on
            }
            if overuse.is_none() && last_look.elapsed() >= INTERVAL {
                overuse = self.allowance.exceeded_by(process.child.id());
                if overuse.is_some() {
                    process.kill();
                }
                last_look = Instant::now();
            }
        }
        if let Some(mut output) = output {
            while lines.read(&mut output) == Output::More {}
        }
        lines.end_line();
        let status = process.child.wait().ok();
        let refused = lines.take_refused(status);
        let fault = lines.take_fault();
        Death { status, refused, fault, overuse, panic: lines.panic, last_lines: lines.kept.into() }
    }
}

impl Process {
    fn new(mut child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the host has no process number"));
        match pid.and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?)) {
            Ok(handle) => Ok(Self { child, handle }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// Waits until something is written, the process ends, or `interval` is over. Whether the process lives.
    fn wait(&self, output: Option<&PipeReader>, interval: Duration) -> bool {
        let interval = Timespec::try_from(interval).expect("50 ms fit");
        let mut watched = vec![PollFd::new(&self.handle, PollFlags::IN)];
        watched.extend(output.map(|output| PollFd::new(output, PollFlags::IN)));
        // An interrupted wait is looked at like any other.
        let _ = poll(&mut watched, Some(&interval));
        watched[0].revents().is_empty()
    }

    /// The handle never means another process, unlike a number. It fails only for a process that has ended already.
    fn kill(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    fn end(mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// What is left of a process's output.
#[derive(PartialEq, Eq)]
enum Output {
    /// Perhaps more at once.
    More,
    /// Nothing at the moment.
    NothingNow,
    /// Nobody can write any more.
    Closed,
}

/// The lines that a plugin writes: each goes to the log, the last ones are kept.
struct Lines<'a> {
    watched: &'a Watched,
    kept: VecDeque<String>,
    panic: Option<String>,
    line: Vec<u8>,
}

impl Lines<'_> {
    fn read(&mut self, output: &mut PipeReader) -> Output {
        let mut chunk = [0; 8 << 10];
        match output.read(&mut chunk) {
            Ok(0) => Output::Closed,
            Ok(read) => {
                self.add(&chunk[..read]);
                Output::More
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => Output::NothingNow,
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted) => Output::More,
            Err(_) => Output::Closed,
        }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = MAX_LINE_BYTES - self.line.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(room.min(bytes.len()));
            self.line.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken + usize::from(end.is_some())..];
            if end.is_some() || self.line.len() == MAX_LINE_BYTES {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        if refused_number(text).is_none() && Fault::parse(text).is_none() {
            self.watched.log.write(&self.watched.plugin, text);
        }
        if self.kept.len() == KEPT_LINES {
            self.kept.pop_front();
        }
        if PANICS.iter().any(|start| text.starts_with(start)) {
            self.panic = Some(text.to_owned());
        }
        self.kept.push_back(text.to_owned());
    }

    /// The number of the refused system call, if that is what the process ended with. Its line is no line of the plugin's.
    fn take_refused(&mut self, status: Option<ExitStatus>) -> Option<i64> {
        if status?.code()? != REFUSED_STATUS {
            return None;
        }
        let number = self.kept.iter().rev().find_map(|line| refused_number(line));
        self.kept.retain(|line| refused_number(line).is_none());
        number
    }

    /// Where it crashed, if its handler could say so.
    fn take_fault(&mut self) -> Option<Fault> {
        let fault = self.kept.iter().rev().find_map(|line| Fault::parse(line));
        self.kept.retain(|line| Fault::parse(line).is_none());
        fault
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&seen);
        let log = PluginLog::new(move |line| sink.lock().expect("no test panics").push(line.text.to_owned()));
        let watched = Watched { plugin: "p".to_owned(), log, allowance: Allowance { memory: 1, threads: 1 } };
        let mut lines = Lines { watched: &watched, kept: VecDeque::new(), panic: None, line: Vec::new() };
        chunks.iter().for_each(|chunk| lines.add(chunk));
        lines.end_line();
        let logged = seen.lock().expect("no test panics").clone();
        assert_eq!(lines.kept, &logged[logged.len().saturating_sub(KEPT_LINES)..]);
        logged
    }

    #[test]
    fn lines_are_put_together_and_endless_ones_are_taken_apart() {
        assert_eq!(lines_of(&[b"on", b"e\n\ntw", b"o\nthree"]), ["one", "two", "three"]);
        let endless = lines_of(&[&vec![b'x'; 10_000], b"\nend\n"]);
        assert_eq!(endless.iter().map(String::len).collect::<Vec<_>>(), [4096, 4096, 1808, 3]);
        assert_eq!(lines_of(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn the_last_lines_are_kept() {
        let many: Vec<u8> = (0..100).flat_map(|i| format!("{i}\n").into_bytes()).collect();
        assert_eq!(lines_of(&[&many]).len(), 100);
    }
}
