use std::collections::BTreeMap;

use serde_json::json;

use super::*;

const FULL: &str = r#"
name: redis-cache
version: 1.2.0
description: >
  Redis for
  Pocket workflows
author: Example Corp
license: MIT
homepage: https://example.com
repository: https://example.com/git
readme: README.md
keywords: [redis, cache]
categories: [storage]
runtime: native
binary:
  x86_64-unknown-linux-gnu: lib/x86_64/redis.so
  aarch64-unknown-linux-gnu: lib/aarch64/redis.so
nodes:
  - type: redis-get
    category: storage
    description: Retrieve a value
    configSchema: {type: object, required: [key]}
    examples:
      - name: hit
        config: {key: a}
        input: null
        output: {value: 1}
permissions:
  env: [REDIS_PASSWORD]
  network: ["{host}:{port}"]
  filesystem: ["read:./data"]
  memory: 64MB
  timeout: 3s
requirements:
  pocket: ">=0.1, <2"
  memory: 16MiB
dependencies:
  json-tools: ^1.2
  metrics: {version: "2", optional: true, registry: internal}
config:
  host: {description: The server, default: localhost, env: REDIS_HOST}
  port: {type: integer, default: 6379}
  password: {secret: true, required: true}
envPrefix: REDIS
sponsor: {name: someone}
"#;

fn refusal(text: &str) -> String {
    Manifest::parse(text.as_bytes()).expect_err(text).to_string()
}

/// A manifest that is complete but for these lines.
fn with(lines: &str) -> String {
    refusal(&format!("name: x\nversion: 1.0.0\nruntime: lua\nbinary: x.lua\n{lines}\n"))
}

#[test]
fn every_field_is_read() {
    let manifest = Manifest::parse(FULL.as_bytes()).expect("it is well-formed");
    assert_eq!(manifest.description, "Redis for Pocket workflows");
    assert_eq!(
        manifest.binary_for(&"aarch64-unknown-linux-gnu".parse().expect("a target")),
        Some("lib/aarch64/redis.so")
    );
    assert_eq!(manifest.binary_for(&Target::any()), None);
    assert_eq!(manifest.nodes[0].config_schema, Some(json!({"type": "object", "required": ["key"]})));
    assert_eq!(manifest.nodes[0].examples[0].output, json!({"value": 1}));
    assert_eq!(manifest.permissions.network, ["{host}:{port}"]);
    assert_eq!(manifest.config["port"].default, Some(json!(6379)));
    assert!(manifest.config["password"].secret && manifest.config["password"].required);
    assert!(manifest.dependencies["metrics"].optional && !manifest.dependencies["json-tools"].optional);
    assert_eq!(manifest.variable_word(), "REDIS");
    assert_eq!(manifest.unknown, BTreeMap::from([("sponsor".to_owned(), json!({"name": "someone"}))]));
}

#[test]
fn four_fields_are_enough() {
    let manifest =
        Manifest::parse(b"name: a-b\nversion: 0.1.0\nruntime: wasm\nbinary: a.wasm\n").expect("it is complete");
    assert_eq!(manifest.variable_word(), "A_B");
    assert_eq!(manifest.permissions, Permissions::default());
    assert_eq!(manifest.binary_for(&Target::any()), Some("a.wasm"));
}

#[test]
fn unknown_fields_are_kept_wherever_they_stand() {
    let text =
        FULL.replace("category: storage\n", "colour: red\n").replace("{type: integer,", "{type: integer, unit: s,");
    let manifest = Manifest::parse(text.as_bytes()).expect("unknown fields are no error");
    assert_eq!(manifest.unknown.keys().collect::<Vec<_>>(), ["config.port.unit", "nodes[0].colour", "sponsor"]);
}

