//! Node types as a page of documentation.

use serde_json::Value;

use super::{NodeInfo, ShownExample};

/// A page in Markdown on these node types.
pub fn page(nodes: &[NodeInfo]) -> String {
    let mut text = "# Node types\n\n\
        Made by `pocket nodes docs`. [Workflows](workflows.md) explains how nodes are put together; fields marked *as written* are no \
        templates.\n\n| Category | Node types |\n|---|---|\n"
        .to_owned();
    let mut categories: Vec<&str> = nodes.iter().map(|node| &*node.category).collect();
    categories.sort_unstable();
    categories.dedup();
    for category in categories {
        let names = nodes.iter().filter(|node| node.category == category);
        let names: Vec<String> = names.map(|node| format!("[`{0}`](#{0})", node.node_type)).collect();
        text.push_str(&format!("| {category} | {} |\n", names.join(", ")));
    }
    nodes.iter().for_each(|node| section(node, &mut text));
    text
}

fn section(node: &NodeInfo, text: &mut String) {
    text.push_str(&format!("\n## {}\n\n", node.node_type));
    if let Some((plugin, version)) = &node.plugin {
        text.push_str(&format!("Of the plugin `{plugin}` {version}.\n\n"));
    }
    if !node.description.is_empty() {
        text.push_str(&format!("{}\n\n", node.description));
    }
    if let [Some(schema), ..] = &node.schemas {
        let mut rows = Vec::new();
        fields(schema, "", &mut rows);
        if !rows.is_empty() {
            text.push_str("| Field | Type | Meaning | Default |\n|---|---|---|---|\n");
            rows.iter().for_each(|row| text.push_str(&format!("{row}\n")));
            text.push('\n');
        }
    }
    if !node.outputs.is_empty() {
        text.push_str(&format!("**Output.** {}\n\n", node.outputs));
    }
    if let Some(actions) = actions(&node.actions) {
        text.push_str(&format!("**Actions.** {actions}\n\n"));
    }
    node.examples.iter().for_each(|example| shown(example, text));
    text.truncate(text.trim_end().len());
    text.push('\n');
}

fn actions(actions: &[String]) -> Option<String> {
    let named: Vec<String> =
        actions.iter().filter(|action| *action != "*").map(|action| format!("`{action}`")).collect();
    match (named.is_empty(), actions.iter().any(|action| action == "*")) {
        (true, false) => None,
        (true, true) => Some("Those that its config or script names, else `default`.".to_owned()),
        (false, _) => Some(format!("{}, when a connection carries it, else `default`.", named.join(" or "))),
    }
}

/// A row for each field, those of mappings and of lists of mappings too.
fn fields(schema: &Value, prefix: &str, rows: &mut Vec<String>) {
    let required = |key: &str| schema["required"].as_array().is_some_and(|keys| keys.iter().any(|known| known == key));
    for (key, field) in schema["properties"].as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}");
        let default = match (&field["default"], required(key)) {
            (_, true) => "required".to_owned(),
            (Value::Null, false) => String::new(),
            (Value::String(text), false) => format!("`{text}`"),
            (other, false) => format!("`{other}`"),
        };
        let as_written = if field["x-pocket-template"] == false { " (*as written*)" } else { "" };
        let meaning = field["description"].as_str().unwrap_or_default();
        let row = [format!("`{name}`{as_written}"), kind(field), meaning.to_owned(), default]
            .map(|cell| cell.replace('|', "\\|"));
        rows.push(format!("| {} |", row.join(" | ")));
        fields(field, &format!("{name}."), rows);
        fields(&field["items"], &format!("{name}[]."), rows);
    }
}

fn kind(field: &Value) -> String {
    let words = |value: &Value| {
        value.as_array().map(|words| words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
    };
    if let Some(words) = field["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    words(&field["type"]).or_else(|| field["type"].as_str().map(str::to_owned)).unwrap_or_else(|| "any".to_owned())
}

fn shown(example: &ShownExample, text: &mut String) {
    text.push_str(&format!(
        "```yaml\n# {}\nconfig: {}\ninput: {}\noutput: {}\n",
        example.name, example.config, example.input, example.output
    ));
    if example.action != "default" {
        text.push_str(&format!("action: {}\n", example.action));
    }
    text.push_str("```\n\n");
}

#[cfg(test)]
mod tests {
    use super::super::own;
    use super::*;

    #[test]
    fn the_page_in_docs_is_what_the_command_makes() {
        let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/nodes.md")).unwrap();
        assert!(
            kept == page(&own()),
            "docs/nodes.md is old: write it anew with `pocket nodes docs --out docs/nodes.md`"
        );
    }
}
