//! What the host does for a plugin, the same in all runtimes: finding addresses, HTTP requests, files, remembered texts.
//!
//! Everything here takes the plugin's [`Grants`](super::Grants) and refuses in their words. Nothing here runs foreign code.

mod address;
pub mod files;
pub mod http;
pub mod kv;
pub mod net;

#[cfg(test)]
pub(crate) mod testing;

pub(crate) use address::is_public;
pub use files::Files;
pub use http::{Gate, HttpClient, HttpRequest, HttpResponse, Redirects};
pub use kv::KeyValues;
pub use net::{Purpose, Resolver};
