//! What the language gives beyond Go: types, root lookup, budgets, places of errors.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::super::{Budgets, NoSurroundings, Phase, Reference, Scope, Surroundings, Template, TemplateError};

/// One node's output, one environment variable, a fixed time and fixed randomness.
struct Fixed(Value);

impl Surroundings for Fixed {
    fn output(&self, node: &str) -> Option<&Value> {
        self.0.get(node)
    }

    fn env(&self, name: &str) -> Result<String, String> {
        if name == "HOME" { Ok("/home/ann".to_owned()) } else { Err(format!("`{name}` may not be read")) }
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn random(&self) -> [u8; 16] {
        *b"0123456789abcdef"
    }
}

fn with_scope<T>(dot: &Value, render: impl FnOnce(&Scope<'_>) -> T) -> T {
    let variables = Map::from_iter([("user_id".to_owned(), json!(7)), ("a".to_owned(), json!("variable"))]);
    render(&Scope {
        dot,
        variables: &variables,
        input: &json!({"q": [1, 2]}),
        surroundings: &Fixed(json!({"fetch": {"status": 200}})),
        budgets: Budgets::default(),
    })
}

fn value(template: &str, dot: &Value) -> Result<Value, TemplateError> {
    with_scope(dot, |scope| Template::parse(template)?.render_value(scope))
}

fn text(template: &str, dot: &Value) -> Result<String, TemplateError> {
    with_scope(dot, |scope| Template::parse(template)?.render_text(scope))
}

fn message(template: &str, dot: &Value) -> String {
    text(template, dot).map_or_else(|error| error.message, |text| format!("no error but {text:?}"))
}

#[test]
fn exactly_one_action_keeps_the_type_of_its_value() {
    let dot = json!({"n": 5, "list": [1, "a", null], "map": {"k": true}});
    assert_eq!(value("{{.}}", &dot), Ok(dot.clone()));
    assert_eq!(value("{{.n}}", &dot), Ok(json!(5)));
    assert_eq!(value("{{- .list -}}", &dot), Ok(json!([1, "a", null])));
    assert_eq!(value("{{/* why */}}{{.map}}", &dot), Ok(json!({"k": true})));
    assert_eq!(value("{{len .list}}", &dot), Ok(json!(3)));
    assert_eq!(value("{{.missing}}", &dot), Ok(Value::Null));
}

#[test]
fn anything_else_is_text() {
    let dot = json!({"n": 5});
    assert_eq!(value(" {{.n}}", &dot), Ok(json!(" 5")));
    assert_eq!(value("{{.n}}{{.n}}", &dot), Ok(json!("55")));
    assert_eq!(value("{{if .n}}{{.n}}{{end}}", &dot), Ok(json!("5")));
    assert_eq!(value("{{$x := .n}}", &dot), Ok(json!("")));
    assert_eq!(value("n: {{.missing}}", &dot), Ok(json!("n: <no value>")));
    assert_eq!(value("{{2i}}", &dot), Ok(json!("(0+2i)")));
}

#[test]
fn a_field_the_root_dot_does_not_have_is_looked_up_in_the_variables() {
    let dot = json!({"a": 1, "inner": {"b": 1}});
    assert_eq!(text("{{.user_id}} {{$.user_id}} {{.a}}", &dot).as_deref(), Ok("7 7 1"));
    assert_eq!(text("{{with .inner}}{{.user_id}} {{$.user_id}}{{end}}", &dot).as_deref(), Ok("<no value> 7"));
    assert_eq!(text("{{define \"t\"}}{{.user_id}}{{end}}{{template \"t\" .}}", &dot).as_deref(), Ok("7"));
    for scalar in [json!("text"), json!(null), json!([1]), json!(3)] {
        assert_eq!(text("{{.user_id}}{{if true}}{{$.user_id}}{{end}}", &scalar).as_deref(), Ok("77"), "{scalar}");
    }
    assert_eq!(text("{{index . \"user_id\"}}", &dot).as_deref(), Ok("<no value>"));
}

#[test]
fn a_null_of_the_root_dot_is_not_looked_up() {
    assert_eq!(text("{{.user_id}}", &json!({"user_id": null})).as_deref(), Ok("<no value>"));
}

#[test]
fn numbers_compare_by_value() {
    let dot = json!({"n": 5, "f": 5.0, "g": 5.5, "big": 9_007_199_254_740_993_u64, "top": u64::MAX});
    let source = "{{eq .n 5.0}} {{eq .f .n}} {{lt .n .g}} {{ge .g .n}} {{ne .n 5.5}} {{eq .big 9007199254740992.0}}";
    assert_eq!(text(source, &dot).as_deref(), Ok("true true true true true false"));
    assert_eq!(text("{{gt .top .n}} {{eq .top .top}}", &dot).as_deref(), Ok("true true"));
    assert_eq!(message("{{eq .n \"5\"}}", &dot), "error calling `eq`: a whole number and a text cannot be compared");
}

#[test]
fn a_whole_number_of_the_data_never_prints_with_an_exponent() {
    let dot = json!({"id": 12_345_678, "float": 12_345_678.0, "top": u64::MAX, "list": [2e6]});
    assert_eq!(
        text("{{.id}} {{.float}} {{.top}} {{.list}}", &dot).as_deref(),
        Ok("12345678 12345678 18446744073709551615 [2000000]")
    );
}

#[test]
fn surroundings_are_the_scopes_own() {
    let dot = Value::Null;
    assert_eq!(value("{{output \"fetch\"}}", &dot), Ok(json!({"status": 200})));
    assert_eq!(value("{{(output \"fetch\").status}}", &dot), Ok(json!(200)));
    assert_eq!(value("{{output \"not-run\"}}", &dot), Ok(Value::Null));
    assert_eq!(value("{{input}}", &dot), Ok(json!({"q": [1, 2]})));
    assert_eq!(value("{{index input.q 1}}", &dot), Ok(json!(2)));
    assert_eq!(text("{{env \"HOME\"}}", &dot).as_deref(), Ok("/home/ann"));
    assert_eq!(message("{{env \"KEY\"}}", &dot), "error calling `env`: `KEY` may not be read");
    assert_eq!(text("{{now}} {{now | date \"15h04\"}}", &dot).as_deref(), Ok("2023-11-14T22:13:20Z 22h13"));
    assert_eq!(text("{{uuid}}", &dot).as_deref(), Ok("30313233-3435-4637-b839-616263646566"));
}

#[test]
fn literal_references_to_outputs_are_found_wherever_they_stand() {
    let source = "{{output \"a\"}}{{if (output `b`).x}}{{range $i := output \"c\"}}{{end}}{{end}}\
                  {{define \"d\"}}{{\"e\" | output}}{{end}}{{output .f}}{{print (len (output \"g\"))}}";
    let found = Template::parse(source).map(|template| template.output_references());
    let names = found.as_ref().map(|found| found.iter().map(|reference| &*reference.name).collect::<Vec<_>>());
    assert_eq!(names, Ok(vec!["a", "b", "c", "e", "g"]));
    assert_eq!(found.map(|found| found[0].clone()), Ok(Reference { name: "a".to_owned(), offset: 9 }));
}

#[test]
fn text_without_actions_is_static() {
    let is_static = |source| Template::parse(source).map(|template| template.is_static());
    assert_eq!(is_static("plain {{/* comment */}} text"), Ok(true));
    assert_eq!(is_static("{{\"constant\"}}"), Ok(false));
}

#[test]
fn an_error_says_where_and_what() {
    let error = Template::parse("a\n {{uper .x}}").expect_err("there is no such function");
    assert_eq!((error.phase, error.line, error.column, error.offset), (Phase::Parse, 2, 4, 5));
    assert_eq!(error.to_string(), "template:2:4: function `uper` is not defined; did you mean `upper`?");
    let error = text("é{{.s.y}}", &json!({"s": "x"})).expect_err("a text has no fields");
    assert_eq!((error.phase, error.line, error.column, error.offset), (Phase::Execute, 1, 4, 4));
    assert_eq!(error.message, "field `y` of a text, which has no fields");
}

fn limited(template: &str, budgets: Budgets) -> String {
    let scope = Scope {
        dot: &json!({"l": [1, 2, 3]}),
        variables: &Map::new(),
        input: &Value::Null,
        surroundings: &NoSurroundings,
        budgets,
    };
    let rendered = Template::parse(template).and_then(|template| template.render_text(&scope));
    rendered.map_or_else(|error| error.message, |text| format!("no error but {} bytes", text.len()))
}

#[test]
fn every_budget_ends_a_rendering_and_names_itself() {
    let small = Budgets { output_bytes: 1000, steps: 1000, scratch_bytes: 10_000, call_depth: 10 };
    let cases = [
        ("{{range 100}}0123456789{{.}}{{end}}", "`output_bytes`"),
        ("{{printf \"%2000d\" 1}}", "`output_bytes`"),
        ("{{range 1000000000}}{{end}}", "`steps`"),
        ("{{range 400}}{{$x := printf \"%900d\" .}}{{end}}", "`scratch_bytes`"),
        ("{{range 100}}{{$x := split \"\" \"0123456789\"}}{{end}}", "`scratch_bytes`"),
        ("{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", "`call_depth`"),
    ];
    for (template, limit) in cases {
        let message = limited(template, small);
        assert!(message.contains(limit), "{template}: {message}");
    }
}

fn nested(open: &str, middle: &str, close: &str, depth: usize) -> [String; 3] {
    [open.repeat(depth), middle.to_owned(), close.repeat(depth)]
}

#[test]
fn nothing_that_nests_exhausts_the_stack() {
    for depth in [90, 5_000] {
        for parts in [
            nested("{{if true}}", "x", "{{end}}", depth),
            nested("{{range 1}}", "x", "{{end}}", depth),
            nested("{{with 1}}", "x", "{{end}}", depth),
            ["{{".to_owned(), nested("(", "1", ")", depth).concat(), "}}".to_owned()],
        ] {
            let message = limited(&parts.concat(), Budgets::default());
            let is_fine = if depth == 90 { message == "no error but 1 bytes" } else { message.contains("nested more") };
            assert!(is_fine, "{message}");
        }
    }
    for open in ["{{if true}}", "{{range 1}}", "{{with 1}}"] {
        let parentheses = nested("(print ", "1", ")", 90).concat();
        let body = nested(open, &format!("{{{{template \"r\" {parentheses}}}}}"), "{{end}}", 9).concat();
        let source = format!("{{{{define \"r\"}}}}{body}{{{{end}}}}{{{{template \"r\"}}}}");
        assert!(limited(&source, Budgets::default()).contains("are more than 500 deep"));
    }
    let chain = format!("{{{{if false}}}}{}{{{{end}}}}", "{{else if false}}".repeat(5_000));
    assert_eq!(limited(&chain, Budgets::default()), "no error but 0 bytes");
}

#[test]
fn a_recursion_over_a_tree_may_go_as_deep_as_calls_may() {
    let source = "{{define \"r\"}}{{if .}}{{len .}}{{with 1}}{{template \"r\" (slice $ 1)}}{{end}}{{end}}{{end}}\
                  {{template \"r\" (split \"\" .)}}";
    assert!(text(source, &json!("x".repeat(99))).is_ok_and(|text| text.starts_with("999897")));
}
