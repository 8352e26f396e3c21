//! Every template that Go rendered gives the same here.

use serde_json::Value;

use super::super::{Budgets, NoSurroundings, Phase, Scope, Template, TemplateError};

fn render(template: &str, dot: &Value) -> Result<String, TemplateError> {
    let scope = Scope {
        dot,
        variables: &serde_json::Map::new(),
        input: &Value::Null,
        surroundings: &NoSurroundings,
        budgets: Budgets::default(),
    };
    Template::parse(template)?.render_text(&scope)
}

/// What differs from Go, one line a case.
fn differences(cases: &str) -> (usize, Vec<String>) {
    let file: Value = serde_json::from_str(cases).expect("the fixture is JSON");
    let cases = file["cases"].as_array().expect("the fixture has cases");
    let differences = cases.iter().filter_map(|case| {
        let template = case["template"].as_str().expect("a case has a template");
        let data = &file["data_sets"][case["data_set"].as_str().expect("a case has a data set")];
        let given = render(template, data);
        let is_same = match (&given, case["output"].as_str()) {
            (Ok(given), Some(expected)) => given == expected,
            (Ok(_), None) => case["int_float_mix"] == true,
            (Err(_), Some(_)) => false,
            (Err(error), None) => {
                let phase = if case["error_phase"] == "parse" { Phase::Parse } else { Phase::Execute };
                error.phase == phase
            }
        };
        (!is_same).then(|| format!("{template:?}\n   go: {} {}\n here: {given:?}", case["output"], case["error"]))
    });
    (cases.len(), differences.collect())
}

#[test]
fn the_reference_cases_render_as_go_renders_them() {
    let (count, differences) = differences(include_str!("../../../../fixtures/templates/go-template-cases.json"));
    assert_eq!(count, 301);
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn further_cases_render_as_go_renders_them() {
    let (count, differences) = differences(include_str!("../../../../fixtures/templates/more-cases.json"));
    assert!(count > 500);
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn subtle_cases_render_as_go_renders_them() {
    let (count, differences) = differences(include_str!("../../../../fixtures/templates/subtle-cases.json"));
    assert!(count > 400);
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
