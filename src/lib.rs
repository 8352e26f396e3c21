//! Pocket.
