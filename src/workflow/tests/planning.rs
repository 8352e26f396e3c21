//! What a plan refuses, as the user sees it.

use super::plan;
use crate::workflow::describe;

fn problems(text: &str) -> String {
    plan(text).err().map_or_else(|| "no problems".to_owned(), |problems| problems.to_string())
}

#[test]
fn names_that_nobody_has_are_reported_with_near_ones() {
    let text = "start: fetsch\nnodes:\n  - {name: fetch, type: redis-got, config: {key: a}}\n  \
        - {name: fetch, type: analyze-sentiment}\n  - {name: end, type: resize, fallback: {node: nd}}\n\
        connections:\n  - {from: fetc, to: end}\n  - {from: fetch, to: en}\n";
    insta::assert_snapshot!(problems(text), @"");
}

#[test]
fn a_config_is_checked_field_by_field_where_it_stands() {
    let text = r#"
nodes:
  - name: a
    type: http
    config:
      ulr: x
      timeout: 5
      method: "{{.m}}"
  - name: b
    type: redis-get
  - name: c
    type: delay
    config: {duration: soon}
  - name: d
    type: conditional
    config:
      conditions:
        - if: found
          then: x
"#;
    insta::assert_snapshot!(problems(text), @"");
}

#[test]
fn embedded_languages_are_compiled_and_errors_point_into_them() {
    let text = r#"
nodes:
  - name: a
    type: transform
    config:
      jq: |
        .items
        | nosuch
  - name: b
    type: jsonpath
    config: {path: "$.a["}
  - name: c
    type: validate
    config:
      schema: {type: strin}
  - name: d
    type: echo
    config:
      message: >-
        hello
        {{.name
  - name: e
    type: echo
    config:
      message: "{{output \"aa\"}}"
"#;
    insta::assert_snapshot!(problems(text), @"");
}

#[test]
fn a_node_that_is_never_reached_is_a_warning() {
    let plan = plan("start: b\nnodes:\n  - {name: a, type: echo}\n  - {name: b, type: echo}\n").unwrap();
    insta::assert_snapshot!(plan.warnings, @"");
}

#[test]
fn a_plan_reads_as_a_list_of_steps() {
    let text = r#"
name: demo
description: shows everything
nodes:
  - {name: a, type: redis-get, config: {key: "x{{.id}}"}, retry: {max_attempts: 5}, timeout: 2s}
  - {name: b, type: echo}
  - {name: c, type: echo, fallback: {value: 1}}
  - {name: d, type: aggregate}
connections:
  - {from: a, to: b}
  - {from: a, to: c}
  - {from: a, to: d, when: error}
  - {from: b, to: d}
  - {from: c, to: d}
"#;
    insta::assert_snapshot!(describe(&plan(text).unwrap()), @"");
}
