//! The registry server: serves a registry's static files and accepts publishes.
//!
//! Reading needs nothing but the files below `tree/`; any web server can serve them instead. Writing goes through one
//! route that checks everything a client checks, then appends to the log. [`witness`] is a server of its own, which watches
//! such logs.

mod checkpoint;
mod collect;
mod config;
mod error;
mod files;
mod publish;
mod range;
mod recovery;
mod routes;
mod storage;
pub mod witness;

pub use checkpoint::{Refreshed, refresh};
pub use collect::{AskError, TooFewWitnesses};
pub use config::{
    DEFAULT_RECOVERY_DELAY, Exposure, Options, PATIENCE, Seed, Source, WitnessAt, WitnessAtError, Witnesses,
    parse_recovery_delay,
};
pub use error::RegistryError;
pub use recovery::{Announced, NewOwners};
pub use routes::router;
pub use storage::Registry;

use std::net::SocketAddr;
use std::sync::Arc;

/// A registry that listens; it serves until it is dropped or told to stop.
pub struct Server {
    address: SocketAddr,
    listener: tokio::net::TcpListener,
    registry: Arc<Registry>,
}

impl Server {
    /// Opens the registry and the port. Port 0 takes a free one; [`Server::address`] tells which.
    pub async fn bind(options: &Options) -> Result<Self, RegistryError> {
        options.check_address()?;
        let Options { source, recovery_delay, witnesses, .. } = options;
        let registry = Arc::new(Registry::open_witnessed(source, *recovery_delay, witnesses)?);
        let address = options.address;
        let listener =
            tokio::net::TcpListener::bind(address).await.map_err(|source| RegistryError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| RegistryError::Listen { address, source })?;
        Ok(Self { address, listener, registry })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients use.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The registry behind it.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Serves until `stop` is ready, then finishes the requests under way. Meanwhile the checkpoint never gets older than a day.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), RegistryError> {
        let address = self.address;
        let _refreshing = checkpoint::keep_fresh(&self.registry);
        axum::serve(self.listener, router(self.registry))
            .with_graceful_shutdown(stop)
            .await
            .map_err(|source| RegistryError::Listen { address, source })
    }
}

/// Serves on a runtime of its own until the process is told to stop (Ctrl-C, SIGTERM). `ready` hears when it listens.
pub fn serve_until_stopped(options: &Options, ready: impl FnOnce(&Server)) -> Result<(), RegistryError> {
    let runtime = tokio::runtime::Runtime::new().map_err(|source| RegistryError::Runtime { source })?;
    runtime.block_on(async {
        let server = Server::bind(options).await?;
        ready(&server);
        server.serve(stop_signal()).await
    })
}

async fn stop_signal() {
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
