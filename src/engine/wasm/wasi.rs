//! The WASI 0.2 world of a plugin: there, because languages' standard libraries ask for it, and as large as what was granted.
//!
//! Of the environment there are the variables that were granted, of the file system the folders, of the network TCP connections
//! and HTTP requests to hosts and ports; the standard input is empty, and what is written to standard output and error goes to the plugin's log.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use pocket_index::permissions::Access;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::http::{self, Outgoing};
use super::sockets::{self, Found};
use super::state::{MAX_PRINTED_BYTES, Printed, Refusal, State};
use crate::engine::plugin::Border;

/// The version of WASI that wasmtime offers.
pub(super) const VERSION: &str = "0.2.12";

/// What one instance sees of WASI.
pub(super) struct World {
    ctx: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) http: Outgoing,
}

impl World {
    /// The world that the plugin was granted.
    ///
    /// # Errors
    /// A sentence that names the folder that cannot be opened.
    pub(super) fn new(
        border: &Arc<Border>,
        printed: &Printed,
        refusal: &Refusal,
        found: &Found,
        http: Outgoing,
    ) -> Result<Self, String> {
        let mut builder = WasiCtxBuilder::new();
        builder.stdout(printed.clone()).stderr(printed.clone());
        for (name, value) in border.grants.env_values() {
            builder.env(name, value);
        }
        for folder in folders(border)? {
            for name in folder.names(border.grants.base()) {
                builder.preopened_dir(folder.path, name, folder.may).map_err(|error| {
                    format!("it was granted the folder `{}`, which cannot be opened: {error:#}", folder.path.display())
                })?;
            }
        }
        let (border, refusal, found) = (Arc::clone(border), refusal.clone(), found.clone());
        builder.allow_tcp(true).socket_addr_check(move |address, usage| {
            let is_allowed = found.allows(&border, &refusal, address, usage);
            Box::pin(async move { is_allowed })
        });
        Ok(Self { ctx: builder.build(), table: ResourceTable::new(), http })
    }
}

/// A folder that was granted.
struct Folder<'a> {
    path: &'a Path,
    may: FsPerms,
}

impl Folder<'_> {
    /// What a plugin may call it: its path, and the path from where those of its manifest start, since a program of another
    /// runtime could use both.
    fn names(&self, base: &Path) -> Vec<String> {
        let mut names = vec![self.path.display().to_string()];
        let here = std::path::absolute(base).ok();
        if let Some(below) = here.and_then(|here| self.path.strip_prefix(here).ok()) {
            names.push(if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() });
        }
        names
    }
}

/// What the grants come to in WASI, which knows folders that are read and folders that are read and written.
fn folders(border: &Border) -> Result<Vec<Folder<'_>>, String> {
    let granted: Vec<_> = border.grants.folders().collect();
    let is_granted = |path: &str, access| granted.iter().any(|other| other.access == access && other.path == path);
    let mut folders = Vec::new();
    for pattern in &granted {
        let path = Path::new(&pattern.path);
        if path.is_file() {
            return Err(format!("`{pattern}` is a file; WebAssembly plugins are given folders"));
        }
        match pattern.access {
            Access::Read if is_granted(&pattern.path, Access::Write) => {}
            Access::Read => folders.push(Folder { path, may: FsPerms::ReadOnly }),
            Access::Write if is_granted(&pattern.path, Access::Read) => {
                folders.push(Folder { path, may: FsPerms::ReadWrite });
            }
            Access::Write => {
                return Err(format!(
                    "`{pattern}` is granted alone; a WebAssembly plugin can write to a folder only if it may also read it"
                ));
            }
        }
    }
    Ok(folders)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let world = self.world.as_mut().expect("WASI is linked only for components whose instances get a world");
        WasiCtxView { ctx: &mut world.ctx, table: &mut world.table }
    }
}

/// Links WASI. Its functions are asynchronous: a call that waits inside one can be ended at its deadline.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    sockets::link(linker)?;
    http::link(linker)
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// Always takes what comes, and keeps what there is room for: a plugin need not know that its log is full.
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_PRINTED_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.append(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
