use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{DrawingError, PictureFormat, Trace, draw};
use crate::workflow::tests::plan;
use crate::workflow::{Plan, RunOptions, run};

const BRANCHES: &str = r#"
name: orders
description: takes an order
nodes:
  - {name: check, type: conditional, config: {conditions: [{if: "{{.known}}", then: known}, {else: new}]}}
  - {name: load, type: redis-get, config: {key: a}, fallback: {node: report}}
  - {name: ask, type: flaky, retry: {max_attempts: 3, delay: 1ms}}
  - {name: both, type: echo}
  - {name: report, type: echo}
connections:
  - {from: check, to: load, when: known}
  - {from: check, to: ask, when: new}
  - {from: load, to: both, when: found}
  - {from: load, to: both, when: not_found}
  - {from: ask, to: both}
  - {from: ask, to: report, when: error}
  - {from: both, to: check, when: again}
  - {from: both, to: nowhere-at-all}
"#;

fn parsed(text: &str) -> Plan {
    plan(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn drawn(text: &str, format: PictureFormat) -> String {
    draw(&parsed(text), None, format).unwrap()
}

/// What a run made of it.
fn after_run(text: &str, input: Value, format: PictureFormat) -> String {
    let plan = Arc::new(parsed(text));
    let trace = Arc::new(Trace::default());
    let options = RunOptions { observer: Arc::clone(&trace) as _, ..RunOptions::default() };
    drop(run(&plan, input, &options));
    draw(&plan, Some(&trace), format).unwrap()
}

/// The text of a picture with its times made equal.
fn without_times(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let is_unit = ["µs", "ms"].iter().any(|unit| word.starts_with(unit));
        if is_unit && words.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit())) {
            words.pop();
            words.push("TIME".to_owned());
            words.push(word.replacen("µs", "", 1).replacen("ms", "", 1));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// Reads XML as strictly as a viewer does: tags that match, attributes in quotes, no stray `<` or `&`. Gives all elements.
fn elements(xml: &str) -> BTreeSet<String> {
    let mut open: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut rest = xml;
    while let Some((text, tag)) = rest.split_once('<') {
        for entity in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|known| entity.starts_with(known)), "&{entity}");
        }
        assert!(!text.contains('>') || open.last().is_some_and(|name| name == "style"), "{text}");
        let mut in_quotes = false;
        let is_end = |c: char| {
            in_quotes ^= c == '"';
            c == '>' && !in_quotes
        };
        let end = tag.find(is_end).unwrap_or_else(|| panic!("an open tag: {tag}"));
        let (tag, after) = (&tag[..end], &tag[end + 1..]);
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else {
            let name = tag.split([' ', '/']).next().unwrap().to_owned();
            seen.insert(name.clone());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?}");
    seen
}

