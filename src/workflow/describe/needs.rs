//! What nodes reach outside of the workflow.

use serde_json::Value;

use crate::nodes::is_template;
use crate::workflow::plan::PlannedNode;

/// What a node reaches, a sentence each.
pub(super) fn needs(node: &PlannedNode) -> Vec<String> {
    if node.plugin.is_some() {
        return node.permissions.clone();
    }
    of_type(&node.node_type, &node.config())
}

fn of_type(node_type: &str, config: &Value) -> Vec<String> {
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    match node_type {
        "http" => vec![format!("sends HTTP requests to {}", host(text("url").unwrap_or_default()))],
        "exec" => vec![format!("runs the program `{}`", text("command").unwrap_or_default())],
        "file" => vec![files(text("operation").unwrap_or_default(), text("base_dir"))],
        "workflow" => vec![format!("needs what the workflow `{}` needs", text("path").unwrap_or_default())],
        _ => tasks(config),
    }
}

/// What the nodes inside a node reach.
fn tasks(config: &Value) -> Vec<String> {
    let list = config.get("tasks").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<String> = list
        .chain(std::iter::once(config))
        .filter_map(|task| Some((task.get("node")?.as_str()?, task.get("config").unwrap_or(&Value::Null))))
        .flat_map(|(node_type, config)| of_type(node_type, config))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The host of an address, as far as it is known before the run.
fn host(url: &str) -> String {
    let known = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    match known {
        Some(host) if !is_template(host) && !host.is_empty() => {
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("`{host}`")
        }
        _ => format!("the host that `{}` names", url.split('?').next().unwrap_or_default()),
    }
}

fn files(operation: &str, base: Option<&str>) -> String {
    let folder = base.map_or_else(|| "the workflow's folder".to_owned(), |base| format!("`{base}`"));
    match operation {
        "read" | "exists" | "list" => format!("reads files in {folder}"),
        "write" | "append" | "delete" => format!("writes files in {folder}"),
        _ => format!("uses files in {folder}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_known_before_the_run_is_told_and_no_credentials() {
        for (node_type, config, told) in [
            (
                "http",
                json!({"url": "https://me:pw@api.example.com:8443/x?key=1"}),
                "sends HTTP requests to `api.example.com:8443`",
            ),
            (
                "http",
                json!({"url": "{{.base}}/users?key=secret"}),
                "sends HTTP requests to the host that `{{.base}}/users` names",
            ),
            ("file", json!({"operation": "append", "base_dir": "out"}), "writes files in `out`"),
            (
                "parallel",
                json!({"tasks": [{"node": "exec", "config": {"command": "sort"}}]}),
                "runs the program `sort`",
            ),
        ] {
            assert_eq!(of_type(node_type, &config), [told]);
        }
        assert!(of_type("echo", &json!({})).is_empty());
    }
}
