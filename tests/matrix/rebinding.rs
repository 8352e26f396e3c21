//! Names that lead elsewhere than they did: a resolver of the test's own answers as an attacker's would.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pocket::engine::access::Resolver;
use pocket::engine::{CallError, CallErrorKind, GrantedWords};
use serde_json::Value;

use crate::ACTORS;
use crate::actor::{Actor, Attempt, Refusal, Setup, call, load};
use crate::table::setup;
use crate::world::World;

/// A name and how it is used.
const USES: [(Attempt, &str); 2] =
    [(Attempt::HttpGet, "http://moving.example:OPEN/"), (Attempt::Connect, "moving.example:OPEN")];

const AGAIN: &str = "http://moving.example:OPEN/again";

/// Answers one after the other, the last one for ever, and counts.
fn answering(answers: &'static [&'static [&'static str]]) -> (Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = Resolver::new(move |_| {
        let answer = answers[count.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
        Ok(answer.iter().map(|text| text.parse::<IpAddr>().expect(text)).collect())
    });
    (resolver, asked)
}

/// A plugin that may use the name, which may lead to the one server that the user knows of.
fn may_use_the_name(world: &World, attempt: Attempt, resolver: Resolver) -> Setup {
    let setup = setup(world, attempt, "moving.example:OPEN", &GrantedWords::all());
    let known = vec!["127.0.0.1/32".parse().expect("it is a network")];
    Setup { grants: setup.grants.with_private_networks(known), resolver, ..setup }
}

/// The results of one use after the other of one plugin.
fn uses(
    world: &World,
    actor: &dyn Actor,
    setup: &Setup,
    what: Attempt,
    used: &[&str],
) -> Vec<Result<Value, CallError>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plugin = load(actor, folder.path(), setup).unwrap_or_else(|error| panic!("{}: {error}", actor.runtime()));
    used.iter().map(|used| call(&plugin, what, &world.fill(used))).collect()
}

fn assert_denied(actor: &dyn Actor, found: &Result<Value, CallError>, address: &str) {
    let error = found.as_ref().expect_err("it leads elsewhere");
    assert_eq!(error.kind, CallErrorKind::Denied, "{}: {error}", actor.runtime());
    let words = format!(
        "which leads to the private address {address}; `plugins.security.private_networks: [{address}/32]` in pocket.yaml grants it"
    );
    assert!(error.message.contains(&words), "{}: {error}", actor.runtime());
}

#[test]
fn a_name_that_leads_to_another_machine_the_next_time_is_refused_then() {
    let world = World::new();
    for actor in ACTORS {
        for (what, used) in USES.into_iter().filter(|(what, _)| actor.refusal(*what) != Refusal::Nowhere) {
            let (resolver, asked) = answering(&[&["127.0.0.1"], &["127.0.0.2"]]);
            let setup = may_use_the_name(&world, what, resolver);
            let found = uses(&world, *actor, &setup, what, &[used, used]);
            assert!(found[0].is_ok(), "{}: {:?}", actor.runtime(), found[0]);
            assert_denied(*actor, &found[1], "127.0.0.2");
            assert_eq!(asked.load(Ordering::Relaxed), 2, "{}: once a connection", actor.runtime());
        }
    }
}

#[test]
fn a_redirect_to_the_same_name_is_resolved_and_checked_anew() {
    let world = World::new();
    for actor in ACTORS {
        let (resolver, asked) = answering(&[&["127.0.0.1"], &["127.0.0.2"]]);
        let setup = may_use_the_name(&world, Attempt::HttpGet, resolver);
        let found = uses(&world, *actor, &setup, Attempt::HttpGet, &[AGAIN]);
        assert_denied(*actor, &found[0], "127.0.0.2");
        assert_eq!(asked.load(Ordering::Relaxed), 2, "{}", actor.runtime());
    }
}

#[test]
fn one_private_address_among_others_or_in_disguise_refuses_the_name() {
    let world = World::new();
    for actor in ACTORS {
        for (what, used) in USES.into_iter().filter(|(what, _)| actor.refusal(*what) != Refusal::Nowhere) {
            let answers: [(&'static [&'static [&'static str]], &str); 4] = [
                (&[&["127.0.0.1", "127.0.0.2"]], "127.0.0.2"),
                (&[&["::ffff:127.0.0.2"]], "127.0.0.2"),
                (&[&["1.1.1.1", "::ffff:10.0.0.1"]], "10.0.0.1"),
                (&[&["169.254.169.254"]], "169.254.169.254"),
            ];
            for (answers, address) in answers {
                let setup = may_use_the_name(&world, what, answering(answers).0);
                assert_denied(*actor, &uses(&world, *actor, &setup, what, &[used])[0], address);
            }
        }
    }
}
