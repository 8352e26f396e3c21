//! Journeys through the binary: what a user types, what comes out, what changed on disk.

mod bad_input;
mod demo;
mod install;
mod publish;
mod refusals;
mod run;
mod support;
