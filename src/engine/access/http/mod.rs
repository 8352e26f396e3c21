//! One HTTP request for a plugin, or for a workflow's own node. Every hop of it is checked anew: the grant, the addresses of its name, what it may carry along.
//!
//! `request` says what a plugin may send, `hop` where an answer may lead, `exchange` connects to the addresses that were checked
//! and to no others. No proxy of the environment is used: it would resolve the name itself.

mod exchange;
mod hop;
mod request;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use reqwest::Certificate;
use tokio::runtime::Runtime;

use super::net::{Purpose, Resolver};
use crate::engine::budget::Limits;
use crate::engine::error::{CallError, CallErrorKind};
use crate::engine::grants::Grants;
use exchange::Connections;
use hop::Hop;
pub(crate) use request::{address, method, shown};

/// What browsers and curl follow too, about.
const MAX_REDIRECTS: usize = 10;

/// A request as a plugin makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` …; in any case of letters.
    pub method: String,
    /// `http:` or `https:`, without a user and a password.
    pub url: String,
    /// Names and values. What belongs to the connection (`Host`, `Content-Length`, …) cannot be set.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What is sent after them.
    pub body: Vec<u8>,
    /// What an answer that leads elsewhere does.
    pub redirects: Redirects,
}

/// What an answer that leads elsewhere does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Redirects {
    /// It is followed, ten times at most.
    #[default]
    Follow,
    /// It is the answer.
    Return,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Such as 200.
    pub status: u16,
    /// Where it came from, after all redirects.
    pub url: String,
    /// Names in lower case and values, as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What followed them.
    pub body: Vec<u8>,
}

/// Says where a request may go. It is asked anew for every hop.
pub trait Gate: Send + Sync {
    /// The addresses that are connected to for a host, never none.
    ///
    /// # Errors
    /// `denied` for a host that may not be reached; what `resolver` says.
    fn addresses(
        &self,
        resolver: &Resolver,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, CallError>;
}

impl Gate for Grants {
    fn addresses(
        &self,
        resolver: &Resolver,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, CallError> {
        resolver.resolve(self, Purpose::Http, host, port, deadline)
    }
}

/// Makes the requests of one plugin. Connections are kept for its next ones, and never shared with another plugin.
#[derive(Clone, Default)]
pub struct HttpClient {
    resolver: Resolver,
    connections: Arc<Connections>,
}

/// One thread drives the requests of all plugins; their own threads wait.
static RUNTIME: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    // Another part of the program may have installed it before; the first stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).thread_name("plugin-http").enable_all();
    runtime.build().map_err(|error| error.to_string())
});

/// How long a request may take, and by which limit.
#[derive(Clone, Copy)]
struct Time {
    limits: Limits,
    ends: Instant,
    call_ends: Instant,
}

impl Time {
    fn new(limits: Limits, call_ends: Instant) -> Self {
        Self { limits, ends: call_ends.min(Instant::now() + limits.host_call), call_ends }
    }

    fn is_up(self, what: &str) -> CallError {
        if self.ends < self.call_ends {
            return CallError::host_call_timeout(what, self.limits.host_call);
        }
        CallError::new(CallErrorKind::Timeout, format!("{what} was not finished when the call's time was up"))
    }
}

impl HttpClient {
    /// A client that finds addresses with `resolver`.
    pub fn with_resolver(resolver: Resolver) -> Self {
        Self { resolver, connections: Arc::default() }
    }

    /// A client that believes these authorities besides the system's.
    pub fn believing(authorities: Vec<Certificate>) -> Self {
        Self { resolver: Resolver::default(), connections: Arc::new(Connections::believing(authorities)) }
    }

