//! What a Pocket registry and its clients must agree on, byte for byte. No network, terminal, clock or home.

pub mod archive;
pub mod digest;
pub mod folder;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod permissions;
pub mod record;
pub mod signature;
pub mod tree;
pub mod yaml;
