//! A plugin's nodes, with schema and examples.

use maud::{Markup, html};
use pocket_index::manifest::{NodeExample, NodeSpec};
use serde_json::Value;

/// 200 nodes on a page; more are named.
const SHOWN: usize = 200;
/// 20 KiB of one schema or example: nobody reads more on a page.
const MAX_TEXT: usize = 20 << 10;

/// The nodes that a manifest describes.
pub(super) fn described(nodes: &[NodeSpec]) -> Markup {
    html! {
        @for node in nodes.iter().take(SHOWN) { (one(node)) }
        @if nodes.len() > SHOWN {
            p { "And: " @for node in &nodes[SHOWN..] { code { (node.node_type) } " " } }
        }
    }
}

fn one(node: &NodeSpec) -> Markup {
    let schemas =
        [("Configuration", &node.config_schema), ("Input", &node.input_schema), ("Output", &node.output_schema)];
    html! {
        article.node {
            h3 #{ "node-" (node.node_type) } { code { (node.node_type) } }
            @if !node.description.is_empty() { p { bdi { (node.description) } } }
            @for (title, schema) in schemas {
                @if let Some(schema) = schema {
                    details { summary { (title) " schema" } (code(schema)) }
                }
            }
            @for example in node.examples.iter().take(5) { (shown(example)) }
        }
    }
}

fn shown(example: &NodeExample) -> Markup {
    let parts = [("Configuration", &example.config), ("Input", &example.input), ("Output", &example.output)];
    let title = if example.name.is_empty() { "Example".to_owned() } else { format!("Example: {}", example.name) };
    html! {
        details {
            summary { bdi { (title) } }
            @for (title, value) in parts {
                @if !value.is_null() { p.quiet { (title) } (code(value)) }
            }
        }
    }
}

fn code(value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_TEXT).last().unwrap_or_default();
    html! {
        pre { code { @if text.len() > MAX_TEXT { (&text[..end]) "\n…" } @else { (text) } } }
    }
}
