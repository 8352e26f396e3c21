//! Pocket: a package manager for plugins, and the engine that runs them.

pub mod engine;
pub mod nodes;
pub mod workflow;
