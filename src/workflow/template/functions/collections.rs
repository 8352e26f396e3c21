//! Choosing, and lists and maps: `default coalesce first last keys values`.

use serde_json::Value;

use super::super::budget::Tools;
use super::super::value::{Text, Val, characters};
use super::Outcome;

/// The second argument unless it is false, zero, empty or null; else the first.
pub(super) fn default<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (fallback, value) = (&arguments[0], &arguments[1]);
    Ok(if value.truth() { value } else { fallback }.clone())
}

/// The first argument that is not false, zero, empty or null.
pub(super) fn coalesce<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(arguments.iter().find(|value| value.truth()).cloned().unwrap_or(Val::Absent))
}

/// The first element of a list or character of a text; nothing of an empty one.
pub(super) fn first<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match &arguments[0] {
        Val::List(list) => Ok(list.items().first().map_or(Val::Absent, Val::of)),
        Val::Text(text) => end_of(tools, text, characters(text.bytes()).next()),
        other => Err(format!("a list or a text is needed, got {}", other.kind())),
    }
}

/// The last element of a list or character of a text; nothing of an empty one.
pub(super) fn last<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match &arguments[0] {
        Val::List(list) => Ok(list.items().last().map_or(Val::Absent, Val::of)),
        Val::Text(text) => end_of(tools, text, characters(text.bytes()).last()),
        other => Err(format!("a list or a text is needed, got {}", other.kind())),
    }
}

fn end_of<'a>(tools: &mut Tools<'a>, text: &Text<'a>, end: Option<(Option<char>, &[u8])>) -> Outcome<'a> {
    tools.work(text.bytes().len())?;
    end.map_or(Ok(Val::Absent), |(_, bytes)| tools.text(bytes))
}

/// The keys of a map in order.
pub(super) fn keys<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match &arguments[0] {
        Val::Map(map) => tools.keep(map.keys().cloned().map(Value::String).collect()),
        other => Err(format!("a map is needed, got {}", other.kind())),
    }
}

/// The values of a map in the order of its keys.
pub(super) fn values<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match &arguments[0] {
        Val::Map(map) => tools.keep(map.values().cloned().collect()),
        other => Err(format!("a map is needed, got {}", other.kind())),
    }
}
