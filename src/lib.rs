//! Pocket.

pub mod resolve;
