//! What the journeys stand on: a sandbox with a home and a project, a real registry server, a real Redis.

mod author;
mod forge;
mod index;
mod proxy;
mod redis;
mod sandbox;
mod server;

pub use author::Author;
pub use forge::TestForge;
pub use index::HandMadeIndex;
pub use proxy::{Fault, FaultyProxy};
pub use redis::Redis;
pub use sandbox::{Outcome, POCKET, Sandbox};
pub use server::TestRegistry;
