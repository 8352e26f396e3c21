//! `transform`: changes its input with a jq program.

mod calm;
#[cfg(test)]
mod suite;

use jaq_core::data::JustLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Filter, Vars, compile, load};
use jaq_json::{Num, Val};
use serde_json::{Map, Number, Value, json};

use super::confined::{self, Ask, Ease, MAX_NESTING, Work};
use super::{BuiltIn, ConfigProblem, Example, Outcome, Prepared, Setup, failed};
use crate::engine::CallError;

/// The longest program: 64 KiB.
const MAX_PROGRAM: usize = 64 << 10;
/// How deep a result may nest: as deep as JSON is read everywhere.
const MAX_DEPTH: usize = 127;
/// How many values a program may give: a million. A program that never ends gives more.
const MAX_OUTPUTS: usize = 1_000_000;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "transform",
    category: "data",
    description: "Changes its input with a jq program. One result is the output itself, several are a list, none is `null`; \
        `mode: all` always gives a list, `first` the first result.",
    outputs: "The program's result, or a list of several.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "jq": { "type": "string", "description": "The program.", "x-pocket-template": false },
            "mode": {
                "enum": ["auto", "first", "all"], "default": "auto", "x-pocket-template": false,
                "description": "`auto`: one result is the output, several are a list. `all`: always a list."
            }
        },
        "required": ["jq"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let input = json!({"items": [{"n": 1}, {"n": 2}]});
    vec![
        Example::new("one result", json!({"jq": "{sum: [.items[].n] | add}"}), input.clone(), json!({"sum": 3})),
        Example::new("several results", json!({"jq": ".items[].n"}), input.clone(), json!([1, 2])),
        Example::new("the first", json!({"jq": ".items[].n", "mode": "first"}), input, json!(1)),
    ]
}

type Data = JustLut<Val>;

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let work = Transform::new(setup.config)?;
    let ease = confined::on_a_deep_stack(|| calm::ease(program(setup.config)));
    Ok(confined::prepared("transform", &[], setup, work, ease))
}

fn program(config: &Value) -> &str {
    config.get("jq").and_then(Value::as_str).unwrap_or(".")
}

/// Compiles a program; an error has its offset in the code.
fn compile(code: &str) -> Result<Filter<Data>, (usize, String)> {
    if code.len() > MAX_PROGRAM {
        return Err((0, format!("it has {} bytes, at most {MAX_PROGRAM} are read", code.len())));
    }
    if confined::nesting(code) > MAX_NESTING {
        return Err((0, format!("its brackets nest deeper than {MAX_NESTING}")));
    }
    // The parser and the compiler are recursive.
    confined::on_a_deep_stack(|| compile_plain(code))
}

fn compile_plain(code: &str) -> Result<Filter<Data>, (usize, String)> {
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    // What a workflow may read of the environment is not for a program to say.
    let functions = functions.filter(|(name, ..)| *name != "env");
    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code, path: () })
        .map_err(|errors| errors.into_iter().next().map_or_else(unknown, |(_, error)| load_error(code, error)))?;
    Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        let first = errors.into_iter().flat_map(|(_, list)| list).next();
        first.map_or_else(unknown, |(name, undefined)| (offset_in(code, name), undefined_error(name, &undefined)))
    })
}

fn unknown() -> (usize, String) {
    (0, "it does not compile".to_owned())
}

fn load_error(code: &str, error: load::Error<&str>) -> (usize, String) {
    match error {
        load::Error::Lex(errors) => errors.into_iter().next().map_or_else(unknown, |(expected, found)| {
            (offset_in(code, found), format!("expected {}, found {}", expected.as_str(), quoted(found)))
        }),
        load::Error::Parse(errors) => errors.into_iter().next().map_or_else(unknown, |(expected, found)| {
            (offset_in(code, found), format!("expected {}, found {}", expected.as_str(), quoted(found)))
        }),
        load::Error::Io(_) => (0, "modules cannot be imported here".to_owned()),
    }
}

fn undefined_error(name: &str, undefined: &compile::Undefined) -> String {
    format!("there is no {} `{name}`", undefined.as_str())
}

fn quoted(found: &str) -> String {
    match found.lines().next().map(|line| line.chars().take(20).collect::<String>()) {
        Some(start) if !start.is_empty() => format!("`{start}`"),
        _ => "the end".to_owned(),
    }
}

/// Where a part of the code begins. Parts that the compiler made itself begin nowhere, which counts as the start.
fn offset_in(code: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).wrapping_sub(code.as_ptr() as usize);
    if offset <= code.len() { offset } else { 0 }
}

/// A compiled program.
pub(super) struct Transform(Filter<Data>);

impl Transform {
    /// The program of a config.
    pub(super) fn new(config: &Value) -> Result<Self, Vec<ConfigProblem>> {
        compile(program(config)).map(Self).map_err(|(offset, message)| {
            vec![ConfigProblem::new("/jq", format!("not a jq program: {message}")).at(offset)]
        })
    }
}

