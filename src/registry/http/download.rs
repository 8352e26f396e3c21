//! Archives by HTTP: kept on disk as they come, taken up where they were cut, digested on the way.

use std::io;

use bytes::{Bytes, BytesMut};
use pocket_index::digest::Digested;
use reqwest::header::{CONTENT_RANGE, HeaderMap, RANGE};
use reqwest::{Response, StatusCode, Url};

use super::retry::{Failed, Retries};
use super::{Http, Progress, next_piece, shown, successful, unreachable};
use crate::registry::cache::Partial;
use crate::registry::error::TransportError;

/// 1 MiB at a time goes to the disk, on another thread than the one that waits for the network.
const PIECE: usize = 1 << 20;

/// How a server answers a request for the rest of a file.
enum Resumed {
    /// With the rest.
    Part(Response),
    /// With all of it: it knows no ranges, or the file is another one.
    Whole(Response),
    /// There is no such rest.
    Nothing,
}

impl Http {
    /// The archive at `url`, at most `limit` bytes of it, begun with what `partial` has of it already.
    ///
    /// The bytes may be others than those that `partial` was made for: whoever verifies them says so. Nothing of them is
    /// kept then, so that the next attempt begins anew.
    pub(in crate::registry) async fn download(
        &self,
        url: &Url,
        limit: u64,
        mut partial: Partial,
        progress: Progress<'_>,
    ) -> Result<Digested<'static>, TransportError> {
        let mut retries = Retries::new();
        let resumed = partial.len() > 0;
        loop {
            let outcome = self.try_download(url, limit, &mut partial, progress).await;
            retries.got_to(partial.len());
            match outcome {
                Ok(()) if !resumed || partial.is_right() => return finish(partial).await,
                // What an earlier run left was no beginning of this file.
                Ok(()) => {
                    partial.restart();
                    self.try_download(url, limit, &mut partial, progress).await.map_err(|failed| failed.error)?;
                    return finish(partial).await;
                }
                Err(failed) => retries.wait_after(failed).await?,
            }
        }
    }

    async fn try_download(
        &self,
        url: &Url,
        limit: u64,
        partial: &mut Partial,
        progress: Progress<'_>,
    ) -> Result<(), Failed> {
        let _permit = self.permit().await;
        if partial.is_right() {
            return Ok(());
        }
        let response = match self.rest(url, partial.len()).await? {
            Resumed::Part(response) => response,
            Resumed::Whole(response) => {
                partial.restart();
                response
            }
            Resumed::Nothing => {
                partial.restart();
                successful(url, self.request(url, 0).await?)?
            }
        };
        receive(url, response, limit, partial, progress).await.map_err(Failed::from)
    }

    async fn rest(&self, url: &Url, from: u64) -> Result<Resumed, Failed> {
        let response = self.request(url, from).await?;
        if from == 0 {
            return successful(url, response).map(Resumed::Whole);
        }
        Ok(match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(response.headers(), from) => Resumed::Part(response),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Resumed::Nothing,
            _ => Resumed::Whole(successful(url, response)?),
        })
    }

    /// Asks for what stands behind the first `from` bytes. No `If-Range`: the digest of the whole is known before, so a file that
    /// changed meanwhile is noticed in any case.
    async fn request(&self, url: &Url, from: u64) -> Result<Response, TransportError> {
        let mut request = self.client.get(url.clone());
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        request.send().await.map_err(|source| unreachable(url, source))
    }
}

async fn receive(
    url: &Url,
    mut response: Response,
    limit: u64,
    partial: &mut Partial,
    progress: Progress<'_>,
) -> Result<(), TransportError> {
    let expected = response.content_length().map(|rest| partial.len() + rest);
    let too_large = || TransportError::TooLarge { url: shown(url), limit };
    if expected.is_some_and(|expected| expected > limit) {
        return Err(too_large());
    }
    let mut waiting = BytesMut::new();
    loop {
        let received = partial.len() + waiting.len() as u64;
        let piece = next_piece(url, &mut response, received, expected).await;
        if let Ok(Some(piece)) = &piece {
            waiting.extend_from_slice(piece);
        }
        let received = partial.len() + waiting.len() as u64;
        if received > limit {
            return Err(too_large());
        }
        progress(received, expected);
        // What came before the cut is kept too.
        if waiting.len() >= PIECE || !matches!(piece, Ok(Some(_))) {
            keep(partial, waiting.split().freeze()).await;
        }
        if piece?.is_none() {
            return Ok(());
        }
    }
}

/// Digests and writes a piece on a thread that may wait for the disk.
async fn keep(partial: &mut Partial, piece: Bytes) {
    let mut taken = std::mem::take(partial);
    let kept = tokio::task::spawn_blocking(move || {
        taken.take(&piece);
        taken
    });
    // A thread that panicked leaves an empty partial, which has the wrong digest.
    *partial = kept.await.unwrap_or_default();
}

async fn finish(partial: Partial) -> Result<Digested<'static>, TransportError> {
    let finished = tokio::task::spawn_blocking(move || partial.finish()).await;
    finished.map_err(|error| TransportError::Io {
        doing: "write",
        path: "the cache".into(),
        source: io::Error::other(error),
    })
}

/// Whether the answer begins where it was asked to: `Content-Range: bytes 100-199/200`.
pub(super) fn starts_at(headers: &HeaderMap, from: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start == Some(from)
}
