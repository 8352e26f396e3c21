//! Graphs are played step by step; what happened reads as one line.

use super::*;
use crate::workflow::document::Retry;
use crate::workflow::graph::{Route, Wiring};

/// A graph of `"a b:found c"` lines: a node, then its targets, each with its action.
fn graph(lines: &[&str]) -> Graph {
    let names: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let mut graph = Graph::default();
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
    let mut schedule = Schedule::new(graph, max_steps);
    let mut log = Vec::new();
    let mut commands = Vec::new();
    schedule.on(Event::Begin(Arc::new(json!("in"))), &mut commands);
    while !commands.is_empty() {
        let step = match commands.remove(0) {
            Command::Start(step) => step,
            Command::StartAfter(step, pause) => {
                log.push(format!("wait {}s", pause.as_secs()));
                step
            }
            Command::Recover(..) => continue,
            Command::Done(value) => return format!("{}= {value}", log.join(" ") + " "),
            Command::Fail(node, error) => return format!("{} failed: {error}", graph.nodes[node].name),
            Command::TooManySteps(node) => return format!("too many steps at {}", graph.nodes[node].name),
        };
        let name = &graph.nodes[step.node].name;
        log.push(format!("{name}({})", step.input));
        let event = match node(name, &step) {
            Ok((output, action)) => {
                let action = Some(action.to_owned()).filter(|action| !action.is_empty());
                Event::Finished { step, output: Arc::new(output), action }
            }
            Err(error) => Event::Failed { step, error },
        };
        let mut more = Vec::new();
        schedule.on(event, &mut more);
        // The machine counts as done only when nothing is queued by the driver either.
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
    graph.nodes[0].retry = Some(Retry::default());
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
    graph.nodes[0].retry = Some(Retry::default());
    let played = play(&graph, 10, |_, _| Err(CallError::new(CallErrorKind::InvalidInput, "bad")));
    assert_eq!(played, "a failed: bad");
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
