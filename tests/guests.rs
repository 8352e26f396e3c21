//! Plugins in many languages, built from `fixtures/plugins-wasm`, in the real WebAssembly runtime.
//!
//! The compilers are installed by `fixtures/toolchains/install`.

#[path = "guests/access.rs"]
mod access;
#[path = "guests/batch.rs"]
mod batch;
#[path = "guests/contract.rs"]
mod contract;
#[path = "guests/http.rs"]
mod http;
#[path = "guests/instances.rs"]
mod instances;
#[path = "guests/support.rs"]
mod support;
