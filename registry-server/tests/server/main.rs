//! The program itself, over real HTTP: what it answers, what it survives, and what it leaves behind.

#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error should fail it right there")]

#[path = "../support/plugin.rs"]
mod plugin;
#[path = "../support/seaweed.rs"]
mod seaweed;
#[path = "../support/tree.rs"]
mod tree;

mod accounts;
mod bucket;
mod copies;
mod crashes;
mod durable;
mod hosting;
mod http;
mod limits;
mod operating;
mod owners;
mod program;
mod publishing;
mod pulled;
mod reading;
mod staging;
