//! `exec`: runs a program that the user allowed. There is no shell: arguments arrive as they are.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, NodeCall, Outcome, Prepared, Setup, failed, invalid};
use crate::engine::budget::Seconds;
use crate::engine::{CallError, CallErrorKind};
use pocket_index::permissions::parse_duration;

/// How long a program may take when the node does not say: 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of each output stream is kept: 1 MiB. The rest is read and dropped, so that the program does not block.
const MAX_OUTPUT: usize = 1 << 20;
/// How often it is looked whether the program has ended.
const POLL: Duration = Duration::from_millis(5);
/// How long the rest of the output may take after the program ended.
const DRAIN: Duration = Duration::from_secs(1);
/// The variables that a program gets besides those of `env`; credentials in others stay here.
const PASSED_ON: &[&str] = &["PATH", "HOME", "LANG", "TMPDIR", "TZ"];

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "exec",
    category: "script",
    description: "Runs a program without a shell, if `plugins.security.allow_exec` in `pocket.yaml` is true. The output is \
        `{exit_code, stdout, stderr}`; an exit code other than 0 is an error, unless a connection carries `failure`. \
        When its time is up the program is killed with everything that it started.",
    schema,
    examples: Vec::<Example>::new,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "command": { "type": "string", "minLength": 1, "description": "The program. No template.", "x-pocket-template": false },
            "args": { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
            "stdin": { "description": "What the program reads: text as it is, any other value as JSON." },
            "env": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
            "timeout": { "type": "string", "default": "30s" }
        },
        "required": ["command"],
        "additionalProperties": false
    })
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let program = setup.config.get("command").and_then(Value::as_str).unwrap_or_default();
    if !setup.host.may_execute(program) {
        let message = format!("workflows may not run `{program}`");
        let help = "to allow programs, set `plugins.security.allow_exec: true` in `pocket.yaml`";
        return Err(vec![ConfigProblem::new("/command", message).help(help)]);
    }
    let folder = setup.folder.to_owned();
    let program = program.to_owned();
    Ok(Prepared::new(move |call: &NodeCall<'_>| {
        let mut command = Command::new(&program);
        if !folder.as_os_str().is_empty() {
            command.current_dir(&folder);
        }
        run(command, &program, call)
    }))
}

fn run(mut command: Command, program: &str, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    let limit = match call.text("timeout") {
        Some(text) => parse_duration(text).map_err(|error| invalid(error.to_string()))?,
        None => DEFAULT_TIMEOUT,
    };
    command.args(call.field("args").and_then(Value::as_array).into_iter().flatten().map(plain));
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(
        call.field("env").and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key, plain(value))),
    );
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| failed(format!("cannot start `{program}`: {error}")))?;
    let input = call.field("stdin").map(plain).unwrap_or_default();
    if let Some(mut stdin) = child.stdin.take() {
        // Nobody waits for this thread: a program need not read its input.
        std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let (stdout, stderr) = (child.stdout.take().map(Collected::of), child.stderr.take().map(Collected::of));
    let deadline = call.context.deadline.min(Instant::now() + limit);
    let ended = wait(&mut child, deadline, call);
    // What the program started and left behind goes with it. It is not reaped yet, so that its group cannot be another's.
    kill_group(&mut child);
    let status = ended.and_then(|ended| child.wait().map(|status| ended.then_some(status)));
    let (stdout, stderr) = (text_of(stdout), text_of(stderr));
    let Some(status) = status.map_err(|error| failed(format!("cannot wait for `{program}`: {error}")))? else {
        call.check_time()?;
        let message = format!("`{program}` did not end within {} and was killed", Seconds(limit));
        return Err(CallError::new(CallErrorKind::Timeout, message));
    };
    conclude(program, status, &stdout, &stderr, call)
}

fn conclude(
    program: &str,
    status: ExitStatus,
    stdout: &str,
    stderr: &str,
    call: &NodeCall<'_>,
) -> Result<Outcome, CallError> {
    let output = json!({"exit_code": status.code(), "stdout": stdout, "stderr": stderr});
    if status.success() {
        return Ok(Outcome::of(output));
    }
    if call.run.is_connected("failure") {
        return Ok(Outcome::of(output).with_action("failure"));
    }
    let last = stderr.trim_end().lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
    Err(CallError { details: Some(output), ..failed(format!("`{program}` ended with {status}{last}")) })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A stream that is read to its end on a thread of its own; its beginning is kept.
struct Collected {
    kept: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Collected {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (ended, end) = mpsc::channel();
        let ours = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                let room = MAX_OUTPUT.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..count.min(room)]);
            }
            // The receiver may have given up.
            let _ = ended.send(());
        });
        Self { kept, end }
    }
}

/// What was kept of a stream.
fn text_of(stream: Option<Collected>) -> String {
    let Some(Collected { kept, end }) = stream else { return String::new() };
    // A process that left the group may hold the stream open for ever; what came so far has to do.
    let _ = end.recv_timeout(DRAIN);
    String::from_utf8_lossy(&kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Waits for the program's end; false when its time was up or the run was stopped.
fn wait(child: &mut Child, deadline: Instant, call: &NodeCall<'_>) -> io::Result<bool> {
    loop {
        if has_ended(child)? {
            return Ok(true);
        }
        if Instant::now() >= deadline || !call.run.stop().sleep(POLL) {
            return Ok(false);
        }
    }
}

/// Whether the program has ended. It stays to be reaped.
#[cfg(target_os = "linux")]
fn has_ended(child: &mut Child) -> io::Result<bool> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let Some(pid) = process_id(child) else { return Ok(true) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

#[cfg(not(target_os = "linux"))]
fn has_ended(child: &mut Child) -> io::Result<bool> {
    Ok(child.try_wait()?.is_some())
}

#[cfg(target_os = "linux")]
fn process_id(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
}

/// Kills the program and everything in its group. That some of it has ended already is no error.
fn kill_group(child: &mut Child) {
    #[cfg(target_os = "linux")]
    if let Some(group) = process_id(child) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
}
