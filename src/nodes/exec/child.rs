//! One child process: it is fed, read and waited for, and dies with everything that it started.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::Stop;

/// How much of each output stream is kept: 1 MiB. The rest is read and dropped, so that the program does not block.
const MAX_OUTPUT: usize = 1 << 20;
/// How often it is looked whether the program has ended.
const POLL: Duration = Duration::from_millis(5);
/// How long the rest of the output may take after the program ended.
const DRAIN: Duration = Duration::from_secs(1);

/// What became of a program.
pub(super) struct Ended {
    /// How it ended; none if it was killed because its time was up, or nobody waits any more.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// Whether it printed more than is kept.
    pub(super) is_truncated: bool,
}

/// Runs a program to its end, to the deadline, or until it is stopped.
pub(super) fn run(mut command: Command, input: String, deadline: Instant, stop: &Stop) -> io::Result<Ended> {
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Nobody waits for this thread: a program need not read its input.
        std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let (stdout, stderr) = (child.stdout.take().map(Collected::of), child.stderr.take().map(Collected::of));
    let has_ended = wait(&mut child, deadline, stop);
    // What the program started and left behind goes with it. It is not reaped yet, so that its group cannot be another's.
    kill_group(&mut child);
    let status = child.wait()?;
    let is_done = has_ended?;
    let (stdout, stderr) =
        (stdout.map(Collected::taken).unwrap_or_default(), stderr.map(Collected::taken).unwrap_or_default());
    Ok(Ended {
        status: is_done.then_some(status),
        is_truncated: stdout.is_truncated || stderr.is_truncated,
        stdout: String::from_utf8_lossy(&stdout.bytes).into_owned(),
        stderr: String::from_utf8_lossy(&stderr.bytes).into_owned(),
    })
}

/// A stream that is read to its end on a thread of its own; its beginning is kept.
struct Collected {
    kept: Arc<Mutex<Kept>>,
    end: Receiver<()>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    is_truncated: bool,
}

impl Collected {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (ended, end) = mpsc::channel();
        let ours = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                let room = MAX_OUTPUT.saturating_sub(kept.bytes.len());
                kept.bytes.extend_from_slice(&buffer[..count.min(room)]);
                kept.is_truncated |= count > room;
            }
            // The receiver may have given up.
            let _ = ended.send(());
        });
        Self { kept, end }
    }

    /// What was kept of the stream.
    fn taken(self) -> Kept {
        // A process that left the group may hold the stream open for ever; what came so far has to do.
        let _ = self.end.recv_timeout(DRAIN);
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits for the program's end; false when its time was up or nobody waits any more.
fn wait(child: &mut Child, deadline: Instant, stop: &Stop) -> io::Result<bool> {
    loop {
        if has_ended(child)? {
            return Ok(true);
        }
        if Instant::now() >= deadline || !stop.sleep(POLL) {
            return Ok(false);
        }
    }
}

/// Whether the program has ended. It stays to be reaped.
#[cfg(target_os = "linux")]
fn has_ended(child: &mut Child) -> io::Result<bool> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let Some(pid) = process_id(child) else { return Ok(true) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

#[cfg(not(target_os = "linux"))]
fn has_ended(child: &mut Child) -> io::Result<bool> {
    Ok(child.try_wait()?.is_some())
}

#[cfg(target_os = "linux")]
fn process_id(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
}

/// Kills the program and everything in its group. That some of it has ended already is no error.
fn kill_group(child: &mut Child) {
    #[cfg(target_os = "linux")]
    if let Some(group) = process_id(child) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
}
