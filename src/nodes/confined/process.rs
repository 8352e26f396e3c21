//! A process that works for a node, as the node sees it.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::Stop;

/// How often it is looked whether the run was stopped.
const POLL: Duration = Duration::from_millis(20);
/// The largest message: 256 MiB.
pub(super) const MAX_MESSAGE: u32 = 256 << 20;
/// Its allocator reserves address space in steps of 32 MiB, not of 1 GiB: that is all that it may have, used or not.
const SMALL_STEPS: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "32MiB");
/// How much of what a process says of its end is kept.
const MAX_LAST_WORDS: u64 = 4096;

pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    replies: Receiver<Vec<u8>>,
    last_words: Option<JoinHandle<String>>,
}

/// Why there is no reply.
pub(super) enum Broken {
    /// Its time is up, or nobody waits any more. It must not be asked again.
    TooLate,
    /// It is gone.
    Died,
}

impl Process {
    /// Starts one and tells it its job.
    pub(super) fn start(program: &Path, job: &[u8]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg("__worker").env_clear().env(SMALL_STEPS.0, SMALL_STEPS.1);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let gone = || io::Error::other("it has no pipes");
        let input = child.stdin.take().ok_or_else(gone)?;
        let (mut output, errors) = (child.stdout.take().ok_or_else(gone)?, child.stderr.take().ok_or_else(gone)?);
        let (sender, replies) = sync_channel(1);
        std::thread::spawn(move || {
            while let Ok(message) = receive(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let last_words = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What cannot be read is not said.
            let _ = errors.take(MAX_LAST_WORDS).read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut process = Self { child, input, replies, last_words: Some(last_words) };
        send(&mut process.input, job)?;
        Ok(process)
    }

    /// Asks, and waits for the reply.
    pub(super) fn ask(&mut self, request: &[u8], deadline: Instant, stop: &Stop) -> Result<Vec<u8>, Broken> {
        send(&mut self.input, request).map_err(|_| Broken::Died)?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.replies.recv_timeout(left.min(POLL)) {
                Ok(reply) => return Ok(reply),
                Err(RecvTimeoutError::Disconnected) => return Err(Broken::Died),
                Err(RecvTimeoutError::Timeout) if left.is_zero() || stop.is_stopped() => return Err(Broken::TooLate),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// How it ended, and what it said of that.
    pub(super) fn end(mut self) -> (String, String) {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string());
        let last_words = self.last_words.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        (status, last_words)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a message: its length in four bytes, then itself.
pub(super) fn send(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).ok().filter(|length| *length <= MAX_MESSAGE);
    let length =
        length.ok_or_else(|| io::Error::other(format!("a message of {} bytes is too large", message.len())))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(message)?;
    to.flush()
}

/// Reads a message.
pub(super) fn receive(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MAX_MESSAGE {
        return Err(io::Error::other(format!("a message of {length} bytes is too large")));
    }
    let mut message = Vec::new();
    from.take(length.into()).read_to_end(&mut message)?;
    if message.len() as u64 == u64::from(length) { Ok(message) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_or_not_at_all() {
        let mut pipe = Vec::new();
        send(&mut pipe, b"hello").unwrap();
        send(&mut pipe, b"").unwrap();
        let mut from = pipe.as_slice();
        assert_eq!((receive(&mut from).unwrap(), receive(&mut from).unwrap()), (b"hello".to_vec(), Vec::new()));
        assert!(receive(&mut from).is_err());
        assert!(receive(&mut &pipe[..7]).is_err());
        assert!(receive(&mut [0xff; 8].as_slice()).is_err());
    }
}
