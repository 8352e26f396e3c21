//! Pocket.

pub mod engine;
pub mod home;
pub mod project;
pub mod resolve;
