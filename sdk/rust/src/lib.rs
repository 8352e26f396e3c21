//! Write Pocket plugins in Rust: implement [`Node`] for what runs, [`Plugin`] for what holds it, and [`export!`] it.
//!
//! The same source becomes a WebAssembly plugin (`cargo build --target wasm32-unknown-unknown`, `crate-type = ["cdylib"]`) or
//! a native one (`cargo build`, the same crate type).
//!
//! ```
//! use pocket_plugin::{Context, Error, Node, Nodes, Plugin, Reply, Settings};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Config {
//!     greeting: String,
//! }
//!
//! struct Greet;
//!
//! impl Node for Greet {
//!     type Config = Config;
//!     type Input = String;
//!     type Output = String;
//!
//!     fn run(&self, config: Config, name: String, _: &Context) -> Result<Reply<String>, Error> {
//!         if name.is_empty() {
//!             return Err(Error::invalid_input("the name is empty"));
//!         }
//!         Ok(Reply::new(format!("{}, {name}!", config.greeting)))
//!     }
//! }
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn start(_: &Settings) -> Result<Self, Error> {
//!         Ok(Self)
//!     }
//!
//!     fn nodes(&self) -> Nodes<'_> {
//!         Nodes::new().with("greet", &Greet)
//!     }
//! }
//!
//! pocket_plugin::export!(Greeter);
//! # fn main() {}
//! ```

mod call;
mod error;
#[cfg(unix)]
pub mod native;
#[cfg(target_family = "wasm")]
pub mod wasm;

pub use call::{Context, Node, Nodes, Plugin, Reply, Settings};
pub use error::{Error, ErrorKind};
#[cfg(unix)]
pub use native::host;

#[doc(hidden)]
pub use call::run_text;

/// Exports a type that implements [`Plugin`] as the plugin that this library is.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        $crate::export_wasm!($plugin);
    };
}

/// Exports a type that implements [`Plugin`] as the plugin that this library is.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        $crate::export_native!($plugin);
    };
}
