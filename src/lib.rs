//! Pocket.

pub mod home;
pub mod project;
pub mod resolve;
