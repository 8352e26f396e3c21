//! Graphs are played step by step; what happened reads as one line.

use serde_json::json;

use super::*;
use crate::engine::{CallError, CallErrorKind};
use crate::workflow::document::Retry;
use crate::workflow::graph::{Route, Wiring};

/// A graph of `"a b:found c"` lines: a node, then its targets, each with its action.
fn graph(lines: &[&str]) -> Graph {
    let names: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let mut graph = Graph::new(Vec::new(), Vec::new());
    for line in lines {
        let mut wiring = Wiring { name: line.split(' ').next().unwrap().into(), ..Wiring::default() };
        for word in line.split(' ').skip(1) {
            let (target, action) = word.split_once(':').unwrap_or((word, "default"));
            let target = names.iter().position(|name| *name == target).unwrap();
            match wiring.routes.iter_mut().find(|route| route.action == action) {
                Some(route) => route.targets.push(target),
                None => wiring.routes.push(Route { action: action.to_owned(), targets: vec![target] }),
            }
        }
        graph.nodes.push(wiring);
    }
    graph.mark_joins();
    graph
}

/// Runs steps in the order they were started, each giving what `node` says, and writes down what happened.
fn play(
    graph: &Graph,
    max_steps: u64,
    node: impl Fn(&str, &Step) -> Result<(Value, &'static str), CallError>,
) -> String {
    let mut state = State::new(max_steps);
    let mut log = Vec::new();
    let mut commands: Vec<Command> = step(graph, &mut state, Event::Begin { input: Arc::new(json!("in")) }).into_vec();
    while !commands.is_empty() {
        let started = match commands.remove(0) {
            Command::Start(step) => step,
            Command::StartAfter(step, pause) => {
                log.push(format!("wait {}s", pause.as_secs()));
                step
            }
            Command::Cancel => {
                log.push("cancel".to_owned());
                continue;
            }
            Command::Recover(..) => continue,
            Command::End(Outcome::Done(value)) => return format!("{} = {value}", log.join(" ")),
            Command::End(Outcome::Failed { node, failure }) => {
                log.push(format!("{} failed: {}", graph.nodes[node].name, failure.message));
                return log.join(" ");
            }
            Command::End(Outcome::TooManySteps { node }) => {
                return format!("too many steps at {}", graph.nodes[node].name);
            }
            Command::End(Outcome::Interrupted { message, .. }) => return format!("{} {message}", log.join(" ")),
        };
        let name = &graph.nodes[started.node].name;
        log.push(format!("{name}({})", started.input));
        let Step { id, attempt, .. } = started;
        let event = match node(name, &started) {
            Ok((output, action)) => {
                let action = Some(action.to_owned()).filter(|action| !action.is_empty());
                Event::Finished { id, attempt, output: Arc::new(output), action }
            }
            Err(error) => Event::Failed { id, attempt, failure: error.into() },
        };
        // A run goes on from what was written down of it as from what is in memory.
        state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        let more = step(graph, &mut state, event);
        if more.iter().any(|command| matches!(command, Command::Cancel)) {
            commands.clear();
        }
        commands.extend(more);
    }
    format!("{} stopped", log.join(" "))
}

fn named(name: &str, _: &Step) -> Result<(Value, &'static str), CallError> {
    Ok((json!(name), ""))
}

#[test]
fn a_chain_hands_each_output_on() {
    assert_eq!(play(&graph(&["a b", "b c", "c"]), 10, named), r#"a("in") b("a") c("b") = "c""#);
}

#[test]
fn branches_run_both_and_meet_in_an_object_by_name() {
    let played = play(&graph(&["a b c", "b d", "c d", "d"]), 10, named);
    assert_eq!(played, r#"a("in") b("a") c("a") d({"b":"b","c":"c"}) = "d""#);
}

#[test]
fn a_join_waits_for_a_longer_branch_but_not_for_one_that_ended() {
    let played = play(&graph(&["a b c", "b d", "c x", "x d", "d"]), 10, named);
    assert_eq!(played, r#"a("in") b("a") c("a") x("c") d({"b":"b","x":"x"}) = "d""#);
    let ended = play(&graph(&["a b c", "b d", "c d:other", "d"]), 10, named);
    assert_eq!(ended, r#"a("in") b("a") c("a") d("b") = {"c":"c","d":"d"}"#);
}

#[test]
fn an_action_chooses_its_connection_and_only_the_taken_branch_counts_at_the_join() {
    let graph = graph(&["a b:yes c:no", "b d", "c d", "d"]);
    let played = play(&graph, 10, |name, _| Ok((json!(name), if name == "a" { "no" } else { "" })));
    assert_eq!(played, r#"a("in") c("a") d("c") = "d""#);
}

#[test]
fn an_action_without_a_connection_ends_the_branch() {
    assert_eq!(play(&graph(&["a b", "b"]), 10, |name, _| Ok((json!(name), "none"))), r#"a("in") = "a""#);
}

#[test]
fn a_loop_runs_until_its_node_chooses_another_action() {
    let graph = graph(&["a b", "b a:again c", "c"]);
    let played = play(&graph, 10, |name, step| {
        let action = if name == "b" && step.id < 4 { "again" } else { "" };
        Ok((json!(step.id), action))
    });
    assert_eq!(played, r#"a("in") b(1) a(2) b(3) c(4) = 5"#);
}

#[test]
fn a_runaway_loop_is_stopped_and_its_cycle_is_known() {
    let graph = graph(&["a b", "b c", "c b"]);
    assert_eq!(play(&graph, 100, named), "too many steps at c");
    let cycle: Vec<String> = graph.cycle(2).iter().map(|name| name.to_string()).collect();
    assert_eq!(cycle, ["c", "b", "c"]);
}

#[test]
fn a_failure_is_tried_again_with_growing_pauses_then_goes_to_the_error_connection() {
    let mut graph = graph(&["a b:error", "b"]);
    graph.nodes[0].retry = Some(Arc::new(Retry::default()));
    let played = play(&graph, 10, |name, _| match name {
        "a" => Err(CallError::new(CallErrorKind::Failed, "no luck")),
        _ => Ok((json!("saved"), "")),
    });
    let error = r#"{"error":{"kind":"failed","message":"no luck","node":"a"},"input":"in"}"#;
    assert_eq!(played, format!(r#"a("in") wait 1s a("in") wait 2s a("in") b({error}) = "saved""#));
}

#[test]
fn what_cannot_succeed_is_not_tried_again() {
    let mut graph = graph(&["a"]);
    graph.nodes[0].retry = Some(Arc::new(Retry::default()));
    let played = play(&graph, 10, |_, _| Err(CallError::new(CallErrorKind::InvalidInput, "bad")));
    assert_eq!(played, r#"a("in") a failed: bad"#);
}

#[test]
fn a_fallback_value_stands_for_the_output() {
    let mut graph = graph(&["a b", "b"]);
    graph.nodes[0].recovery = Some(Recovery::Value(Arc::new(json!(0))));
    let played = play(&graph, 10, |name, _| match name {
        "a" => Err(CallError::new(CallErrorKind::Crashed, "bad")),
        _ => Ok((json!("b"), "")),
    });
    assert_eq!(played, r#"a("in") b(0) = "b""#);
}

#[test]
fn joins_that_wait_for_each_other_do_not_hang() {
    let played = play(&graph(&["a b c", "b c", "c b:again"]), 10, named);
    assert_eq!(played, r#"a("in") b("a") c({"a":"a","b":"b"}) = "c""#);
}

/// The same with nodes that run when the others have ended.
fn with_finals(mut graph: Graph, names: &[&str]) -> Graph {
    for name in names {
        graph.finals.push(graph.nodes.len());
        graph.nodes.push(Wiring { name: (*name).into(), ..Wiring::default() });
    }
    graph
}

#[test]
fn finally_runs_after_success_and_the_result_stays() {
    let graph = with_finals(graph(&["a"]), &["y", "z"]);
    let told = r#"{"output":"a","status":"succeeded"}"#;
    assert_eq!(play(&graph, 1, named), format!(r#"a("in") y({told}) z({told}) = "a""#));
}

#[test]
fn finally_runs_after_a_failure_and_its_own_failure_hides_nothing() {
    let graph = with_finals(graph(&["a"]), &["y", "z"]);
    let failing = |name: &str, _: &Step| match name {
        "z" => Ok((json!("z"), "")),
        name => Err(CallError::new(CallErrorKind::OutOfMemory, format!("{name} broke"))),
    };
    let told = r#"{"error":{"kind":"out_of_memory","message":"a broke","node":"a"},"status":"failed"}"#;
    assert_eq!(play(&graph, 10, failing), format!(r#"a("in") y({told}) z({told}) a failed: a broke"#));
}

#[test]
fn a_run_whose_finally_fails_has_failed() {
    let graph = with_finals(graph(&["a"]), &["z"]);
    let played = play(&graph, 10, |name, _| match name {
        "a" => Ok((json!(1), "")),
        _ => Err(CallError::new(CallErrorKind::Failed, "no")),
    });
    assert_eq!(played, r#"a("in") z({"output":1,"status":"succeeded"}) z failed: no"#);
}

#[test]
fn a_failure_ends_the_branches_beside_it() {
    let graph = graph(&["a b c", "b", "c d", "d"]);
    let played = play(&graph, 10, |name, _| match name {
        "b" => Err(CallError::new(CallErrorKind::Timeout, "late")),
        name => Ok((json!(name), "")),
    });
    assert_eq!(played, r#"a("in") b("a") cancel b failed: late"#);
}

#[test]
fn an_event_of_a_step_that_is_not_awaited_changes_nothing() {
    let graph = graph(&["a b", "b"]);
    let mut state = State::new(10);
    step(&graph, &mut state, Event::Begin { input: Arc::new(json!(0)) });
    let late = |id, attempt| Event::Finished { id, attempt, output: Arc::new(json!(1)), action: None };
    assert!(step(&graph, &mut state, late(1, 2)).is_empty());
    assert!(step(&graph, &mut state, late(7, 1)).is_empty());
    assert_eq!(step(&graph, &mut state, late(1, 1)).len(), 1);
    assert!(step(&graph, &mut state, late(1, 1)).is_empty());
}

#[test]
fn an_interruption_ends_a_run_and_a_second_one_ends_finally() {
    let graph = with_finals(graph(&["a"]), &["z"]);
    let mut state = State::new(10);
    step(&graph, &mut state, Event::Begin { input: Arc::new(json!(0)) });
    let stop = |message: &str| Event::Interrupted { why: Interruption::Stopped, message: message.to_owned() };
    let commands = step(&graph, &mut state, stop("first"));
    let Command::Start(last) = &commands[1] else { panic!("{commands:?}") };
    assert!(matches!(commands[0], Command::Cancel));
    assert_eq!(last.input["status"], "stopped");
    let commands = step(&graph, &mut state, stop("second"));
    let message = commands.iter().find_map(|command| match command {
        Command::End(Outcome::Interrupted { message, .. }) => Some(message.as_str()),
        _ => None,
    });
    assert_eq!(message, Some("first"));
}

#[test]
fn the_state_of_a_long_loop_does_not_grow() {
    let graph = graph(&["a b", "b a"]);
    let mut state = State::new(u64::MAX);
    let mut commands = step(&graph, &mut state, Event::Begin { input: Arc::new(json!(0)) });
    let mut size = None;
    for round in 0..2_000 {
        let Some(Command::Start(Step { id, attempt, .. })) = commands.pop() else { panic!("the loop goes on") };
        commands = step(&graph, &mut state, Event::Finished { id, attempt, output: Arc::new(json!(0)), action: None });
        let written = serde_json::to_string(&state).unwrap().len();
        // The numbers of steps grow by a digit now and then.
        if round == 1_000 {
            size = Some(written);
        }
    }
    assert_eq!(size, Some(serde_json::to_string(&state).unwrap().len()));
}
