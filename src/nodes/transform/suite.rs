//! The examples of jq's manual, as jq itself tests them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::confined::{Ask, Work};
use super::Transform;
use crate::nodes::suites;

const NO_BIG_NUMBERS: &str = "asks whether numbers have any number of digits";
const NO_NULL_PATHS: &str = "a path into null is an error here, jq makes what is missing";
const NO_BOUNDS: &str = "an index behind the end is an error here";
const NO_ALTERNATIVES: &str = "`?//` is not there";
const NO_STREAMS: &str = "streams of paths are not there";
const NO_ENVIRONMENT: &str = "programs do not read the environment";

/// Programs that give something else here, each with the reason. One that starts to give the same is an error too.
const DEVIATIONS: [(&str, &str); 24] = [
    (
        r#"[., tojson] == if have_decnum then [12345678909876543212345,"12345678909876543212345"] else [12345678909876543000000,"12345678909876543000000"] end"#,
        NO_BIG_NUMBERS,
    ),
    (
        r#"[1234567890987654321,-1234567890987654321 | tojson] == if have_decnum then ["1234567890987654321","-1234567890987654321"] else ["1234567890987654400","-1234567890987654400"] end"#,
        NO_BIG_NUMBERS,
    ),
    (
        r#"map([., . == 1]) | tojson == if have_decnum then "[[1,true],[1.000,true],[1.0,true],[1.00,true]]" else "[[1,true],[1,true],[1,true],[1,true]]" end"#,
        NO_BIG_NUMBERS,
    ),
    (
        ". as $big | [$big, $big + 1] | map(. > 10000000000000000000000000000000) | . == if have_decnum then [true, false] else [false, false] end",
        NO_BIG_NUMBERS,
    ),
    (".[] | (1 / .)?", "a division by zero is infinite here"),
    ("pick(.[2], .[0], .[0])", NO_NULL_PATHS),
    ("del(.[1, 2])", "paths are deleted one after another here"),
    (r#"setpath(["a","b"]; 1)"#, NO_NULL_PATHS),
    (r#"setpath([0,"a"]; 1)"#, NO_NULL_PATHS),
    (r#"try error("\($__loc__)") catch ."#, "`$__loc__` is not there"),
    (r#"[.[]|trimstr("foo")]"#, "`trimstr` is not there"),
    (r#"join(" ")"#, "`null` is joined as a text here"),
    ("$ENV.PAGER", NO_ENVIRONMENT),
    ("env.PAGER", NO_ENVIRONMENT),
    ("bsearch(4) as $ix | if $ix < 0 then .[-(1+$ix)] = 4 else . end", NO_BOUNDS),
    (".[] as {$a, $b, c: {$d, $e}} ?// {$a, $b, c: [{$d, $e}]} | {$a, $b, $d, $e}", NO_ALTERNATIVES),
    (".[] as {$a, $b, c: {$d}} ?// {$a, $b, c: [{$e}]} | {$a, $b, $d, $e}", NO_ALTERNATIVES),
    (r#".[] as [$a] ?// [$b] | if $a != null then error("err: \($a)") else {$a,$b} end"#, NO_ALTERNATIVES),
    ("reduce .[] as {$x,$y} (null; .x += $x | .y += [$y])", NO_NULL_PATHS),
    (r#"truncate_stream([[0],"a"],[[1,0],"b"],[[1,0]],[[1]])"#, NO_STREAMS),
    (r#"fromstream(1|truncate_stream([[0],"a"],[[1,0],"b"],[[1,0]],[[1]]))"#, NO_STREAMS),
    (". as $dot|fromstream($dot|tostream)|.==$dot", NO_STREAMS),
    ("(.a, .b) = range(3)", NO_NULL_PATHS),
    ("(.a, .b) |= range(3)", NO_NULL_PATHS),
];

/// Numbers by value: jq writes 1.0 as 1.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

/// What a program gives for an input, as JSON; none if it fails.
fn results(program: &str, input: &str) -> Option<Value> {
    let config = json!({"jq": program, "mode": "all"});
    let work = Transform::new(&config).ok()?;
    let input = Arc::new(serde_json::from_str(input).ok()?);
    let ask = Ask { config: &config, input: &input, is_connected: &|_| false, check_time: &|| Ok(()) };
    work.work(&ask).ok().map(|outcome| Value::clone(&outcome.output))
}

#[test]
fn the_examples_of_jqs_manual_give_what_it_says() {
    let text = std::fs::read_to_string(suites::folder("jq").join("man.test")).unwrap();
    let (mut count, mut wrong) = (0, BTreeSet::new());
    for case in text.split("\n\n") {
        let mut lines = case.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let (Some(program), Some(input)) = (lines.next(), lines.next()) else { continue };
        let expected: Value = lines.map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
        count += 1;
        if !results(program, input).is_some_and(|given| same(&given, &expected)) {
            wrong.insert(program.to_owned());
        }
    }
    assert!(count > 200, "only {count} cases");
    let known: BTreeSet<String> = DEVIATIONS.iter().map(|(case, _)| (*case).to_owned()).collect();
    assert_eq!(wrong, known, "left: what comes out otherwise than the manual says; right: what is known of that");
}
