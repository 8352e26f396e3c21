//! A connection that gives up on who never begins, or begins with half of what tells HTTP/2 from HTTP/1, and on a reader who takes next to nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A reader that takes less than this within the patience is given up.
const LEAST: usize = 64 << 10;
/// What a connection of HTTP/2 begins with. Who sends a part of it and stops has begun nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose other end must begin, and must take what is written. What else is read is timed elsewhere: headers by the HTTP
/// server, bodies by who reads them.
pub(crate) struct Guarded<S> {
    stream: S,
    patience: Duration,
    /// Until when it must be seen which HTTP is spoken, and how much of the preface came; none once it was seen.
    beginning: Option<(Pin<Box<Sleep>>, usize)>,
    /// Since when a write waits, and what was taken meanwhile.
    waiting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Guarded<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        let beginning = Some((Box::pin(tokio::time::sleep(patience)), 0));
        Self { stream, patience, beginning, waiting: None }
    }

    fn written(&mut self, count: usize, wanted: usize) {
        if let Some((_, taken)) = &mut self.waiting {
            *taken += count;
            if count == wanted || *taken >= LEAST {
                self.waiting = None;
            }
        }
    }

    fn waits(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let patience = self.patience;
        let waiting =
            self.waiting.get_or_insert_with(|| (Box::pin(tokio::time::sleep_until(Instant::now() + patience)), 0));
        ready!(waiting.0.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some((until, seen)) = &mut self.beginning else { return read };
        if read.is_ready() {
            let came = &buffer.filled()[before..];
            // From the first byte that differs on, the HTTP server waits for the headers no longer than it should.
            let is_begun =
                came.is_empty() || !PREFACE[*seen..].starts_with(came) || *seen + came.len() == PREFACE.len();
            *seen += came.len();
            if is_begun {
                self.beginning = None;
            }
            return read;
        }
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.waits(context),
            Poll::Ready(Ok(count)) => {
                self.written(count, bytes.len());
                Poll::Ready(Ok(count))
            }
            failed => failed,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Pending => self.waits(context),
            Poll::Ready(Ok(count)) => {
                self.written(count, slices.iter().map(|slice| slice.len()).sum());
                Poll::Ready(Ok(count))
            }
            failed => failed,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_never_begins_is_given_up() {
        let (silent, _kept) = tokio::io::duplex(1_000);
        let error = Guarded::new(silent, Duration::from_millis(20)).read_u8().await.expect_err("nothing came");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_begins_as_http_2_does_and_stops_is_given_up() {
        for length in [1, 14, 16, 23] {
            let (stopped, mut other) = tokio::io::duplex(1_000);
            other.write_all(&PREFACE[..length]).await.expect("there is room");
            let mut guarded = Guarded::new(stopped, Duration::from_millis(20));
            let error = guarded.read_to_end(&mut Vec::new()).await.expect_err("it stopped");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{length}");
        }
        let http_1: &[u8] = b"PUT /api/v1/publish";
        for begun in [PREFACE, http_1] {
            let (stream, mut other) = tokio::io::duplex(1_000);
            let mut guarded = Guarded::new(stream, Duration::from_millis(20));
            for byte in begun {
                other.write_all(&[*byte]).await.expect("there is room");
                assert_eq!(guarded.read_u8().await.expect("it came"), *byte);
            }
            assert!(guarded.beginning.is_none(), "what comes next is timed elsewhere");
        }
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up_and_one_that_reads_is_not() {
        let (stuck, _kept) = tokio::io::duplex(1_000);
        let error = Guarded::new(stuck, Duration::from_millis(20)).write_all(&[0; 2_000]).await.expect_err("stuck");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (read, mut reader) = tokio::io::duplex(64 << 10);
        let reading = tokio::spawn(async move { reader.read_to_end(&mut Vec::new()).await });
        let mut guarded = Guarded::new(read, Duration::from_secs(60));
        guarded.write_all(&vec![0; 10 << 20]).await.expect("it is read");
        drop(guarded);
        assert_eq!(reading.await.expect("it ends").expect("all came"), 10 << 20);
    }
}
