//! Runtime × permission × attempt: the same plugin in every runtime tries the same things, and is refused in the same words.
//!
//! A runtime is added by implementing [`actor::Actor`] for it and naming it in [`ACTORS`]; the table is in `table.rs`.

#[path = "matrix/actor.rs"]
mod actor;
#[path = "matrix/lua.rs"]
mod lua;
#[path = "matrix/table.rs"]
mod table;
#[path = "matrix/world.rs"]
mod world;

use actor::Actor;

/// The runtimes that the table is tried in.
const ACTORS: &[&dyn Actor] = &[&lua::Lua];
