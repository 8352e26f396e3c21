//! The server: connections come in, each under limits, and requests are answered until it is told to stop.

mod client;
mod guard;
mod metrics;
mod rate;
mod seats;
mod tls;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::config::{Exposure, Limits, Options, Tokens};
use crate::error::{ApiError, chain};
use crate::pull::Pull;
use crate::routes::{Answers, CopyService, Service};
use crate::storage::Storage as _;
use crate::{Registry, RegistryError, checkpoint, listing, stats};
pub(crate) use client::Client;
use client::Proxies;
use guard::Guarded;
use metrics::Kind;
pub(crate) use metrics::Metrics;
pub(crate) use rate::Rate;
use seats::Seats;
pub use tls::TlsFiles;

/// Requests at once on one connection of HTTP/2. The others of a client wait for these.
const STREAMS: u32 = 32;
/// No route has a longer path and query.
const MAX_URI: usize = 8 << 10;
/// How long a stopping server waits for the requests under way.
const PARTING: Duration = Duration::from_secs(30);
/// Where too many files are open, the next connection is tried a little later.
const BREATH: Duration = Duration::from_millis(50);
/// What a connection beyond the limits hears.
const BEYOND: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n\
Connection: close\r\nContent-Length: 61\r\n\r\n{\"code\":\"busy\",\"message\":\"too many connections are open now\"}";

/// A registry that listens; it serves until it is dropped or told to stop.
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    serves: Serves,
    tls: Option<TlsAcceptor>,
    exposure: Exposure,
    tokens: Tokens,
    proxies: Vec<IpNet>,
    limits: Limits,
}

/// What is served.
enum Serves {
    /// A registry.
    Registry(Arc<Registry>),
    /// Another one's files, as they are asked for.
    Copy(Arc<Pull>),
}

/// What every connection shares.
struct Shared {
    limits: Limits,
    metrics: Arc<Metrics>,
    answers: Answers,
    rate: Rate<IpAddr>,
    proxies: Proxies,
    seats: Seats,
}

/// A connection's seat among those of its address, if they are counted; given up when dropped.
struct Seat(Arc<Shared>, Option<IpAddr>);

impl Server {
    /// Opens the registry and the port. Port 0 takes a free one; [`Server::address`] tells which.
    pub async fn bind(options: &Options) -> Result<Self, RegistryError> {
        options.check_address()?;
        let tls = options.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        let Options { source, recovery_delay, witnesses, upstream, .. } = options;
        let serves = match upstream {
            Some(upstream) => Serves::Copy(Arc::new(Pull::open(upstream).await?)),
            None => {
                let registry = Registry::open_witnessed(source, *recovery_delay, witnesses).await?;
                Serves::Registry(Arc::new(registry))
            }
        };
        let address = options.address;
        let failed = |source| RegistryError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (exposure, proxies) = (options.exposure, options.proxies.clone());
        let (tokens, limits) = (options.tokens, options.limits.clone());
        Ok(Self { address, listener, serves, tls, exposure, tokens, proxies, limits })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients use.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// The registry behind it; none if that is another one's, fetched as it is asked for.
    pub fn registry(&self) -> Option<&Registry> {
        match &self.serves {
            Serves::Registry(registry) => Some(registry),
            Serves::Copy(_) => None,
        }
    }

    /// Where the static files are, for messages.
    pub fn tree(&self) -> String {
        match &self.serves {
            Serves::Registry(registry) => registry.tree(),
            Serves::Copy(pull) => Path::new(&pull.place()).join("tree").display().to_string(),
        }
    }

    /// Serves until `stop` is ready, then finishes the requests under way. Meanwhile the checkpoint never gets older than a day.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), RegistryError> {
        let limits = self.limits.clone();
        let registry = match &self.serves {
            Serves::Registry(registry) => Arc::clone(registry),
            Serves::Copy(pull) => {
                let service = Arc::new(CopyService::new(Arc::clone(pull), &limits));
                let metrics = Arc::clone(&service.metrics);
                self.answer(Answers::of_copy(service), metrics, limits, stop).await;
                return Ok(());
            }
        };
        let _refreshing = checkpoint::keep_fresh(&registry);
        let service = Arc::new(Service::new(Arc::clone(&registry), limits.clone()).asking_for(self.tokens));
        let web = Arc::clone(&service.web);
        web.begin().await;
        let _counting = stats::keep_counting(&web.counter, &registry);
        let _filing = listing::keep_short(&registry, &web.counter);
        let metrics = Arc::clone(&service.metrics);
        self.answer(Answers::of_registry(service), metrics, limits, stop).await;
        // Whoever sent a publish may be gone; it is not left half-way.
        if tokio::time::timeout(PARTING, registry.turn()).await.is_err() {
            tracing::warn!("a publish was not finished within {} s; the next start finishes it", PARTING.as_secs());
        }
        if let Err(error) = web.counter.flush(&registry).await {
            tracing::warn!("the last downloads were not written: {}", chain(&error));
        }
        Ok(())
    }

