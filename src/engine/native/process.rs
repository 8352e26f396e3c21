//! The process that holds a plugin: started, waited for, killed.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use super::usage;
use super::watch::{Death, Watched};
use crate::engine::plugin::Usage;

/// The hidden subcommand that turns the program into a plugin's host.
pub const HOST_ARGUMENT: &str = "__plugin-host";

/// A killed process that takes longer to die hangs in the kernel; nobody waits for it.
const DYING_TIME: Duration = Duration::from_secs(1);

/// A running host process. It is killed when this is dropped.
pub struct HostProcess {
    handle: OwnedFd,
    pid: u32,
    deaths: Receiver<Death>,
}

impl HostProcess {
    /// Starts `program` as a host in `folder`. The socket is the engine's end of their conversation.
    pub fn start(program: &Path, folder: &Path, watched: Watched) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let (output, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command.arg(HOST_ARGUMENT).env_clear().current_dir(folder);
        command.stdin(OwnedFd::from(theirs)).stdout(writer.try_clone()?).stderr(Stdio::from(writer));
        let (started, starts) = channel();
        let (died, deaths) = channel();
        // The host asks to be killed when its parent dies, and its parent is the *thread* that starts it: so that thread must
        // live as long as the host does.
        thread::Builder::new()
            .name(format!("plugin {}", watched.plugin))
            .spawn(move || watched.start_and_watch(command, output, &started, &died))?;
        let (handle, pid) = starts.recv().map_err(|_| io::Error::other("the thread that starts the host ended"))??;
        Ok((Self { handle, pid, deaths }, ours))
    }

    /// How the process ended, if it has.
    pub fn has_died(&self) -> Option<Death> {
        match self.deaths.try_recv() {
            Ok(death) => Some(death),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Death::default()),
        }
    }

    /// What the process used so far, as far as the system says.
    pub fn usage(&self) -> Usage {
        usage::of(self.pid)
    }

    /// Waits for the process to end by itself; `None` if it lives on after `patience`.
    pub fn wait(&self, patience: Duration) -> Option<Death> {
        match self.deaths.recv_timeout(patience) {
            Ok(death) => Some(death),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Death::default()),
        }
    }

    /// Kills the process.
    pub fn kill(&self) -> Death {
        self.send_kill();
        self.deaths.recv_timeout(DYING_TIME).unwrap_or_default()
    }

    /// It fails only for a process that has ended already. The handle never means another process, unlike a number.
    fn send_kill(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.send_kill();
    }
}
