//! A connection that gives up on who never begins, and on a reader who takes next to nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A reader that takes less than this within the patience is given up.
const LEAST: usize = 64 << 10;

/// A stream whose other end must begin, and must take what is written. What else is read is timed elsewhere: headers by the HTTP
/// server, bodies by who reads them.
pub(crate) struct Guarded<S> {
    stream: S,
    patience: Duration,
    /// Until when the first byte must come; none once it came.
    beginning: Option<Pin<Box<Sleep>>>,
    /// Since when a write waits, and what was taken meanwhile.
    waiting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Guarded<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        let beginning = Some(Box::pin(tokio::time::sleep(patience)));
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
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(beginning) = &mut self.beginning else { return read };
        if read.is_ready() {
            self.beginning = None;
            return read;
        }
        ready!(beginning.as_mut().poll(context));
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