    /// Sends `request` where `gate` lets it go, and waits for the whole answer; none if `stopped` came first.
    ///
    /// # Errors
    /// As for [`HttpClient::send`].
    pub fn send_through(
        &self,
        gate: Arc<dyn Gate>,
        limits: Limits,
        request: HttpRequest,
        deadline: Instant,
        stopped: impl Future<Output = ()>,
    ) -> Option<Result<HttpResponse, CallError>> {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return Some(Err(error)),
        };
        let time = Time::new(limits, deadline);
        let what = request::label(&request);
        let answer = self.follow(gate, time, request);
        runtime.block_on(async {
            tokio::select! {
                answer = tokio::time::timeout_at(time.ends.into(), answer) => {
                    Some(answer.unwrap_or_else(|_| Err(time.is_up(&what))))
                }
                () = stopped => None,
            }
        })
    }

    /// Sends `request` for a plugin that may do what `grants` say, and waits for the whole answer.
    ///
    /// # Errors
    /// `denied` for a host that may not be reached; `invalid_input` for a request that cannot be sent; `timeout` at the deadline or
    /// after `limits.host_call`; `failed` for an answer above `limits.transfer`; `retryable` when no answer comes.
    pub fn send(
        &self,
        grants: &Grants,
        limits: Limits,
        request: HttpRequest,
        deadline: Instant,
    ) -> Result<HttpResponse, CallError> {
        let (sender, receiver) = sync_channel(1);
        let time = Time::new(limits, deadline);
        let what = request::label(&request);
        let answer = self.follow(Arc::new(grants.clone()), time, request);
        let work = runtime()?.spawn(async move { drop(sender.send(answer.await)) });
        let received = receiver.recv_timeout(time.ends.saturating_duration_since(Instant::now()));
        work.abort();
        received.unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(time.is_up(&what)),
            RecvTimeoutError::Disconnected => Err(gave_up(&what)),
        })
    }

    /// The same for a caller that can do something else meanwhile, in whatever runtime it is. A request whose future is dropped goes
    /// on until its deadline.
    ///
    /// # Errors
    /// As for [`HttpClient::send`].
    pub async fn send_async(
        &self,
        grants: &Grants,
        limits: Limits,
        request: HttpRequest,
        deadline: Instant,
    ) -> Result<HttpResponse, CallError> {
        let time = Time::new(limits, deadline);
        let what = request::label(&request);
        let answer = self.follow(Arc::new(grants.clone()), time, request);
        let timed = async move { tokio::time::timeout_at(time.ends.into(), answer).await };
        match runtime()?.spawn(timed).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(time.is_up(&what)),
            Err(_) => Err(gave_up(&what)),
        }
    }

    /// Hop after hop until an answer leads nowhere else.
    fn follow(
        &self,
        gate: Arc<dyn Gate>,
        time: Time,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, CallError>> + Send + 'static {
        let client = self.clone();
        async move {
            let redirects = request.redirects;
            let mut hop = Hop::first(request)?;
            for _ in 0..=MAX_REDIRECTS {
                let answer = client.one_hop(&gate, time, &hop).await?;
                match hop.next(&answer)? {
                    Some(next) if redirects == Redirects::Follow => hop = next,
                    _ => return exchange::read_body(answer, &hop, time.limits).await,
                }
            }
            let message = format!("{} leads through more than {MAX_REDIRECTS} redirects", hop.label());
            Err(CallError::new(CallErrorKind::Failed, message))
        }
    }

    async fn one_hop(&self, gate: &Arc<dyn Gate>, time: Time, hop: &Hop) -> Result<reqwest::Response, CallError> {
        let (resolver, gate, ends) = (self.resolver.clone(), Arc::clone(gate), time.ends);
        let (host, port) = (hop.host().to_owned(), hop.port());
        let resolving = move || gate.addresses(&resolver, &host, port, ends);
        // The resolver waits; a thread for waiting can do that.
        let resolved = tokio::task::spawn_blocking(resolving).await.map_err(|_| gave_up(&hop.label()))?;
        let addresses = resolved.map_err(|error| match error.kind {
            CallErrorKind::Timeout => time.is_up(&hop.label()),
            _ => hop.with_origin(error),
        })?;
        self.connections.send(hop, addresses).await
    }
}

fn runtime() -> Result<&'static Runtime, CallError> {
    RUNTIME
        .as_ref()
        .map_err(|error| CallError::new(CallErrorKind::Failed, format!("cannot make HTTP requests: {error}")))
}

fn gave_up(what: &str) -> CallError {
    CallError::new(CallErrorKind::Retryable, format!("{what} was given up"))
}
