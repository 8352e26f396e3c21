//! Journeys through the binary: what a user types, what comes out, what changed on disk.

#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error should fail it right there")]

mod archives;
mod bad_input;
mod chain;
mod create;
mod demo;
mod documents;
mod faults;
mod finding;
mod forge;
mod freshness;
mod install;
mod language;
mod load;
mod local;
mod monitor;
mod nodes;
mod owners;
mod packages;
mod pages;
mod policy;
mod publish;
mod recovery;
mod refusals;
mod registries;
mod run;
mod runs;
mod sources;
mod store;
mod support;
mod tools;
mod transport;
mod unconfined;
mod views;
mod witnesses;
