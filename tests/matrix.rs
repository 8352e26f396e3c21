//! Runtime × permission × attempt: the same plugin in every runtime tries the same things, and is refused in the same words.
//!
//! A runtime is added by implementing [`actor::Actor`] for it and naming it in [`ACTORS`]; the table is in `table.rs`, what leads
//! past a permission in `escapes.rs` and `rebinding.rs`.
#![cfg(target_os = "linux")]

#[path = "matrix/actor.rs"]
mod actor;
#[path = "matrix/escapes.rs"]
mod escapes;
#[path = "matrix/lua.rs"]
mod lua;
#[path = "matrix/native.rs"]
mod native;
#[path = "matrix/rebinding.rs"]
mod rebinding;
#[path = "matrix/table.rs"]
mod table;
#[path = "matrix/wasm.rs"]
mod wasm;
#[path = "matrix/world.rs"]
mod world;

use actor::Actor;

/// The runtimes that the table is tried in.
const ACTORS: &[&dyn Actor] = &[&lua::Lua, &wasm::Wasm, &native::Native];