#[test]
fn mermaid_shows_nodes_actions_and_ends() {
    insta::assert_snapshot!(drawn(BRANCHES, PictureFormat::Mermaid), @r##"
    flowchart TD
        n0["<b>check</b><br/>conditional"]
        n1["<b>load</b><br/>redis-cache/redis-get"]
        n2["<b>ask</b><br/>broken/flaky"]
        n3["<b>both</b><br/>echo"]
        n4["<b>report</b><br/>echo"]
        n5((( )))
        n6(( ))
        n0 -->|"known"| n1
        n0 -->|"new"| n2
        n1 -->|"found, not_found"| n3
        n1 -.->|"fallback"| n4
        n2 --> n3
        n2 -.->|"error"| n4
        n3 -->|"again"| n0
        n3 --> n5
        n6 --> n0
        linkStyle 3,5 stroke:#cf222e,color:#cf222e
    "##);
}

#[test]
fn dot_shows_the_same() {
    insta::assert_snapshot!(drawn(BRANCHES, PictureFormat::Dot), @r##"
    digraph "orders" {
        rankdir=TB
        fontname="sans-serif"
        node [shape=box, style="rounded,filled", fillcolor="#ffffff", color="#8b949e", fontname="sans-serif", fontsize=11]
        edge [color="#8b949e", fontname="sans-serif", fontsize=10]
        n0 [label="check\nconditional", fillcolor="#ffffff", color="#8250df"]
        n1 [label="load\nredis-cache/redis-get", fillcolor="#ffffff", color="#bf3989"]
        n2 [label="ask\nbroken/flaky", fillcolor="#ffffff", color="#bf3989"]
        n3 [label="both\necho", fillcolor="#ffffff", color="#0969da"]
        n4 [label="report\necho", fillcolor="#ffffff", color="#0969da"]
        n5 [shape=doublecircle, label="", width=0.14]
        n6 [shape=circle, label="", width=0.18, fillcolor="#59636e"]
        n0 -> n1 [label="known"]
        n0 -> n2 [label="new"]
        n1 -> n3 [label="found, not_found"]
        n1 -> n4 [label="fallback", color="#cf222e", fontcolor="#cf222e", style=dashed]
        n2 -> n3
        n2 -> n4 [label="error", color="#cf222e", fontcolor="#cf222e", style=dashed]
        n3 -> n0 [label="again"]
        n3 -> n5
        n6 -> n0
    }
    "##);
}

#[test]
fn a_small_picture_is_the_same_each_time() {
    let text = "name: hello\nnodes: [{name: greet, type: echo}]";
    let svg = drawn(text, PictureFormat::Svg);
    let body = svg.split("</style>").nth(1).unwrap();
    insta::assert_snapshot!(body, @r##"
    <rect class="page" width="100%" height="100%"/>
    <text class="title" x="28" y="32">hello</text>
    <g transform="translate(0 34)">
    <path class="arrow flow" d="M84 44V76"/>
    <path class="arrow flow head" d="M79.5 74L84 82L88.5 74Z"/>
    <svg class="node shelf-data" x="28" y="82" width="112" height="46">
    <title>greet (echo): Gives `message` (or `value`); without either it passes its input on.</title>
    <rect class="box" x="0.5" y="0.5" width="111" height="45" rx="7"/>
    <rect class="bar" x="5" y="9" width="3" height="28" rx="1.5"/>
    <text class="name" x="14" y="20">greet</text>
    <text class="type" x="14" y="36">echo</text>
    </svg>
    <circle class="start" cx="84" cy="36" r="7"/>
    </g>
    <g class="legend shelf-data"><rect class="swatch" x="28" y="199" width="10" height="10" rx="3"/><text x="44" y="208">data</text></g>
    </svg>
    "##);
    assert_eq!(drawn(BRANCHES, PictureFormat::Svg), drawn(BRANCHES, PictureFormat::Svg));
}

#[test]
fn a_run_shows_what_was_done_retried_failed_and_skipped() {
    let mermaid = after_run(BRANCHES, json!({"known": false}), PictureFormat::Mermaid);
    insta::assert_snapshot!(without_times(&mermaid), @r##"
    flowchart TD
        n0["<b>check</b><br/>conditional<br/>✓ TIME "]
        n1["<b>load</b><br/>redis-cache/redis-get<br/>skipped"]
        n2["<b>ask</b><br/>broken/flaky<br/>✓ TIME , 3 attempts"]
        n3["<b>both</b><br/>echo<br/>✓ TIME "]
        n4["<b>report</b><br/>echo<br/>skipped"]
        n5((( )))
        n6(( ))
        n0 -->|"known"| n1
        n0 -->|"new"| n2
        n1 -->|"found, not_found"| n3
        n1 -.->|"fallback"| n4
        n2 --> n3
        n2 -.->|"error"| n4
        n3 -->|"again"| n0
        n3 --> n5
        n6 --> n0
        linkStyle 3,5 stroke:#cf222e,color:#cf222e
        classDef done fill:#e6f6ea,stroke:#4ac26b,color:#116329
        class n0,n3 done
        classDef retried fill:#fff5d1,stroke:#d4a72c,color:#7d4e00
        class n2 retried
        classDef skipped fill:#f6f8fa,stroke:#cbd2d9,color:#6e7781,stroke-dasharray:4 3
        class n1,n4 skipped
    "##);
    let text = "nodes: [{name: a, type: echo}, {name: b, type: crash}, {name: c, type: echo}]";
    let svg = after_run(text, json!({}), PictureFormat::Svg);
    let classes: Vec<&str> =
        svg.split("<svg class=\"node ").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(classes, ["shelf-data done", "shelf-plugin failed", "shelf-data skipped"]);
    assert!(svg.contains("killed by signal 11"), "the error stands in the title of the box");
}

#[test]
fn a_picture_does_nothing_whatever_nodes_are_called() {
    let hostile = [
        "</text><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "]] --> <!-- <![CDATA[ &lt; &#60;",
        "a\u{0}\u{1b}[31m\u{202e}b",
        "x\" onload=\"alert(1)",
        "`\n\"]; click n0 href \"javascript:alert(1)\"",
        "url(https://example.com/x)</style><style>@import 'x'",
    ];
    let nodes: Vec<Value> =
        hostile.iter().map(|name| json!({"name": name, "type": "echo", "description": name})).collect();
    let connections: Vec<Value> =
        hostile.windows(2).map(|pair| json!({"from": pair[0], "to": pair[1], "when": pair[0]})).collect();
    let text =
        json!({"name": hostile[0], "description": hostile[1], "nodes": nodes, "connections": connections}).to_string();
    let plan = parsed(&text);
    let svg = draw(&plan, None, PictureFormat::Svg).unwrap();
    let known = ["circle", "g", "path", "rect", "style", "svg", "text", "title"];
    assert_eq!(elements(&svg).into_iter().collect::<Vec<_>>(), known);
    let html = draw(&plan, None, PictureFormat::Html).unwrap();
    let body = html.split("<body>").nth(1).unwrap().replace("</body>", "").replace("</html>", "");
    let elements = elements(&body);
    for never in ["script", "img", "a", "iframe", "image", "use", "foreignObject"] {
        assert!(!elements.contains(never), "{never}");
    }
    for line in draw(&plan, None, PictureFormat::Mermaid).unwrap().lines().skip(1) {
        assert!(["    n", "    linkStyle"].iter().any(|start| line.starts_with(start)), "{line}");
        assert!(line.matches('"').count() <= 2, "{line}");
    }
    for line in draw(&plan, None, PictureFormat::Dot).unwrap().lines().skip(1) {
        assert_eq!(line.replace("\\\\", "").replace("\\\"", "").matches('"').count() % 2, 0, "{line}");
    }
}

#[test]
fn no_text_is_wider_than_its_box() {
    let name = "w".repeat(300);
    let text =
        json!({"nodes": [{"name": name, "type": "echo"}, {"name": "二つの長い名前".repeat(20), "type": "echo"}]});
    let svg = drawn(&text.to_string(), PictureFormat::Svg);
    for node in svg.split("<svg class=\"node ").skip(1) {
        let width: f64 = node.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        let text = node.split("class=\"name\"").nth(1).unwrap();
        let text = &text[text.find('>').unwrap() + 1..text.find('<').unwrap()];
        assert!(text.ends_with('…') && super::text::width(text, super::text::Font::Name) < width, "{text}");
    }
}

#[test]
fn a_workflow_that_nobody_could_look_at_is_drawn_by_others_only() {
    let nodes: Vec<Value> = (0..70_000).map(|index| json!({"name": format!("n{index}"), "type": "echo"})).collect();
    let plan = parsed(&json!({"nodes": nodes}).to_string());
    assert_eq!(draw(&plan, None, PictureFormat::Svg), Err(DrawingError::TooLarge { nodes: 70_000 }));
    assert!(draw(&plan, None, PictureFormat::Dot).is_ok());
}
