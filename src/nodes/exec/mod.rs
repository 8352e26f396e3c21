//! `exec`: runs a program that the user allowed. There is no shell: arguments arrive as they are.

mod child;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, NodeCall, Outcome, Prepared, Setup, failed, invalid, is_template};
use crate::engine::budget::Seconds;
use crate::engine::{CallError, CallErrorKind};
use child::Ended;
use pocket_index::permissions::parse_duration;

/// How long a program may take when the node does not say: 30 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The variables that a program gets besides those of `env`; credentials in others stay here.
const PASSED_ON: &[&str] = &["PATH", "HOME", "LANG", "TMPDIR", "TZ"];

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "exec",
    category: "script",
    description: "Runs a program without a shell, in the workflow file's folder, if `plugins.security.allow_exec` in `pocket.yaml` \
        lists it. An exit code other than 0 is an error, unless a connection carries `failure`. When its time is up the program is \
        killed with everything that it started. Of Pocket's environment it gets `PATH HOME LANG TMPDIR TZ`.",
    outputs: "`{exit_code, stdout, stderr}`, 1 MiB of each stream at most, with `truncated: true` when more came; bytes that are no \
        UTF-8 are replaced.",
    actions: &["success", "failure"],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    let plain = json!({ "type": ["string", "number", "boolean"] });
    json!({
        "type": "object",
        "properties": {
            "command": {
                "type": "string", "minLength": 1, "x-pocket-template": false,
                "description": "The program: a name that is looked up in `PATH`, or a path from the workflow file's folder. No template."
            },
            "args": { "type": "array", "items": plain, "description": "Its arguments, each as it is." },
            "stdin": { "description": "What the program reads: text as it is, any other value as JSON." },
            "env": { "type": "object", "additionalProperties": plain, "description": "Environment variables for it." },
            "timeout": { "type": "string", "default": "30s", "description": "The longest it may take." }
        },
        "required": ["command"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    vec![
        Example::new(
            "a program reads the input",
            json!({"command": "sort", "args": ["-r"], "stdin": "{{.text}}"}),
            json!({"text": "a\nb\n"}),
            json!({"exit_code": 0, "stdout": "b\na\n", "stderr": ""}),
        ),
        Example::new(
            "nothing in an argument is a command",
            json!({"command": "echo", "args": ["{{.name}}", 7]}),
            json!({"name": "$(id); ls"}),
            json!({"exit_code": 0, "stdout": "$(id); ls 7\n", "stderr": ""}),
        ),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let program = setup.config.get("command").and_then(Value::as_str).unwrap_or_default();
    if !setup.host.allowed().may_execute(program) {
        let message = format!("workflows may not run `{}`", program.escape_debug());
        let help = format!("to allow it, set `plugins.security.allow_exec: [{program}]` in `pocket.yaml`");
        return Err(vec![ConfigProblem::new("/command", message).help(help)]);
    }
    if let Some(Err(error)) =
        setup.config.get("timeout").and_then(Value::as_str).filter(|text| !is_template(text)).map(parse_duration)
    {
        return Err(vec![ConfigProblem::new("/timeout", error.to_string())]);
    }
    let (name, folder) = (program.to_owned(), setup.folder.to_owned());
    let path = located(program, setup.folder);
    Ok(Prepared::new(move |call: &NodeCall<'_>| run(command(&path, &folder, call), &name, call)))
}

/// A path starts at the workflow's folder, wherever `pocket` was started; a name alone is looked up in `PATH`.
fn located(program: &str, folder: &Path) -> PathBuf {
    if program.contains('/') { folder.join(program) } else { PathBuf::from(program) }
}

fn command(program: &Path, folder: &Path, call: &NodeCall<'_>) -> Command {
    // The program is found before the folder is changed.
    let program = if program.components().count() > 1 { std::path::absolute(program).ok() } else { None }
        .unwrap_or_else(|| program.to_owned());
    let mut command = Command::new(program);
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    command.args(call.field("args").and_then(Value::as_array).into_iter().flatten().map(plain));
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let given = call.field("env").and_then(Value::as_object).into_iter().flatten();
    command.envs(given.map(|(key, value)| (key, plain(value))));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(command: Command, program: &str, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    refuse_nul(call)?;
    let limit = match call.text("timeout") {
        Some(text) => parse_duration(text).map_err(|error| invalid(error.to_string()))?,
        None => DEFAULT_TIMEOUT,
    };
    let input = call.field("stdin").map(plain).unwrap_or_default();
    let deadline =
        Instant::now().checked_add(limit).map_or(call.context.deadline, |end| end.min(call.context.deadline));
    let ended = child::run(command, input, deadline, call.run.stop())
        .map_err(|error| failed(format!("cannot run `{program}`: {error}")))?;
    if ended.status.is_none() {
        call.check_time()?;
        let message = format!("`{program}` did not end within {} and was killed", Seconds(limit));
        return Err(CallError::new(CallErrorKind::Timeout, message));
    }
    conclude(program, &ended, call)
}

/// The system takes texts that end at their first zero byte: what follows would be lost.
fn refuse_nul(call: &NodeCall<'_>) -> Result<(), CallError> {
    let arguments = call.field("args").and_then(Value::as_array).into_iter().flatten().map(plain);
    let given = call.field("env").and_then(Value::as_object).into_iter().flatten();
    let variables = given.flat_map(|(key, value)| [key.clone(), plain(value)]);
    match arguments.chain(variables).find(|text| text.contains('\0')) {
        Some(text) => {
            Err(invalid(format!("`{}` has a zero byte, which no argument or variable can have", text.escape_debug())))
        }
        None => Ok(()),
    }
}

fn conclude(program: &str, ended: &Ended, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
    let Ended { status, stdout, stderr, .. } = ended;
    let mut output = json!({"exit_code": status.and_then(|status| status.code()), "stdout": stdout, "stderr": stderr});
    if ended.is_truncated {
        output["truncated"] = Value::Bool(true);
    }
    let is_good = status.is_some_and(|status| status.success());
    let action = if is_good { "success" } else { "failure" };
    if call.run.is_connected(action) {
        return Ok(Outcome::of(output).with_action(action));
    }
    if is_good {
        return Ok(Outcome::of(output));
    }
    let status = status.map(|status| status.to_string()).unwrap_or_default();
    let last = stderr.trim_end().lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
    Err(CallError { details: Some(output), ..failed(format!("`{program}` ended with {status}{last}")) })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
