//! A Lua script: whether it compiles, and whether it has a function for each node type.

use super::{Checked, Code};
use crate::engine::{Limits, lua};
use crate::ops::plugins::near;

/// Compiles the script; nothing of it runs.
pub fn look(checked: &mut Checked, code: &Code<'_>) {
    let Ok(source) = str::from_utf8(code.bytes) else {
        checked.problem("it is not UTF-8", "save it as UTF-8".to_owned());
        return;
    };
    match lua::Script::compile(code.name, source, Limits::default()) {
        Ok(_) => checked.fine("it compiles"),
        Err(error) => checked.problem(format!("it does not compile: {error}"), None),
    }
    let functions = functions(source);
    let nodes: Vec<String> =
        checked.manifest.iter().flat_map(|manifest| &manifest.nodes).map(|node| node.node_type.to_string()).collect();
    checked.exports = functions.clone();
    // Functions can be made in ways that are not seen in the text: so a missing one is worth knowing, and no problem.
    if functions.iter().any(|function| function == "process") {
        return;
    }
    for node in nodes {
        let function = node.replace('-', "_");
        if !functions.contains(&function) {
            let close = near(&function, functions.iter().map(String::as_str));
            let hint = match close.first() {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("write `function {function}(input, config, context)`"),
            };
            checked.note(format!("`{node}` calls the function `{function}` or `process`, and neither is seen"), hint);
        }
    }
}

/// The names after `function`, where they are global.
fn functions(source: &str) -> Vec<String> {
    let lines = source.lines().map(str::trim_start);
    let global = lines.filter_map(|line| line.strip_prefix("function ").or_else(|| assigned(line)));
    let names = global.map(|rest| rest.split(['(', ' ', '=', '\t']).next().unwrap_or_default().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// `name = function(…)`.
fn assigned(line: &str) -> Option<&str> {
    let (name, value) = line.split_once('=')?;
    let is_name = name.trim().chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_name && value.trim_start().starts_with("function")).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_functions_are_seen_in_both_spellings() {
        let source =
            "function a(x)\nlocal function hidden() end\n  b = function() end\nlocal c = function() end\nx = 1\n";
        assert_eq!(functions(source), ["a", "b"]);
    }
}
