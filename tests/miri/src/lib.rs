//! `cargo +nightly miri test` in this folder runs the tests of these modules under Miri.

#![allow(dead_code, reason = "the rest of `pocket` uses them")]

#[path = "../../../src/engine/native/fault.rs"]
mod fault;
#[path = "../../../src/engine/native/frame.rs"]
mod frame;
