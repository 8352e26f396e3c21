//! Connects to the addresses that were checked, and to no others.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Response};

use super::hop::Hop;
use super::{HttpResponse, request};
use crate::engine::budget::Limits;
use crate::engine::error::{CallError, CallErrorKind};

/// Places whose connections are kept; the one that was used longest ago makes room.
const MAX_PLACES: usize = 16;

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// The connections of one plugin. Each place has a client of its own, which knows the checked addresses of that place only.
#[derive(Default)]
pub(super) struct Connections {
    recent: Mutex<Vec<Place>>,
    /// Authorities that are believed besides the system's.
    authorities: Vec<Certificate>,
}

struct Place {
    host: String,
    port: u16,
    /// In order, so that a name server that takes turns leads to the same place.
    addresses: Vec<SocketAddr>,
    client: Client,
}

/// Answers with the checked addresses, whatever the name.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Connections {
    pub(super) fn believing(authorities: Vec<Certificate>) -> Self {
        Self { recent: Mutex::default(), authorities }
    }

    /// Sends one hop to one of `addresses`; the answer's body is still to come.
    pub(super) async fn send(&self, hop: &Hop, addresses: Vec<SocketAddr>) -> Result<Response, CallError> {
        let client = self.client(hop, addresses)?;
        let request = client.request(hop.method.clone(), hop.url.clone());
        let request = request.headers(hop.headers.clone());
        let request = if hop.body.is_empty() { request } else { request.body(hop.body.clone()) };
        request.send().await.map_err(|error| no_answer(hop, &error))
    }

    fn client(&self, hop: &Hop, addresses: Vec<SocketAddr>) -> Result<Client, CallError> {
        let mut sorted = addresses.clone();
        sorted.sort_unstable();
        let (host, port) = (hop.host(), hop.port());
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |place: &Place| place.host == host && place.port == port && place.addresses == sorted;
        let place = match recent.iter().position(is_same) {
            Some(at) => recent.remove(at),
            None => {
                let client = build(addresses, self.authorities.clone()).map_err(|error| no_answer(hop, &error))?;
                Place { host: host.to_owned(), port, addresses: sorted, client }
            }
        };
        let client = place.client.clone();
        recent.insert(0, place);
        recent.truncate(MAX_PLACES);
        Ok(client)
    }
}

/// The whole answer, if it is not too large.
pub(super) async fn read_body(mut answer: Response, hop: &Hop, limits: Limits) -> Result<HttpResponse, CallError> {
    let most = limits.transfer.min(limits.memory);
    let too_large = || CallError::transfer_too_large(&format!("the answer to {}", hop.label()), most);
    if answer.content_length().is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| no_answer(hop, &error))? {
        if (body.len() + chunk.len()) as u64 > most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let headers = answer.headers().iter();
    Ok(HttpResponse {
        status: answer.status().as_u16(),
        url: hop.url.to_string(),
        headers: headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body,
    })
}

fn build(addresses: Vec<SocketAddr>, authorities: Vec<Certificate>) -> reqwest::Result<Client> {
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).referer(false);
    let client = client.dns_resolver(Pinned(addresses)).pool_idle_timeout(IDLE).pool_max_idle_per_host(4);
    client.tls_certs_merge(authorities).user_agent(concat!("pocket/", env!("CARGO_PKG_VERSION"))).build()
}

/// The innermost cause: the outer ones only say that a request failed, and name the URL with its query.
fn no_answer(hop: &Hop, error: &reqwest::Error) -> CallError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let what = if error.is_connect() { "cannot connect" } else { "no answer" };
    let reason = cause.to_string().to_lowercase();
    let message = format!("{} {}: {what}: {reason}", hop.method, request::shown(&hop.url));
    CallError::new(CallErrorKind::Retryable, message)
}