impl Work for Transform {
    fn work(&self, call: &Ask<'_>) -> Result<Outcome, CallError> {
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
        let first_only = call.text("mode") == Some("first");
        let mut outputs = Vec::new();
        for result in self.0.id.run((context, to_jq(call.input))) {
            (call.check_time)()?;
            outputs.push(from_jq(result.map_err(|thrown| failed(thrown_message(thrown)))?, MAX_DEPTH)?);
            if first_only {
                break;
            }
            if outputs.len() > MAX_OUTPUTS {
                return Err(failed(format!("the program gives more than {MAX_OUTPUTS} results")));
            }
        }
        Ok(Outcome::of(match (call.text("mode"), outputs.len()) {
            (Some("all"), _) | (_, 2..) => Value::Array(outputs),
            _ => outputs.pop().unwrap_or(Value::Null),
        }))
    }
}

/// What a program threw. `halt` ends a command-line program; here there is nothing to end, so it is an error.
fn thrown_message(thrown: Exn<'_, Val>) -> String {
    match thrown.get_err() {
        Ok(error) => error.to_string(),
        Err(other) => match other.get_halt() {
            Ok(_) => "`halt` cannot be used in a workflow".to_owned(),
            Err(_) => "`break` without its label".to_owned(),
        },
    }
}

fn to_jq(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(value) => Val::Bool(*value),
        Value::Number(number) => Val::Num(match number.as_i64().and_then(|number| isize::try_from(number).ok()) {
            Some(whole) => Num::Int(whole),
            None if number.is_u64() => Num::from_integral(number.as_u64().unwrap_or_default()),
            None => Num::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Value::String(text) => Val::from(text.clone()),
        Value::Array(items) => items.iter().map(to_jq).collect(),
        Value::Object(entries) => {
            Val::obj(entries.iter().map(|(key, value)| (Val::from(key.clone()), to_jq(value))).collect())
        }
    }
}

fn from_jq(value: Val, levels: usize) -> Result<Value, CallError> {
    let inside = |value| match levels.checked_sub(1) {
        Some(left) => from_jq(value, left),
        None => Err(failed(format!("the program gives a value that is nested deeper than {MAX_DEPTH} levels"))),
    };
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(value),
        Val::Num(number) => number_from_jq(&number)?,
        Val::TStr(bytes) | Val::BStr(bytes) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        Val::Arr(items) => Value::Array(items.iter().cloned().map(inside).collect::<Result<_, _>>()?),
        Val::Obj(entries) => {
            let named = entries.iter().map(|(key, value)| match key {
                Val::TStr(bytes) => Ok((String::from_utf8_lossy(bytes).into_owned(), inside(value.clone())?)),
                other => Err(failed(format!("the program gives a mapping with the key `{other}`, which is no text"))),
            });
            Value::Object(named.collect::<Result<Map<_, _>, _>>()?)
        }
    })
}

/// A number of the result. As in jq, what JSON cannot hold becomes `null` (not a number) or the largest number.
fn number_from_jq(number: &Num) -> Result<Value, CallError> {
    let float = |float: f64| match Number::from_f64(float.clamp(f64::MIN, f64::MAX)) {
        Some(number) => Value::Number(number),
        None => Value::Null,
    };
    match number {
        Num::Int(whole) => Ok(Value::from(*whole as i64)),
        Num::Float(value) => Ok(float(*value)),
        Num::BigInt(big) => {
            let text = big.to_string();
            text.parse::<u64>()
                .map(Value::from)
                .map_err(|_| failed(format!("the program gives `{text}`, which is beyond 64 bits")))
        }
        Num::Dec(text) => text.parse().map(float).map_err(|_| failed(format!("`{text}` is no number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_points_into_the_program() {
        let errors = [".a | nosuch", ".a | )", "if . then 1", "\"abc", "1 + $x", "import \"m\" as m; ."].map(|code| {
            let (offset, message) = compile(code).err().unwrap();
            format!("{code} | {offset}: {message}")
        });
        insta::assert_snapshot!(errors.join("\n"), @r#"
        .a | nosuch | 5: there is no filter `nosuch`
        .a | ) | 5: expected token, found `)`
        if . then 1 | 11: expected else or end, found the end
        "abc | 4: expected closing quote, found the end
        1 + $x | 4: there is no variable `$x`
        import "m" as m; . | 0: modules cannot be imported here
        "#);
    }

    #[test]
    fn whole_numbers_stay_whole_on_the_way_there_and_back() {
        let value = json!({"a": [1, u64::MAX, i64::MIN, 0.5, "x", null, true]});
        assert_eq!(from_jq(to_jq(&value), MAX_DEPTH).unwrap(), value);
    }
}