#[test]
fn a_missing_field_is_named() {
    insta::assert_snapshot!(refusal("version: 1.0.0\nruntime: lua\nbinary: x.lua\n"), @"line 1, column 1: `name`: missing; expected the plugin's name");
    insta::assert_snapshot!(refusal("name: x\nruntime: lua\nbinary: x.lua\n"), @"line 1, column 1: `version`: missing; expected a version such as `1.2.0`");
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0.0\nbinary: x.lua\n"), @"line 1, column 1: `runtime`: missing; expected `native`, `lua` or `wasm`");
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0.0\nruntime: lua\n"), @"line 1, column 1: `binary`: missing; expected the path of the file that is run");
    insta::assert_snapshot!(with("nodes: [{}]"), @"line 5, column 9: `nodes[0].type`: missing; expected the node's name in workflows");
    insta::assert_snapshot!(refusal(""), @"line 1, column 1: expected a mapping, found nothing");
    insta::assert_snapshot!(refusal("- a\n"), @"line 1, column 1: expected a mapping, found a list");
}

#[test]
fn the_wrong_type_is_named_with_its_place() {
    insta::assert_snapshot!(refusal("name: [x]\n"), @"line 1, column 7: `name`: expected a text, found a list");
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0\n"), @"line 2, column 10: `version`: expected a text, found the number `1.0`; write it in quotes");
    insta::assert_snapshot!(with("description: {a: 1}"), @"line 5, column 14: `description`: expected a text, found a mapping");
    insta::assert_snapshot!(with("keywords: redis"), @"line 5, column 11: `keywords`: expected a list, found the text `redis`");
    insta::assert_snapshot!(with("keywords: [redis, 7]"), @"line 5, column 19: `keywords[1]`: expected a text, found the number `7`; write it in quotes");
    insta::assert_snapshot!(with("nodes:\n  - type: a\n    inputSchema: text"), @"line 7, column 18: `nodes[0].inputSchema`: expected a JSON Schema, found the text `text`");
    insta::assert_snapshot!(with("config:\n  a: {required: maybe}"), @"line 6, column 17: `config.a.required`: expected `true` or `false`, found the text `maybe`");
}

#[test]
fn versions_have_one_spelling() {
    let version = |text: &str| refusal(&format!("name: x\nversion: \"{text}\"\n"));
    insta::assert_snapshot!(version("1.2"), @"line 2, column 10: `version`: `1.2` is no version: unexpected end of input while parsing minor version number; expected one such as `1.2.0` or `1.2.0-rc.1`");
    insta::assert_snapshot!(version("v1.2.0"), @"line 2, column 10: `version`: `v1.2.0` is no version: unexpected character 'v' while parsing major version number; expected one such as `1.2.0` or `1.2.0-rc.1`");
    insta::assert_snapshot!(version("1.2.0+linux"), @"line 2, column 10: `version`: `1.2.0+linux` is no version: build metadata (`+…`) is not allowed; expected one such as `1.2.0` or `1.2.0-rc.1`");
    insta::assert_snapshot!(version("01.2.0"), @"line 2, column 10: `version`: `01.2.0` is no version: invalid leading zero in major version number; expected one such as `1.2.0` or `1.2.0-rc.1`");
}

#[test]
fn paths_stay_in_the_archive() {
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0.0\nruntime: lua\nbinary: ../x.lua\n"), @"line 4, column 9: `binary`: `../x.lua` is no path: `..` leaves the plugin's folder");
    insta::assert_snapshot!(with("readme: /etc/passwd"), @"line 5, column 9: `readme`: `/etc/passwd` is no path: the path is absolute; expected one relative to the plugin's folder");
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0.0\nruntime: lua\nbinary: {x86_64-unknown-linux-gnu: x.lua}\n"), @"line 4, column 9: `binary`: a path per target is for `native` plugins; `lua` and `wasm` run one file everywhere");
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0.0\nruntime: native\nbinary: {any: x.so}\n"), @"line 4, column 15: `binary.any`: `any` is no target of a shared library; expected one such as `x86_64-unknown-linux-gnu`");
    insta::assert_snapshot!(refusal("name: x\nversion: 1.0.0\nruntime: native\nbinary: {}\n"), @"line 4, column 9: `binary`: expected at least one target with its path");
}