    /// Lets connections in until `stop` is ready.
    async fn answer(self, answers: Answers, metrics: Arc<Metrics>, limits: Limits, stop: impl Future<Output = ()>) {
        let connections = limits.connections;
        let rate = Rate::new(limits.requests_per_second);
        let proxies = Proxies::new(self.exposure, self.proxies);
        let shared = Arc::new(Shared { limits, metrics, answers, rate, proxies, seats: Seats::default() });
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(BREATH).await;
                continue;
            };
            match Seat::take(&shared, peer.ip(), graceful.count() >= connections) {
                Some(seat) => {
                    let (tls, watcher) = (self.tls.clone(), graceful.watcher());
                    tokio::spawn(seat.serve(stream, peer, tls, watcher));
                }
                None => drop(tokio::spawn(refuse(stream))),
            }
        }
        drop(self.listener);
        if tokio::time::timeout(PARTING, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests were not finished within {} s", PARTING.as_secs());
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    // Whoever does not hear it is refused all the same.
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(BEYOND)).await;
}

impl Seat {
    fn take(shared: &Arc<Shared>, peer: IpAddr, full: bool) -> Option<Self> {
        let address = shared.proxies.limited(peer);
        let most = shared.limits.connections_per_address;
        if full || !address.is_none_or(|address| shared.seats.take(address, most)) {
            shared.metrics.refused();
            return None;
        }
        shared.metrics.connected(1);
        Some(Self(Arc::clone(shared), address))
    }

    async fn serve(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        watcher: hyper_util::server::graceful::Watcher,
    ) {
        let _ = stream.set_nodelay(true);
        let patience = self.0.limits.patience;
        match tls {
            None => self.answer(stream, peer, watcher).await,
            Some(tls) => match tokio::time::timeout(patience, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.answer(stream, peer, watcher).await,
                Ok(Err(error)) => tracing::debug!("no TLS with {peer}: {error}"),
                Err(_) => tracing::debug!("no TLS with {peer}: it took too long"),
            },
        }
    }

    async fn answer<S>(&self, stream: S, peer: SocketAddr, watcher: hyper_util::server::graceful::Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::clone(&self.0);
        let patience = shared.limits.patience;
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(patience);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(patience)
            .keep_alive_timeout(patience)
            .max_concurrent_streams(STREAMS);
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(shared.answer(peer.ip(), request.map(Body::new)).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(Guarded::new(stream, patience)), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!("the connection with {peer} broke: {error}");
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.metrics.connected(-1);
        if let Some(address) = self.1 {
            self.0.seats.give_up(address);
        }
    }
}

impl Shared {
    async fn answer(&self, peer: IpAddr, mut request: Request) -> Response {
        let begun = Instant::now();
        let kind = Kind::of(request.uri().path());
        let told = tracing::enabled!(target: "pocket_registry::access", tracing::Level::INFO)
            .then(|| (request.method().clone(), request.uri().path().to_owned()));
        let client = self.proxies.client(peer, request.headers());
        request.extensions_mut().insert(client);
        let mut response = if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > MAX_URI) {
            let message = format!("a path and its query have at most {MAX_URI} bytes");
            ApiError::new(StatusCode::URI_TOO_LONG, "uri_too_long", message).into_response()
        } else if client.limited().is_some_and(|address| !self.rate.allows(address, begun)) {
            self.metrics.limited();
            let message = "this address asks too often; wait a second";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(1).into_response()
        } else {
            self.answers.to(request).await
        };
        // What authors send is served as what it is, whatever a browser would make of it.
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let took = begun.elapsed();
        self.metrics.answered(kind, response.status(), took);
        if let Some((method, path)) = told {
            let (status, microseconds) = (response.status().as_u16(), took.as_micros());
            tracing::info!(target: "pocket_registry::access", %method, path, status, microseconds, client = %client.address(), "answered");
        }
        response
    }
}

/// Serves on a runtime of its own until the process is told to stop (Ctrl-C, SIGTERM). `ready` hears when it listens.
pub fn serve_until_stopped(options: &Options, ready: impl FnOnce(&Server)) -> Result<(), RegistryError> {
    let runtime = tokio::runtime::Runtime::new().map_err(|source| RegistryError::Runtime { source })?;
    allow_many_files();
    runtime.block_on(async {
        let server = Server::bind(options).await?;
        ready(&server);
        server.serve(stop_signal()).await
    })
}

/// As many open files as the system lets a process have: each connection is one.
fn allow_many_files() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit }) {
            tracing::debug!("the limit of open files stays as it is: {error}");
        }
    }
}

pub(crate) async fn stop_signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // Where signals cannot be heard, the server runs until it is killed.
    if interrupted.await.is_err() {
        std::future::pending::<()>().await;
    }
}
