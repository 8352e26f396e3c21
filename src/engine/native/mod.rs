//! Native plugins: shared libraries on the C interface of `sdk/c/pocket_plugin.h`, each in a confined process of its own.
//!
//! ```text
//! engine                                       host process (`pocket __plugin-host`)
//! plugin ── session ── frames over a socket ──── host ── confine ── library ── the plugin's code
//!   │          └ broker: connects for it           └ files (Landlock), filter (seccomp)
//!   └ library: sealed copy ──── descriptor ────────────────────────┘
//! ```
//!
//! The engine believes nothing that the process says, and ends it at a call's deadline; the next call gets a new one. A thread
//! watches each process from its start to its end.

mod broker;
mod death;
mod describe;
mod descriptor;
mod fault;
mod frame;
mod history;
mod host;
mod kernel;
mod library;
mod link;
mod message;
mod plugin;
mod pool;
mod process;
mod session;
mod syscalls;
mod usage;
mod watch;

pub use describe::describe;
pub use host::run_host;
pub use kernel::Kernel;
pub use message::Confinement;
pub use plugin::{NativeOptions, NativePlugin};
pub use process::HOST_ARGUMENT;
