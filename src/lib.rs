//! Pocket.

pub mod workflow;
