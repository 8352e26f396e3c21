//! Pocket.

pub mod engine;
