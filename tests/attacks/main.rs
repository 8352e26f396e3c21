//! What a malicious registry, or somebody between it and its users, can try: each attack is refused with its own error, and
//! nothing changes on disk. `docs/trust.md` lists them.
//!
//! Two attackers are told apart. A *mirror* serves other files but has no key. A *registry* has the key of its log and signs
//! whatever it likes, but not in the name of a publisher.

#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error should fail it right there")]

mod archives;
mod files;
mod index;
mod lines;
mod locks;
mod log;
mod mangle;
mod owners;
#[path = "../journeys/support/sandbox.rs"]
#[expect(dead_code, reason = "the journeys use the rest")]
mod sandbox;
mod scene;
#[path = "../journeys/support/scripted.rs"]
#[expect(dead_code, reason = "the journeys use the rest")]
mod scripted;
mod signatures;
mod withdrawals;