#[test]
fn only_wasm_plugins_have_an_instance_policy_and_it_is_one_of_three() {
    let wasm = |line: &str| format!("name: a\nversion: 1.0.0\nruntime: wasm\nbinary: a.wasm\n{line}");
    let policy = |line: &str| Manifest::parse(wasm(line).as_bytes()).expect("it is well-formed").instance;
    assert_eq!(policy(""), InstancePolicy::PerCall);
    for (word, expected) in InstancePolicy::ALL {
        assert_eq!(policy(&format!("instance: {word}\n")), expected);
    }
    assert!(refusal(&wasm("instance: reuse\n")).contains("expected `per-call`, `pooled` or `per-run`, found `reuse`"));
    let lua = wasm("instance: pooled\n").replace("runtime: wasm", "runtime: lua");
    assert!(refusal(&lua).contains("only `wasm` plugins have instances"));
}

#[test]
fn what_stands_twice_is_refused() {
    insta::assert_snapshot!(with("name: y"), @"line 5, column 1: the key `name` stands twice");
    insta::assert_snapshot!(with("nodes:\n  - type: a\n  - type: a"), @"line 7, column 5: `nodes[1]`: the node type `a` stands twice");
    insta::assert_snapshot!(with("config:\n  api-key: {}\n  api_key: {}"), @"line 7, column 12: `config.api_key`: `api-key` and `api_key` have the same environment variable");
}

#[test]
fn permissions_are_checked_one_by_one() {
    insta::assert_snapshot!(with("permissions:\n  env: [A, B-C]"), @"line 6, column 12: `permissions.env[1]`: `B-C` is no environment variable: expected letters, digits and `_`, not starting with a digit (`[A-Za-z_][A-Za-z0-9_]*`)");
    insta::assert_snapshot!(with("permissions:\n  http: [https://example.com]"), @"line 6, column 10: `permissions.http[0]`: `https://example.com` is no network permission: expected `host:port`, `*.host:port`, `[v6 address]:port` or settings in braces such as `{host}:{port}`; the port is 1 to 65535");
    insta::assert_snapshot!(with("permissions:\n  network: [\"{host}:80\"]"), @"line 6, column 13: `permissions.network[0]`: `{host}:80` takes the setting `host`, which `config` does not declare");
    insta::assert_snapshot!(with("permissions:\n  filesystem: [./data]"), @r"line 6, column 16: `permissions.filesystem[0]`: `./data` is no filesystem permission: expected `read:PATH` or `write:PATH`, such as `read:./data`, without `..`, `\` and control characters");
    insta::assert_snapshot!(with("permissions:\n  memory: lots"), @"line 6, column 11: `permissions.memory`: `lots` is no amount of memory: expected a whole number above zero and `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, such as `64MB`");
    insta::assert_snapshot!(with("permissions:\n  timeout: 0s"), @"line 6, column 12: `permissions.timeout`: a timeout of zero would stop every call; expected one such as `3s`");
    insta::assert_snapshot!(with("permissions:\n  root: true"), @"line 6, column 3: `permissions.root`: expected one of the permissions `env`, `http`, `network`, `filesystem`, `memory`, `timeout`");
}

#[test]
fn settings_and_dependencies_are_checked() {
    insta::assert_snapshot!(with("config:\n  port: {type: integer, default: \"80\"}"), @"line 6, column 34: `config.port.default`: expected a default of the type `integer`, found the text `80`");
    insta::assert_snapshot!(with("config:\n  port: {type: int}"), @"line 6, column 16: `config.port.type`: expected one of `string`, `integer`, `number`, `boolean`, `array`, `object`; found `int`");
    insta::assert_snapshot!(with("config:\n  a b: {}"), @"line 6, column 8: `config.a b`: expected a name of up to 64 letters, digits, `_` and `-`, starting with a letter");
    insta::assert_snapshot!(with("envPrefix: redis"), @"line 5, column 12: `envPrefix`: expected up to 64 upper-case letters, digits and `_`, starting with a letter, such as `REDIS`; found `redis`");
    insta::assert_snapshot!(with("dependencies: {A: ^1}"), @"line 5, column 19: `dependencies.A`: `A` is no plugin name: expected lower-case letters, digits and single hyphens, starting with a letter (`[a-z][a-z0-9]*(-[a-z0-9]+)*`)");
    insta::assert_snapshot!(with("dependencies: {x: ^1}"), @"line 5, column 19: `dependencies.x`: a plugin cannot depend on itself");
    insta::assert_snapshot!(with("dependencies: {a: newest}"), @"line 5, column 19: `dependencies.a`: `newest` is no version requirement: unexpected character 'n' while parsing major version number; expected one such as `^1.2`, `~1.2.3` or `>=1, <3`");
    insta::assert_snapshot!(with("requirements: {pocket: 1}"), @"line 5, column 24: `requirements.pocket`: expected a text, found the number `1`; write it in quotes");
}

