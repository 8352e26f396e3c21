//! Several calls at once.

use pocket::engine::{CallErrorKind, Limits};
use serde_json::{Value, json};

use crate::support::Setup;

#[test]
fn a_plugin_that_can_takes_several_calls_in_one_crossing() {
    let guest = Setup::of("go").load().expect("it loads");
    let inputs = [json!(1), json!("two"), json!([3])];
    let outputs: Vec<Value> = guest
        .call_batch("echo", &inputs)
        .into_iter()
        .map(|reply| reply.unwrap_or_else(|error| panic!("{error}")).output)
        .collect();
    assert_eq!(outputs, inputs);
    let crossings = guest.call_batch("crossings", &inputs);
    assert!(crossings.iter().all(|reply| reply.as_ref().is_ok_and(|reply| reply.output == 1)), "{crossings:?}");
    let errors = guest.call_batch("fail", &inputs);
    assert_eq!(errors[1].as_ref().expect_err("it always fails").details, Some(json!("two")));
}

#[test]
fn calls_at_once_have_a_result_each_or_none_at_all() {
    let guest = Setup::of("go").load().expect("it loads");
    let inputs = [json!(1), json!(2)];
    assert!(guest.plugin.takes_several());
    let outputs = guest.call_at_once("crossings", &inputs).expect("it crosses once");
    assert_eq!(
        outputs.into_iter().map(|reply| reply.map(|reply| reply.output)).collect::<Vec<_>>(),
        [Ok(json!(1)), Ok(json!(1))]
    );
    let errors = guest.call_at_once("fail", &inputs).expect("each has an error of its own");
    assert!(errors.iter().all(Result::is_err), "{errors:?}");
    assert!(guest.call_at_once("trap", &inputs).is_none());
    assert!(guest.call_at_once("missing", &inputs).is_none());
    let other = Setup::of("zig").load().expect("it loads");
    assert!(!other.plugin.takes_several() && other.call_at_once("echo", &inputs).is_none());
}

#[test]
fn one_that_cannot_is_called_once_for_each() {
    let guest = Setup::of("zig").load().expect("it loads");
    let outputs =
        guest.call_batch("echo", &[json!(1), json!(2)]).into_iter().map(|reply| reply.map(|reply| reply.output));
    assert_eq!(outputs.collect::<Vec<_>>(), [Ok(json!(1)), Ok(json!(2))]);
}

#[test]
fn what_ends_the_crossing_ends_every_call_of_it() {
    let timeout = std::time::Duration::from_secs(1);
    let guest = Setup { limits: Limits { timeout, ..Limits::default() }, ..Setup::of("go") };
    let guest = guest.load().expect("it loads");
    for (node, kind) in [("trap", CallErrorKind::Crashed), ("loop", CallErrorKind::Timeout)] {
        let errors = guest.call_batch(node, &[json!(1), json!(2)]);
        let kinds: Vec<_> = errors.iter().map(|reply| reply.as_ref().expect_err("it ends").kind).collect();
        assert_eq!(kinds, [kind, kind]);
    }
    assert_eq!(guest.output("echo", 7), 7, "the next call is none the worse");
}
