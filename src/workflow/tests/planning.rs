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
    insta::assert_snapshot!(problems(text), @r"
    error: `start` names no node: `fetsch`
     --> workflow.yaml:1:8
      |
    1 | start: fetsch
      |        ^^^^^^
      |
      = help: did you mean `fetch`?

    error: there is no node type `redis-got`
     --> workflow.yaml:3:25
      |
    3 |   - {name: fetch, type: redis-got, config: {key: a}}
      |                         ^^^^^^^^^
      |
      = help: did you mean `redis-get`?

    error: there are two nodes named `fetch`
     --> workflow.yaml:4:12
      |
    4 |   - {name: fetch, type: analyze-sentiment}
      |            ^^^^^
      |
      = help: the first one stands in line 3

    error: there is no node type `analyze-sentiment`
     --> workflow.yaml:4:25
      |
    4 |   - {name: fetch, type: analyze-sentiment}
      |                         ^^^^^^^^^^^^^^^^^
      |
      = help: run `pocket plugin install ml-analyzer`

    error: several plugins provide the node type `resize`
     --> workflow.yaml:5:23
      |
    5 |   - {name: end, type: resize, fallback: {node: nd}}
      |                       ^^^^^^
      |
      = help: name the plugin too: `images/resize` or `pictures/resize`

    error: `fallback` names no node: `nd`
     --> workflow.yaml:5:48
      |
    5 |   - {name: end, type: resize, fallback: {node: nd}}
      |                                                ^^
      |
      = help: did you mean `end`?

    error: `from` names no node: `fetc`
     --> workflow.yaml:7:12
      |
    7 |   - {from: fetc, to: end}
      |            ^^^^
      |
      = help: did you mean `fetch`?

    error: `to` names no node: `en`
     --> workflow.yaml:8:23
      |
    8 |   - {from: fetch, to: en}
      |                       ^^
      |
      = help: did you mean `end`?
    ");
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
    insta::assert_snapshot!(problems(text), @"
    error: `config` has no key `ulr`
     --> workflow.yaml:6:7
      |
    6 |       ulr: x
      |       ^^^
      |
      = help: did you mean `url`?

    error: `timeout` must be of type string, found `5`
     --> workflow.yaml:7:16
      |
    7 |       timeout: 5
      |                ^

    error: `config` needs `key`
     --> workflow.yaml:9:11
      |
    9 |   - name: b
      |           ^

    error: `soon` is no duration: expected numbers with `h`, `m`, `s`, `ms`, `us` or `ns`, such as `3s` or `1m30s`
      --> workflow.yaml:13:24
       |
    13 |     config: {duration: soon}
       |                        ^^^^

    error: `found` is plain text, so that the condition always holds
      --> workflow.yaml:18:15
       |
    18 |         - if: found
       |               ^^^^^
       |
       = help: a condition is a template: `{{.found}}`
    ");
}

#[test]
fn a_misspelt_key_is_told_once_in_nodes_of_several_shapes() {
    let text = "nodes:\n  - {name: a, type: lua, config: {scirpt: return 1}}\n  \
        - {name: b, type: lua, config: {code: return 1}}\n  - {name: c, type: jsonpath}\n  \
        - {name: d, type: foreach, config: {body: {tpye: echo}}}\n  \
        - {name: e, type: foreach, config: {bdoy: {type: echo}}}\n  \
        - {name: f, type: foreach, config: {body: [{type: echo, confg: {}}, {name: g}]}}\n  \
        - {name: h, type: parallel, config: {tasks: [{name: i, noed: echo}, {nam: j, node: echo}]}}\n";
    insta::assert_snapshot!(problems(text), @"
    error: `config` has no key `scirpt`
     --> workflow.yaml:2:35
      |
    2 |   - {name: a, type: lua, config: {scirpt: return 1}}
      |                                   ^^^^^^
      |
      = help: did you mean `script`?

    error: `config` has no key `code`
     --> workflow.yaml:3:35
      |
    3 |   - {name: b, type: lua, config: {code: return 1}}
      |                                   ^^^^
      |
      = help: `config` needs `script`, `source` or `file`; known keys: file, globals, script, source

    error: `config` needs `path` or `paths`
     --> workflow.yaml:4:12
      |
    4 |   - {name: c, type: jsonpath}
      |            ^

    error: a node has no key `tpye`
     --> workflow.yaml:5:46
      |
    5 |   - {name: d, type: foreach, config: {body: {tpye: echo}}}
      |                                              ^^^^
      |
      = help: did you mean `type`?

    error: `config` has no key `bdoy`
     --> workflow.yaml:6:39
      |
    6 |   - {name: e, type: foreach, config: {bdoy: {type: echo}}}
      |                                       ^^^^
      |
      = help: did you mean `body`?

    error: a node has no key `confg`
     --> workflow.yaml:7:59
      |
    7 |   - {name: f, type: foreach, config: {body: [{type: echo, confg: {}}, {name: g}]}}
      |                                                           ^^^^^
      |
      = help: did you mean `config`?

    error: a node needs `type`
     --> workflow.yaml:7:72
      |
    7 |   - {name: f, type: foreach, config: {body: [{type: echo, confg: {}}, {name: g}]}}
      |                                                                        ^^^^

    error: `tasks[0]` has no key `noed`
     --> workflow.yaml:8:58
      |
    8 |   - {name: h, type: parallel, config: {tasks: [{name: i, noed: echo}, {nam: j, node: echo}]}}
      |                                                          ^^^^
      |
      = help: did you mean `node`?

    error: a node has no key `nam`
     --> workflow.yaml:8:72
      |
    8 |   - {name: h, type: parallel, config: {tasks: [{name: i, noed: echo}, {nam: j, node: echo}]}}
      |                                                                        ^^^
      |
      = help: did you mean `name`?
    ");
}

#[test]
fn a_node_that_is_wrong_in_itself_is_not_missing_elsewhere() {
    let text = "start: a\nnodes:\n  - {name: a, tpye: echo}\n  - {nmae: b, type: echo, fallback: {vlaue: 1}}\n  \
        - {name: c, type: echo, fallback: {node: a}, config: {message: '{{output \"b\"}}'}}\n\
        connections:\n  - {from: a, to: c}\n  - {form: c, to: b}\n";
    insta::assert_snapshot!(problems(text), @"
    error: a node has no key `tpye`
     --> workflow.yaml:3:15
      |
    3 |   - {name: a, tpye: echo}
      |               ^^^^
      |
      = help: did you mean `type`?

    error: a node has no key `nmae`
     --> workflow.yaml:4:6
      |
    4 |   - {nmae: b, type: echo, fallback: {vlaue: 1}}
      |      ^^^^
      |
      = help: did you mean `name`?

    error: `fallback` has no key `vlaue`
     --> workflow.yaml:4:38
      |
    4 |   - {nmae: b, type: echo, fallback: {vlaue: 1}}
      |                                      ^^^^^
      |
      = help: did you mean `value`?

    error: a connection has no key `form`
     --> workflow.yaml:8:6
      |
    8 |   - {form: c, to: b}
      |      ^^^^
      |
      = help: did you mean `from`?
    ");
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
    insta::assert_snapshot!(problems(text), @r#"
    error: not a jq program: there is no filter `nosuch`
     --> workflow.yaml:8:11
      |
    8 |         | nosuch
      |           ^

    error: not a JSONPath
      --> workflow.yaml:11:24
       |
    11 |     config: {path: "$.a["}
       |                        ^
       |
       = help: a path starts at `$`

    error: not a JSON Schema: "strin" is not valid under any of the schemas listed in the 'anyOf' keyword
      --> workflow.yaml:15:22
       |
    15 |       schema: {type: strin}
       |                      ^^^^^

    error: template: unclosed action
      --> workflow.yaml:21:16
       |
    21 |         {{.name
       |               ^

    error: `output` names no node: `aa`
      --> workflow.yaml:25:26
       |
    25 |       message: "{{output \"aa\"}}"
       |                          ^^^^
       |
       = help: did you mean `a`?
    "#);
}

#[test]
fn a_node_that_is_never_reached_is_a_warning() {
    let plan = plan("start: b\nnodes:\n  - {name: a, type: echo}\n  - {name: b, type: echo}\n").unwrap();
    insta::assert_snapshot!(plan.warnings, @r"
    warning: node `a` is never reached from `b`
     --> workflow.yaml:3:12
      |
    3 |   - {name: a, type: echo}
      |            ^
    ");
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
    insta::assert_snapshot!(describe(&plan(text).unwrap()), @r#"
    workflow `demo`: shows everything

    1. a (redis-cache/redis-get)
       key: "x{{.id}}"
       limits: up to 5 attempts with pauses of 1s, then 2 times as long up to 30s, 2s an attempt
       then b and c in parallel
       when `error`: d
       network redis.example.com:6379

    2. b (echo)
       then d

    3. c (echo)
       then d
       when it fails: 1 instead

    4. d (aggregate), joins a, b, c
       mode: "array" (default)
       separator: "" (default)
    "#);
}

#[test]
fn an_output_must_be_of_a_node_that_can_have_run() {
    let text = r#"
start: a
nodes:
  - {name: a, type: echo}
  - {name: left, type: echo, config: {message: '{{output "right"}} {{output "a"}} {{output "left"}}'}}
  - {name: right, type: echo, config: {message: '{{output "end"}}'}}
  - {name: end, type: echo, config: {message: '{{output "left"}} {{output "right"}}'}}
connections:
  - {from: a, to: left}
  - {from: a, to: right}
  - {from: left, to: end}
  - {from: right, to: end}
"#;
    insta::assert_snapshot!(problems(text), @r#"
    warning: `right` need not have run before `left`: no connection leads from one to the other
     --> workflow.yaml:5:58
      |
    5 |   - {name: left, type: echo, config: {message: '{{output "right"}} {{output "a"}} {{output "left"}}'}}
      |                                                          ^^^^^^^

    error: `left` has no output before it has run
     --> workflow.yaml:5:92
      |
    5 |   - {name: left, type: echo, config: {message: '{{output "right"}} {{output "a"}} {{output "left"}}'}}
      |                                                                                            ^^^^^^
      |
      = help: `{{.}}` is what the node receives

    error: `end` cannot have run before `right`: it comes after it
     --> workflow.yaml:6:59
      |
    6 |   - {name: right, type: echo, config: {message: '{{output "end"}}'}}
      |                                                           ^^^^^
    "#);
}

#[test]
fn in_a_loop_every_node_may_have_run_before_every_other() {
    let text = r#"
nodes:
  - {name: a, type: echo, config: {message: '{{output "b"}} {{output "a"}}'}}
  - {name: b, type: echo, config: {message: '{{output "a"}}'}}
  - {name: out, type: echo, config: {message: '{{output "b"}}'}}
connections: [{from: a, to: b}, {from: b, to: a, when: again}, {from: b, to: out}]
"#;
    let plan = plan(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
}

#[test]
fn what_is_wrong_with_workflows_inside_is_told_at_its_place_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("inner.yaml", "nodes:\n  - {name: a, type: ecko}\n  - {name: b, type: echo, config: {mesage: 1}}\n");
    let runs = |name: &str| format!("  - {{name: {name}, type: workflow, config: {{path: inner.yaml}}}}\n");
    write("outer.yaml", &format!("nodes:\n{}{}", runs("one"), runs("two")));
    let load = crate::workflow::load(&folder.path().join("outer.yaml"), &super::FakePlugins);
    let text = load.err().unwrap().to_string().replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!(text, @"
    error: there is no node type `ecko`
     --> inner.yaml:2:21
      |
    2 |   - {name: a, type: ecko}
      |                     ^^^^
      |
      = help: did you mean `echo`?

    error: `config` has no key `mesage`
     --> inner.yaml:3:36
      |
    3 |   - {name: b, type: echo, config: {mesage: 1}}
      |                                    ^^^^^^
      |
      = help: did you mean `message`?

    error: the workflow `inner.yaml` has problems
     --> outer.yaml:2:48
      |
    2 |   - {name: one, type: workflow, config: {path: inner.yaml}}
      |                                                ^^^^^^^^^^

    error: the workflow `inner.yaml` has problems
     --> outer.yaml:3:48
      |
    3 |   - {name: two, type: workflow, config: {path: inner.yaml}}
      |                                                ^^^^^^^^^^
    ");
}

#[test]
fn nodes_inside_of_nodes_tell_all_that_is_wrong_with_them() {
    let text = "nodes:\n  - name: each\n    type: foreach\n    config:\n      max_concurency: 2\n      body:\n        \
        - {type: ecko}\n        - {type: transform, config: {jq: \".a |\"}}\n        \
        - {type: echo, tiemout: 1s, config: {message: \"{{.a}\"}}\n  - name: all\n    type: parallel\n    config:\n      tasks:\n        \
        - {name: a, node: echo, config: {mesage: 1}}\n        - name: b\n          node: foreach\n          \
          config: {body: {type: echo, config: {message: 'é {{nope .}}'}}}\n        - {name: c}\n";
    insta::assert_snapshot!(problems(text), @r#"
    error: `config` has no key `max_concurency`
     --> workflow.yaml:5:7
      |
    5 |       max_concurency: 2
      |       ^^^^^^^^^^^^^^
      |
      = help: did you mean `max_concurrency`?

    error: there is no node type `ecko`
     --> workflow.yaml:7:18
      |
    7 |         - {type: ecko}
      |                  ^^^^
      |
      = help: did you mean `echo`?

    error: not a jq program: expected term, found the end
     --> workflow.yaml:8:47
      |
    8 |         - {type: transform, config: {jq: ".a |"}}
      |                                               ^

    error: a node has no key `tiemout`
     --> workflow.yaml:9:24
      |
    9 |         - {type: echo, tiemout: 1s, config: {message: "{{.a}"}}
      |                        ^^^^^^^
      |
      = help: did you mean `timeout`?

    error: template: bad character U+007D `}`
     --> workflow.yaml:9:58
      |
    9 |         - {type: echo, tiemout: 1s, config: {message: "{{.a}"}}
      |                                                          ^

    error: `config` has no key `mesage`
      --> workflow.yaml:14:42
       |
    14 |         - {name: a, node: echo, config: {mesage: 1}}
       |                                          ^^^^^^
       |
       = help: did you mean `message`?

    error: template: function `nope` is not defined; did you mean `ne`?
      --> workflow.yaml:17:62
       |
    17 |           config: {body: {type: echo, config: {message: 'é {{nope .}}'}}}
       |                                                              ^

    error: `tasks[2]` needs `node`
      --> workflow.yaml:18:12
       |
    18 |         - {name: c}
       |            ^^^^
    "#);
}
