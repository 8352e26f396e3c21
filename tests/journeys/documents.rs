//! `docs/json.md` is typed in, command by command, and each document has the fields of its example.

use pocket_registry::{Seed, Source};
use serde_json::Value;

use crate::support::{Sandbox, TestRegistry, make_registry};

const PAGE: &str = include_str!("../../docs/json.md");

/// The commands of the page, each with its example.
fn examples() -> Vec<(Vec<&'static str>, Value)> {
    let sections = PAGE.split("\n## `pocket ").skip(1);
    let example = |section: &'static str| {
        let (command, rest) = section.split_once("`\n").expect("a heading is a command");
        let (_, rest) = rest.split_once("```json\n").expect("a command has an example");
        let json = rest.split_once("\n```").expect("an example ends").0;
        (command.split(' ').collect(), serde_json::from_str(json).unwrap_or_else(|error| panic!("{command}: {error}")))
    };
    sections.map(example).collect()
}

/// Whether a document is like an example. Null, `{}` and `[]` in an example stand for anything, and null in a document for
/// what is not there this time.
fn check(place: &str, example: &Value, found: &Value) {
    match (example, found) {
        (Value::Object(example), Value::Object(found)) if !example.is_empty() => {
            let names = |fields: &serde_json::Map<String, Value>| fields.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(found), names(example), "{place}");
            for (name, value) in example {
                check(&format!("{place}.{name}"), value, &found[name]);
            }
        }
        (Value::Array(example), Value::Array(found)) if !example.is_empty() => {
            let is_inside_an_entry = place.contains("[]");
            assert!(is_inside_an_entry || !found.is_empty(), "{place}: the example has entries");
            found.iter().for_each(|found| check(&format!("{place}[]"), &example[0], found));
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(std::mem::discriminant(found), std::mem::discriminant(example), "{place}: {found}"),
    }
}

#[test]
fn what_commands_print_for_programs_is_what_the_page_says() {
    let registry = TestRegistry::empty();
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.write(
        "hello/manifest.yaml",
        "name: hello\nversion: 1.0.0\nruntime: lua\nbinary: main.lua\nnodes: [{type: hello}]\n",
    );
    sandbox.write(
        "scripts/double.lua",
        "-- @name: doubler\n-- @version: 1.2.0\n-- @description: Doubles\n-- @node: double\nreturn input * 2\n",
    );
    sandbox.write("hello/main.lua", "function process() return {text = 'hello'} end\n");
    sandbox.write("hello.yaml", "name: greet\nstart: a\nnodes: [{name: a, type: echo, config: {message: hi}}]\n");
    sandbox.write(
        "greeting.yaml",
        "name: greeting\nvars: {name: Ada}\nnodes:\n  - {name: a, type: transform, config: {jq: '{name: \"Ada\"}'}}\n  - {name: b, type: my-plugin-greet}\nconnections: [{from: a, to: b}]\n",
    );
    let source = Source::Folder { path: sandbox.path("registry"), seed: Seed::Bundled };
    make_registry(&source);
    let examples = examples();
    assert!(examples.len() >= 25, "{} examples", examples.len());
    for (command, example) in examples {
        let ours = command.iter().map(|word| if word.starts_with("http://") { registry.url() } else { word });
        let arguments: Vec<_> = ours.chain(["--output", "json"]).collect();
        check(&command.join(" "), &example, &sandbox.pocket(&arguments).json());
    }
}
