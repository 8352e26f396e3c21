//! The examples of `docs/templates.md` give what it says they give.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::super::functions;
use super::super::{Budgets, Scope, Surroundings, Template};

const PAGE: &str = include_str!("../../../../docs/templates.md");

struct Documented(Value);

impl Surroundings for Documented {
    fn output(&self, node: &str) -> Option<&Value> {
        self.0.get(node)
    }

    fn env(&self, _name: &str) -> Result<String, String> {
        Ok("eu".to_owned())
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
    }

    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// The cells of a row of a table, without the code marks around them.
fn cells(row: &str) -> Vec<String> {
    let inside = row.trim().trim_matches('|').replace("\\|", "\u{0}");
    inside.split('|').map(|cell| cell.trim().trim_matches('`').replace('\u{0}', "|")).collect()
}

/// Templates and what they give, from the last two cells of all rows whose last but one is a template.
fn examples() -> Vec<(String, String)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.filter_map(|mut row| {
        let (gives, template) = (row.pop()?, row.pop()?);
        template.contains("{{").then_some((template, gives))
    })
    .collect()
}

#[test]
fn every_example_gives_what_the_page_says() {
    let json_block = PAGE.split("```").find_map(|block| block.strip_prefix("json\n")).expect("the page has its data");
    let dot: Value = serde_json::from_str(json_block).expect("the data is JSON");
    let scope = Scope {
        dot: &dot,
        variables: &Map::new(),
        input: &json!({"order": 17}),
        surroundings: &Documented(json!({"fetch": {"status": 200}})),
        budgets: Budgets::default(),
    };
    let examples = examples();
    assert!(examples.len() > 60, "only {} examples were found", examples.len());
    for (template, gives) in examples {
        let given = Template::parse(&template).and_then(|template| template.render_value(&scope));
        let given = given.map(|value| value.to_string()).map_err(|error| error.to_string());
        assert_eq!(given, Ok(gives), "{template}");
    }
}

#[test]
fn every_function_stands_on_the_page() {
    for name in functions::names() {
        let is_there = PAGE.lines().filter(|line| line.starts_with("| `")).any(|line| {
            let described = cells(line).swap_remove(0);
            described.split([' ', '`']).any(|word| word == name)
        });
        assert!(is_there || name == "call", "`{name}` is missing");
    }
}
