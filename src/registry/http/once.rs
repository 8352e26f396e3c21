//! Answers of any status, for those who read more in them than a file: an API.

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;

use super::retry::{Failed, Retries, retry_after};
use super::{Http, read_body, shown};
use crate::registry::error::TransportError;

/// An answer of any status.
pub(in crate::registry) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Http {
    /// A client that leaves redirects to its user.
    pub(in crate::registry) fn without_redirects() -> Result<Self, TransportError> {
        Self::build(Policy::none())
    }

    /// One answer, whatever its status. Only a server that fails or stays away is asked again.
    pub(in crate::registry) async fn reply(
        &self,
        url: &Url,
        headers: &HeaderMap,
        limit: u64,
    ) -> Result<Reply, TransportError> {
        let mut retries = Retries::new();
        loop {
            match self.try_reply(url, headers.clone(), limit).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => retries.wait_after(failed).await?,
            }
        }
    }

    async fn try_reply(&self, url: &Url, headers: HeaderMap, limit: u64) -> Result<Reply, Failed> {
        let _permit = self.permit().await;
        let response = self.fetch(url, headers).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if matches!(status, 500 | 502 | 503 | 504) {
            let error = TransportError::Status { url: shown(url), status, message: None };
            return Err(Failed { error, wait: retry_after(&headers) });
        }
        let body = read_body(url, response, limit, &mut |_, _| {}).await?;
        Ok(Reply { status, headers, body })
    }
}
