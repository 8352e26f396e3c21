//! Pocket: a package manager for plugins, and the engine that runs them.

pub mod engine;
pub mod home;
pub mod nodes;
pub mod project;
pub mod resolve;
pub mod workflow;
