//! Native plugins in their own process: what they can do, and that what they must not do ends with its cause.
#![cfg(target_os = "linux")]

#[path = "native/attacks.rs"]
mod attacks;
#[path = "native/confinement.rs"]
mod confinement;
#[path = "native/endings.rs"]
mod endings;
#[path = "native/interface.rs"]
mod interface;
#[path = "native/languages.rs"]
mod languages;
#[path = "native/lifecycle.rs"]
mod lifecycle;
#[path = "native/old_kernels.rs"]
mod old_kernels;
#[path = "native/redis_cache.rs"]
mod redis_cache;
#[path = "native/rust.rs"]
mod rust;
#[path = "native/support.rs"]
mod support;
