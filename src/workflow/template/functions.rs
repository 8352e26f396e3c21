//! The functions a template can call: Go's own, and those of this language.
//!
//! A function is given its arguments in order; the value of a pipeline comes last. So the subject is the last
//! parameter: `{{.name | replace "a" "b"}}`.

mod collections;
mod compare;
mod escape;
mod go;
mod numbers;
mod outside;
mod serialise;
mod text;
mod time;

use std::borrow::Cow;

use super::budget::Tools;
use super::value::Val;

/// A value, or the sentence that says why there is none.
pub(super) type Outcome<'a> = Result<Val<'a>, String>;

/// What a function does with its arguments.
pub(super) type Body = for<'a> fn(&mut Tools<'a>, &[Val<'a>]) -> Outcome<'a>;

/// A function by name.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arity: Arity,
    pub(super) evaluation: Evaluation,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    Exactly(usize),
    AtLeast(usize),
    Between(usize, usize),
}

/// Whether all arguments are evaluated before the call.
#[derive(Clone, Copy)]
pub(super) enum Evaluation {
    All(Body),
    /// As `All`, but a field of the data is refused as an argument after the first: Go's `slice` does not look into
    /// it. In parentheses it is a pipeline and goes.
    Bounds(Body),
    /// `and`: up to the first that is false.
    UntilFalse,
    /// `or`: up to the first that is true.
    UntilTrue,
}

impl Arity {
    /// Says what is wrong with this number of arguments, if anything is.
    pub(super) fn check(self, name: &str, given: usize) -> Result<(), String> {
        let (fits, wanted) = match self {
            Arity::Exactly(count) => (given == count, count.to_string()),
            Arity::AtLeast(count) => (given >= count, format!("at least {count}")),
            Arity::Between(least, most) => ((least..=most).contains(&given), format!("{least} to {most}")),
        };
        if fits { Ok(()) } else { Err(format!("wrong number of arguments for `{name}`: want {wanted}, got {given}")) }
    }
}

const fn function(name: &'static str, arity: Arity, body: Body) -> Function {
    Function { name, arity, evaluation: Evaluation::All(body) }
}

use Arity::{AtLeast, Between, Exactly};

static FUNCTIONS: &[Function] = &[
    // Go's own.
    Function { name: "and", arity: AtLeast(1), evaluation: Evaluation::UntilFalse },
    Function { name: "or", arity: AtLeast(1), evaluation: Evaluation::UntilTrue },
    function("not", Exactly(1), go::not),
    function("len", Exactly(1), go::len),
    function("index", AtLeast(1), go::index),
    Function { name: "slice", arity: AtLeast(1), evaluation: Evaluation::Bounds(go::slice) },
    function("call", AtLeast(1), go::call),
    function("print", AtLeast(0), go::print),
    function("println", AtLeast(0), go::println),
    function("printf", AtLeast(1), go::printf),
    function("html", AtLeast(0), escape::html),
    function("js", AtLeast(0), escape::js),
    function("urlquery", AtLeast(0), escape::urlquery),
    function("eq", AtLeast(1), compare::eq),
    function("ne", Exactly(2), compare::ne),
    function("lt", Exactly(2), compare::lt),
    function("le", Exactly(2), compare::le),
    function("gt", Exactly(2), compare::gt),
    function("ge", Exactly(2), compare::ge),
    // Choosing.
    function("default", Exactly(2), collections::default),
    function("coalesce", AtLeast(0), collections::coalesce),
    // Texts.
    function("upper", Exactly(1), text::upper),
    function("lower", Exactly(1), text::lower),
    function("trim", Exactly(1), text::trim),
    function("split", Exactly(2), text::split),
    function("join", Exactly(2), text::join),
    function("replace", Exactly(3), text::replace),
    function("contains", Exactly(2), text::contains),
    function("hasPrefix", Exactly(2), text::has_prefix),
    function("hasSuffix", Exactly(2), text::has_suffix),
    // Lists and maps.
    function("first", Exactly(1), collections::first),
    function("last", Exactly(1), collections::last),
    function("keys", Exactly(1), collections::keys),
    function("values", Exactly(1), collections::values),
    // Numbers.
    function("sum", Exactly(1), numbers::sum),
    function("min", AtLeast(1), numbers::min),
    function("max", AtLeast(1), numbers::max),
    function("add", AtLeast(2), numbers::add),
    function("sub", Exactly(2), numbers::sub),
    function("mul", AtLeast(2), numbers::mul),
    function("div", Exactly(2), numbers::div),
    function("mod", Exactly(2), numbers::modulo),
    // Forms.
    function("json", Exactly(1), serialise::json),
    function("fromJson", Exactly(1), serialise::from_json),
    function("toYaml", Exactly(1), serialise::to_yaml),
    function("base64", Exactly(1), serialise::base64),
    function("sha256", Exactly(1), serialise::sha256),
    // What lies outside the data.
    function("now", Exactly(0), time::now),
    function("date", Between(1, 2), time::date),
    function("uuid", Exactly(0), outside::uuid),
    function("env", Exactly(1), outside::env),
    function("input", Exactly(0), outside::input),
    function("output", Exactly(1), outside::output),
];

/// The function with this name; else an error that mentions one with a name much like it.
pub(super) fn named(name: &str) -> Result<&'static Function, String> {
    if let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) {
        return Ok(function);
    }
    let similar = FUNCTIONS
        .iter()
        .map(|function| (strsim::damerau_levenshtein(function.name, name), function.name))
        .min()
        .filter(|&(distance, _)| distance <= 2 && distance < name.chars().count());
    Err(match similar {
        Some((_, near)) => format!("function `{name}` is not defined; did you mean `{near}`?"),
        None => format!("function `{name}` is not defined"),
    })
}

/// All names, for tests that try each function.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// The argument as text.
fn text_of<'v>(value: &'v Val<'_>) -> Result<Cow<'v, str>, String> {
    bytes_of(value).map(|bytes| match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => super::value::to_text(bytes).into(),
    })
}

/// The argument's bytes, for functions that take a broken character as it is.
fn bytes_of<'v>(value: &'v Val<'_>) -> Result<&'v [u8], String> {
    match value {
        Val::Text(text) => Ok(text.bytes()),
        other => Err(format!("a text is needed, got {}; `print` makes one of any value", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_function_is_answered_with_a_near_one() {
        assert_eq!(named("uper").expect_err("it is `upper`"), "function `uper` is not defined; did you mean `upper`?");
        assert_eq!(named("frobnicate").expect_err("it is none"), "function `frobnicate` is not defined");
    }

    #[test]
    fn no_name_stands_twice() {
        let mut names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
