//! The engine's end of the socket to a host process: whole messages before a deadline, each with one system call.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::descriptor;
use super::frame::{Arrivals, FrameError, encode};
use super::message::ToHost;

/// How long a read waits before the deadline is looked at: a call whose deadline is further away than that costs one system call
/// less, because nothing must be waited for beside the read itself.
const SLICE: Duration = Duration::from_secs(1);

/// The engine's end.
pub struct Link {
    socket: UnixStream,
    arrivals: Arrivals,
    reading: Reading,
}

/// How the socket is read while the deadline is far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// A read waits for itself, for a slice of time at most.
    InSlices,
    /// Each read is waited for.
    Polled,
}

impl Link {
    /// Talks over `socket`.
    pub fn new(socket: UnixStream) -> Self {
        let sliced = socket.set_read_timeout(Some(SLICE)).is_ok();
        let reading = if sliced { Reading::InSlices } else { Reading::Polled };
        Self { socket, arrivals: Arrivals::default(), reading }
    }

    /// Sends a message that belongs to the question of that number.
    pub fn send(&mut self, number: u32, message: &ToHost<'_>, deadline: Instant) -> Result<(), FrameError> {
        let (tag, fields) = message.fields();
        self.send_rest(&encode(number, tag, &fields)?, deadline)
    }

    /// Sends a message with a copy of `descriptor`.
    pub fn send_with(
        &mut self,
        number: u32,
        message: &ToHost<'_>,
        descriptor: BorrowedFd<'_>,
        deadline: Instant,
    ) -> Result<(), FrameError> {
        let (tag, fields) = message.fields();
        let bytes = encode(number, tag, &fields)?;
        loop {
            self.wait(PollFlags::OUT, deadline)?;
            match descriptor::send(&self.socket, &bytes, descriptor, SendFlags::DONTWAIT) {
                Ok(sent) => return self.send_rest(&bytes[sent..], deadline),
                Err(error) if is_momentary(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The body of the next message, which may have `limit` bytes at most.
    pub fn receive(&mut self, limit: usize, deadline: Instant) -> Result<Vec<u8>, FrameError> {
        loop {
            if let Some(body) = self.arrivals.take(limit)? {
                return Ok(body);
            }
            let is_far = deadline.saturating_duration_since(Instant::now()) > SLICE;
            let flags = if is_far && self.reading == Reading::InSlices {
                RecvFlags::empty()
            } else {
                self.wait(PollFlags::IN, deadline)?;
                RecvFlags::DONTWAIT
            };
            let socket = &self.socket;
            match self.arrivals.fill(|room| Ok(recv(socket, room, flags)?.0)) {
                Err(FrameError::TimedOut) => {} // woken for nothing: the deadline is looked at above
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                filled => filled?,
            }
        }
    }

    fn send_rest(&self, mut bytes: &[u8], deadline: Instant) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::AGAIN | Errno::INTR) => self.wait(PollFlags::OUT, deadline)?,
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    /// Waits until the socket is ready for `what`, or until the deadline.
    fn wait(&self, what: PollFlags, deadline: Instant) -> Result<(), FrameError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(FrameError::TimedOut);
            }
            // A deadline too far away for the system is none.
            let left = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(&self.socket, what)], left.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(FrameError::Io(error.into())),
            }
        }
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_at_the_deadline_in_both_directions() {
        let (ours, _theirs) = UnixStream::pair().expect("a socket pair");
        let mut link = Link::new(ours);
        let soon = || Instant::now() + Duration::from_millis(5);
        assert!(matches!(link.receive(100, soon()), Err(FrameError::TimedOut)));
        let large = "x".repeat(8 << 20); // more than a socket holds, and nobody reads
        assert!(matches!(link.send(1, &ToHost::Start(&large), soon()), Err(FrameError::TimedOut)));
    }

    #[test]
    fn waiting_for_an_answer_ends_at_a_deadline_that_is_further_away_than_a_slice() {
        let (ours, _theirs) = UnixStream::pair().expect("a socket pair");
        let mut link = Link::new(ours);
        assert_eq!(link.reading, Reading::InSlices);
        let deadline = Instant::now() + SLICE + Duration::from_millis(50);
        assert!(matches!(link.receive(100, deadline), Err(FrameError::TimedOut)));
        assert!(Instant::now() >= deadline, "not before it");
    }

    #[test]
    fn a_closed_socket_is_told_from_a_deadline() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        drop(theirs);
        let mut link = Link::new(ours);
        let soon = Instant::now() + Duration::from_secs(60);
        assert!(matches!(link.receive(100, soon), Err(FrameError::Closed)));
        assert!(matches!(link.send(1, &ToHost::Stop, soon), Err(FrameError::Closed)));
    }
}
