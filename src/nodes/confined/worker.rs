//! The other side: the process that works. It is told its job, then asked until its input ends.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::process::{MAX_MESSAGE, receive, send};
use super::{Ask, Work};
use crate::engine::{CallError, CallErrorKind};
use crate::nodes::{ConfigProblem, Outcome, failed, jsonpath, transform, validate};

/// How much memory a process may have, its program and its stack included: 1 GiB.
pub(super) const MEMORY: u64 = 1 << 30;
/// How much of that its stack may take: 256 MiB. Values nest deep before it is used up.
const STACK: usize = 256 << 20;

#[derive(Deserialize)]
struct Job {
    node_type: String,
    config: Value,
}

#[derive(Deserialize)]
struct Request {
    config: Value,
    input: Value,
    connected: Vec<String>,
}

#[derive(Deserialize)]
struct Reply {
    output: Option<Value>,
    action: Option<String>,
    error: Option<ReplyError>,
}

#[derive(Deserialize)]
struct ReplyError {
    kind: String,
    message: String,
    details: Option<Value>,
}

/// Works until nobody asks any more; what the hidden command `pocket __worker` does.
pub fn run_worker() -> ExitCode {
    if let Err(error) = confine() {
        eprintln!("cannot set its limits: {error}");
        return ExitCode::FAILURE;
    }
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(serve);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The system ends what takes more, and what outlives the engine.
#[cfg(target_os = "linux")]
fn confine() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
    let at_most = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::As, at_most(MEMORY))?;
    setrlimit(Resource::Core, at_most(0))?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn confine() -> io::Result<()> {
    Ok(())
}

fn serve() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let job: Job = serde_json::from_slice(&receive(&mut input)?)?;
    let work = work(&job);
    while let Ok(request) = receive(&mut input) {
        let reply = match &work {
            Ok(work) => answer(&**work, &request),
            // The plan prepared the same config before.
            Err(problem) => Err(failed(problem.message.clone())),
        };
        reply_with(&mut output, reply)?;
    }
    Ok(())
}

fn work(job: &Job) -> Result<Box<dyn Work>, ConfigProblem> {
    let first = |problems: Vec<ConfigProblem>| {
        problems.into_iter().next().unwrap_or_else(|| ConfigProblem::new("", "it cannot be prepared"))
    };
    match job.node_type.as_str() {
        "transform" => transform::Transform::new(&job.config).map(|work| Box::new(work) as _).map_err(first),
        "jsonpath" => jsonpath::Select::new(&job.config).map(|work| Box::new(work) as _).map_err(first),
        "validate" => validate::Validate::new(&job.config).map(|work| Box::new(work) as _).map_err(first),
        other => Err(ConfigProblem::new("", format!("`{other}` does not run in a process of its own"))),
    }
}

fn answer(work: &dyn Work, request: &[u8]) -> Result<Outcome, CallError> {
    let request: Request =
        serde_json::from_slice(request).map_err(|error| failed(format!("a broken request: {error}")))?;
    let input = Arc::new(request.input);
    work.work(&Ask {
        config: &request.config,
        input: &input,
        is_connected: &|action| request.connected.iter().any(|known| known == action),
        // Who asked keeps the time.
        check_time: &|| Ok(()),
    })
}

fn reply_with(output: &mut impl Write, reply: Result<Outcome, CallError>) -> io::Result<()> {
    let error = |error: &CallError| {
        json!({"error": {"kind": error.kind.word(), "message": error.message, "details": error.details}}).to_string()
    };
    let text = match reply {
        Ok(outcome) => serde_json::to_string(&json!({"output": *outcome.output, "action": outcome.action}))?,
        Err(problem) => error(&problem),
    };
    if text.len() <= MAX_MESSAGE as usize {
        return send(output, text.as_bytes());
    }
    let message = format!("the result has {} bytes as JSON, more than {MAX_MESSAGE}", text.len());
    send(output, error(&failed(message)).as_bytes())
}

/// The outcome that a reply tells of.
pub(super) fn understood(reply: &[u8]) -> Result<Outcome, CallError> {
    let reply: Reply =
        serde_json::from_slice(reply).map_err(|error| failed(format!("the result cannot be read: {error}")))?;
    match (reply.error, reply.output) {
        (Some(ReplyError { kind, message, details }), _) => {
            let kind = CallErrorKind::from_plugin(&kind).unwrap_or(CallErrorKind::Failed);
            Err(CallError { details, ..CallError::new(kind, message) })
        }
        (None, output) => Ok(Outcome { output: Arc::new(output.unwrap_or(Value::Null)), action: reply.action }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(reply: Result<Outcome, CallError>) -> Result<Outcome, CallError> {
        let mut pipe = Vec::new();
        reply_with(&mut pipe, reply).unwrap();
        understood(&receive(&mut pipe.as_slice()).unwrap())
    }

    #[test]
    fn outcomes_and_errors_cross_unchanged() {
        let outcome = Outcome::of(json!({"a": [u64::MAX, 0.1, null]})).with_action("invalid");
        assert_eq!(over(Ok(outcome.clone())), Ok(outcome));
        assert_eq!(over(Ok(Outcome::of(Value::Null))), Ok(Outcome::of(Value::Null)));
        let error = CallError { details: Some(json!({"errors": []})), ..crate::nodes::invalid("no") };
        assert_eq!(over(Err(error.clone())), Err(error));
    }

    #[test]
    fn a_job_is_done_as_the_node_does_it() {
        let job = Job { node_type: "jsonpath".to_owned(), config: json!({"path": "$..a"}) };
        let request = json!({"config": job.config, "input": {"a": {"a": 1}}, "connected": []}).to_string();
        let work = work(&job).unwrap_or_else(|problem| panic!("{}", problem.message));
        assert_eq!(*answer(&*work, request.as_bytes()).unwrap().output, json!([{"a": 1}, 1]));
    }
}
