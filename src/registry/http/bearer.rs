//! A token goes to the registry that it is for, with the first request, and with no redirect.

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use super::redirect::check_redirect;
use super::{Http, shown, unreachable};
use crate::registry::error::TransportError;
use crate::registry::token::Token;

/// A token and whom it is for.
#[derive(Debug)]
pub(super) struct Bearer {
    token: Token,
    registry: Url,
    /// Follows no redirect: the next server is none of the token's business, even if it is the same one.
    client: Client,
}

/// Whether a request had a token with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It had.
    WithToken,
    /// It had none.
    WithoutToken,
}

impl Bearer {
    fn is_for(&self, url: &Url) -> bool {
        url.origin() == self.registry.origin()
    }
}

impl Http {
    /// The same client with a token for the registry at `registry`, and for no other origin.
    pub(in crate::registry) fn bearing(&self, token: Token, registry: &Url) -> Result<Self, TransportError> {
        let client = Self::client(Policy::none())?;
        let bearer = Bearer { token, registry: registry.clone(), client };
        Ok(Self { bearer: Some(std::sync::Arc::new(bearer)), ..self.clone() })
    }

    /// The token's header, if it may go there.
    pub(super) fn authorization(&self, url: &Url) -> (HeaderMap, Sent) {
        match self.bearer.as_ref().filter(|bearer| bearer.is_for(url)) {
            Some(bearer) => (HeaderMap::from_iter([(AUTHORIZATION, bearer.token.header())]), Sent::WithToken),
            None => (HeaderMap::new(), Sent::WithoutToken),
        }
    }

    /// Sends a GET request; redirects are followed as far as this client follows them.
    pub(super) async fn fetch(&self, url: &Url, headers: HeaderMap) -> Result<Response, TransportError> {
        let plain = async |url: &Url, headers: HeaderMap| {
            self.client.get(url.clone()).headers(headers).send().await.map_err(|source| unreachable(url, source))
        };
        let Some(bearer) = self.bearer.as_ref().filter(|bearer| bearer.is_for(url)) else {
            return plain(url, headers).await;
        };
        let request = bearer.client.get(url.clone()).headers(headers.clone()).headers(self.authorization(url).0);
        let response = request.send().await.map_err(|source| unreachable(url, source))?;
        match response.status().as_u16() {
            301 | 302 | 303 | 307 | 308 => plain(&next_hop(url, response.headers())?, headers).await,
            _ => Ok(response),
        }
    }
}

/// Where a redirect leads.
pub(in crate::registry) fn next_hop(from: &Url, headers: &HeaderMap) -> Result<Url, TransportError> {
    let refused = |reason: String| TransportError::Redirected { url: shown(from), reason };
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| refused("the redirect names no place".to_owned()))?;
    let to = from.join(location).map_err(|error| refused(format!("the redirect leads nowhere: {error}")))?;
    check_redirect(from, &to).map_err(refused)?;
    Ok(to)
}
