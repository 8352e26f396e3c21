//! Where things live for this user, and how files are written there.

pub mod atomic;
