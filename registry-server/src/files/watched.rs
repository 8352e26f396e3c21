//! A file on its way to a reader, that is closed if the reader takes nothing.
//!
//! A connection on which nothing is taken is given up (`serve::guard`). A reader of HTTP/2 can take nothing of one answer on a
//! connection that lives; then the answer is given up here, and with it the open file or the connection to a bucket.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::storage::{Pieces, StorageError};

/// For one piece of up to 256 KiB. It is as slow as the slowest reader on HTTP/1, who takes 64 KiB in 30 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// The pieces of a file, as long as somebody takes them.
pub(super) struct Watched {
    pieces: Arc<Mutex<Taken>>,
    watching: JoinHandle<()>,
}

/// None once it was given up.
struct Taken {
    pieces: Option<Pieces>,
    /// When the reader asked last.
    asked: Instant,
}

impl Watched {
    pub fn new(pieces: Pieces) -> Self {
        Self::with_patience(pieces, PATIENCE)
    }

    fn with_patience(pieces: Pieces, patience: Duration) -> Self {
        let pieces = Arc::new(Mutex::new(Taken { pieces: Some(pieces), asked: Instant::now() }));
        let watched = Arc::clone(&pieces);
        let watching = tokio::spawn(async move {
            loop {
                let until = lock(&watched).asked + patience;
                tokio::time::sleep_until(until).await;
                let mut taken = lock(&watched);
                if taken.asked + patience <= Instant::now() {
                    taken.pieces = None;
                    return;
                }
            }
        });
        Self { pieces, watching }
    }
}

/// A reader that panicked here left nothing half-done.
fn lock(taken: &Mutex<Taken>) -> std::sync::MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Watched {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut taken = lock(&self.pieces);
        taken.asked = Instant::now();
        match &mut taken.pieces {
            Some(pieces) => pieces.poll_next_unpin(context).map_err(StorageError::into),
            None => Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the reader took nothing").into()))),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::sync::oneshot;

    use super::*;

    /// Three pieces, and who hears when they are dropped.
    fn pieces() -> (Pieces, oneshot::Receiver<()>) {
        let (open, closed) = oneshot::channel::<()>();
        let pieces = stream::iter([1_u8, 2, 3]).map(move |piece| {
            // The stream keeps it.
            let _ = &open;
            Ok(Bytes::from(vec![piece]))
        });
        (pieces.boxed(), closed)
    }

    #[tokio::test]
    async fn a_file_that_nobody_takes_is_closed_and_its_answer_broken() {
        let (pieces, closed) = pieces();
        let mut watched = Watched::with_patience(pieces, Duration::from_millis(20));
        assert_eq!(watched.next().await.expect("a piece").expect("it is read"), Bytes::from_static(&[1]));
        closed.await.expect_err("it is dropped while the answer lives");
        watched.next().await.expect("not the end").expect_err("the rest is not passed off as the end");
    }

    #[tokio::test]
    async fn a_file_that_is_taken_is_whole_and_closed_with_its_answer() {
        let (pieces, closed) = pieces();
        let watched = Watched::with_patience(pieces, Duration::from_secs(600));
        assert_eq!(watched.filter_map(async |piece| piece.ok()).count().await, 3);
        closed.await.expect_err("it is dropped with the answer");
    }
}
