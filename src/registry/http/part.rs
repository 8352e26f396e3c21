//! Parts of a file that never changes.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use reqwest::header::RANGE;
use reqwest::{Response, StatusCode, Url};

use super::download::starts_at;
use super::retry::{Failed, Retries};
use super::{Http, next_piece, shown, successful, unreachable};
use crate::registry::error::TransportError;

/// What a server sends that was asked for a part.
pub(in crate::registry) enum Part {
    /// The part.
    Part(Bytes),
    /// All of the file: it knows no ranges.
    Whole(Bytes),
}

impl Http {
    /// These bytes of the file at `url`, which has `length` of them.
    pub(in crate::registry) async fn get_part(
        &self,
        url: &Url,
        part: &Range<u64>,
        length: u64,
    ) -> Result<Part, TransportError> {
        let mut retries = Retries::new();
        loop {
            match self.try_get_part(url, part, length).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => retries.wait_after(failed).await?,
            }
        }
    }

    async fn try_get_part(&self, url: &Url, part: &Range<u64>, length: u64) -> Result<Part, Failed> {
        let _permit = self.permit().await;
        let range = format!("bytes={}-{}", part.start, part.end.saturating_sub(1));
        let sent = self.client.get(url.clone()).header(RANGE, range).send().await;
        let response = successful(url, sent.map_err(|source| unreachable(url, source))?)?;
        if response.status() == StatusCode::PARTIAL_CONTENT && starts_at(response.headers(), part.start) {
            let content = body(url, response, part.end - part.start).await?;
            return Ok(Part::Part(content));
        }
        Ok(Part::Whole(body(url, response, length).await?))
    }
}

/// At most `limit` bytes, of which nobody is told how many have come.
async fn body(url: &Url, mut response: Response, limit: u64) -> Result<Bytes, TransportError> {
    let expected = response.content_length();
    let mut content = BytesMut::new();
    while let Some(piece) = next_piece(url, &mut response, content.len() as u64, expected).await? {
        content.extend_from_slice(&piece);
        if content.len() as u64 > limit {
            return Err(TransportError::TooLarge { url: shown(url), limit });
        }
    }
    Ok(content.freeze())
}
