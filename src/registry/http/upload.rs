//! Sending: in pieces, so that it can be told how far it is, and once, for a repeated upload must be the caller's decision.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Body, Response, Url};

use super::bearer::next_hop;
use super::{Http, Progress, patience, read_body, shown, unreachable};
use crate::registry::error::TransportError;

/// 64 KiB at a time.
const PIECE: usize = 64 << 10;
/// How often it is looked how far it is.
const TICK: Duration = Duration::from_millis(100);
/// A registry checks an archive while its sender waits, and asks witnesses: four times the usual patience.
const CHECKING: u32 = 4;

/// A body that counts what was taken of it.
struct Counted {
    rest: Bytes,
    taken: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Http {
    /// Sends `body` once and returns the status and the answer. A redirect is not followed: what is sent is for this server.
    pub(in crate::registry) async fn put(
        &self,
        url: &Url,
        kind: &'static str,
        body: Bytes,
        progress: Progress<'_>,
    ) -> Result<(u16, Bytes), TransportError> {
        let stall = patience()?;
        let (total, taken) = (body.len() as u64, Arc::new(AtomicU64::new(0)));
        // Without the usual time limit: it begins with the request, and would end every upload that takes longer.
        let client = Self::client_that_waits(Policy::none())?;
        let body = Body::wrap(Counted { rest: body, taken: Arc::clone(&taken) });
        let request = client.put(url.clone()).headers(self.authorization(url).0).header(CONTENT_TYPE, kind);
        let sending = std::pin::pin!(request.body(body).send());
        let response = watch(url, sending, &taken, total, stall, progress).await?;
        if response.status().is_redirection() {
            let to = next_hop(url, response.headers())?;
            let reason = format!("what is published is not sent on to {}", shown(&to));
            return Err(TransportError::Redirected { url: shown(url), reason });
        }
        let status = response.status().as_u16();
        let stalled = |_| TransportError::Stalled { url: shown(url), sent: total, total };
        let mut unwatched = |_, _| {};
        let content = read_body(url, response, 1 << 20, &mut unwatched);
        let content = tokio::time::timeout(stall, content).await.map_err(stalled)??;
        Ok((status, content))
    }
}

/// Waits for the answer, tells how much was taken, and gives up where nothing is any more.
async fn watch(
    url: &Url,
    mut sending: Pin<&mut impl Future<Output = reqwest::Result<Response>>>,
    taken: &AtomicU64,
    total: u64,
    stall: Duration,
    progress: Progress<'_>,
) -> Result<Response, TransportError> {
    let (mut known, mut since) = (0, Instant::now());
    loop {
        if let Ok(done) = tokio::time::timeout(TICK, sending.as_mut()).await {
            progress(total, Some(total));
            return done.map_err(|source| unreachable(url, source));
        }
        let now = taken.load(Ordering::Relaxed);
        if now > known {
            (known, since) = (now, Instant::now());
            progress(now, Some(total));
        }
        let patience = if now < total { stall } else { stall.saturating_mul(CHECKING) };
        if since.elapsed() > patience {
            return Err(TransportError::Stalled { url: shown(url), sent: now, total });
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_comes_in_pieces_and_is_counted() {
        let taken = Arc::new(AtomicU64::new(0));
        let content = Bytes::from(vec![7; 3 * PIECE + 1]);
        let mut body = Counted { rest: content.clone(), taken: Arc::clone(&taken) };
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(content.len() as u64));
        let first = body.frame().await.expect("a piece").expect("it cannot fail");
        assert_eq!((first.into_data().expect("data").len(), taken.load(Ordering::Relaxed)), (PIECE, PIECE as u64));
        let rest = body.collect().await.expect("it cannot fail").to_bytes();
        assert_eq!((rest.len(), taken.load(Ordering::Relaxed)), (2 * PIECE + 1, content.len() as u64));
    }
}
