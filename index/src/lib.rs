//! What a Pocket registry and its clients must agree on, byte for byte. No network, terminal, clock or home.
//!
#![doc = include_str!("../README.md")]

pub mod age;
pub mod append;
pub mod archive;
#[cfg(feature = "bundled")]
pub mod bundled;
pub mod config;
pub mod digest;
pub mod folder;
mod json;
pub mod layout;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod name;
pub mod package;
pub mod pattern;
pub mod permissions;
pub mod publish;
pub mod record;
pub mod repository;
pub mod search;
pub mod signature;
pub mod staged;
pub mod stats;
pub mod time;
pub mod tree;
pub mod verify;
pub mod witness;
pub mod yaml;

#[cfg(test)]
mod spec;
#[cfg(test)]
mod testing;