#[test]
fn a_text_cannot_write_on_the_terminal() {
    insta::assert_snapshot!(with("description: \"\\e[31m\""), @"line 5, column 14: `description`: control characters and direction marks are not allowed");
    insta::assert_snapshot!(with("author: \"\\u202Egpj.exe\""), @"line 5, column 9: `author`: control characters and direction marks are not allowed");
    insta::assert_snapshot!(with("\"a\\eb\": 1\n\"a\\eb\": 2"), @r"line 6, column 1: the key `a\u{1b}b` stands twice");
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_not_read() {
    insta::assert_snapshot!(refusal(&"#".repeat((1 << 20) + 1)), @"line 1, column 1: the file has 1048577 bytes, at most 1048576 are allowed");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[ a-z0-9:{}\\[\\],&*!|>\"'#\n-]{0,200}") {
        let _ = Manifest::parse(text.as_bytes());
    }

    #[test]
    fn a_mangled_manifest_is_read_or_refused(at in 0..FULL.len(), byte in proptest::num::u8::ANY) {
        let mut text = FULL.as_bytes().to_vec();
        text[at] = byte;
        if let Err(error) = Manifest::parse(&text) {
            proptest::prop_assert!(error.line > 0 && error.column > 0 && !error.message.is_empty());
        }
    }
}

#[test]
fn what_follows_a_death_and_how_many_processes_there_are_is_for_native_plugins() {
    let parse = |runtime: &str, more: &str| {
        Manifest::parse(format!("name: x\nversion: 1.0.0\nruntime: {runtime}\nbinary: f\n{more}\n").as_bytes())
    };
    let manifest = parse("native", "").expect("neither must be there");
    assert_eq!((manifest.failure, manifest.instances), (FailurePolicy::Restart, 1));
    let manifest = parse("native", "failure: break\ninstances: 16").expect("both are well-formed");
    assert_eq!((manifest.failure, manifest.instances), (FailurePolicy::Break, 16));
    for (runtime, more, expected) in [
        ("native", "failure: never", "expected one of `fail`, `restart`, `break`; found `never`"),
        ("native", "instances: 0", "expected a number from 1 to 16, found `0`"),
        ("native", "instances: 17", "expected a number from 1 to 16, found `17`"),
        ("native", "instances: many", "expected a number from 1 to 16, found `\"many\"`"),
        ("lua", "failure: fail", "only `native` plugins run in processes of their own, this one is `lua`"),
        ("wasm", "instances: 2", "only `native` plugins run in processes of their own, this one is `wasm`"),
    ] {
        assert_eq!(parse(runtime, more).expect_err("it is refused").message, expected, "{more}");
    }
}

#[test]
fn a_node_says_whether_its_calls_may_be_repeated() {
    let node = |line: &str| {
        let text = format!("name: x\nversion: 1.0.0\nruntime: lua\nbinary: x.lua\nnodes: [{{type: a, {line}}}]\n");
        Manifest::parse(text.as_bytes()).map(|manifest| manifest.nodes[0].clone())
    };
    let flags = |line: &str| {
        let node = node(line).expect("it is well-formed");
        (node.pure, node.idempotent, node.may_be_repeated())
    };
    assert_eq!(flags("pure: false"), (false, false, false));
    assert_eq!(flags("idempotent: true"), (false, true, true));
    assert_eq!(flags("pure: true"), (true, false, true));
    let error = node("pure: maybe").expect_err("it is one of two").to_string();
    insta::assert_snapshot!(error, @"line 5, column 25: `nodes[0].pure`: expected `true` or `false`, found the text `maybe`");
}
