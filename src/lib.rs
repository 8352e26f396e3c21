//! Pocket: a package manager for plugins, and the engine that runs them.

pub mod cli;
pub mod engine;
pub mod home;
pub mod nodes;
pub mod ops;
pub mod project;
pub mod registry;
pub mod resolve;
pub mod store;
pub mod workflow;
