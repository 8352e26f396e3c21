//! What the journeys stand on: a sandbox with a home and a project, a real registry server, a real Redis.

mod author;
mod forge;
mod index;
mod nginx;
mod proxy;
mod redis;
mod sandbox;
mod scripted;
mod served;
mod server;

pub use author::Author;
pub use forge::TestForge;
pub use index::{HandMadeIndex, now};
pub use nginx::Nginx;
pub use proxy::{Fault, FaultyProxy};
pub use redis::Redis;
pub use sandbox::{Outcome, POCKET, Sandbox};
pub use scripted::{Reply, Request, ScriptedServer};
pub use served::Served;
pub use server::{TestRegistry, make_registry};
