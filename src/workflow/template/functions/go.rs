//! Go's own functions on values: `not len index slice call print println printf`.

use super::super::budget::Tools;
use super::super::value::{List, Text, Val};
use super::Outcome;

pub(super) fn not<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::Bool(!arguments[0].truth()))
}

/// Bytes of a text, elements of a list, keys of a map.
pub(super) fn len<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let length = match &arguments[0] {
        Val::Text(text) => text.bytes().len(),
        Val::List(list) => list.len,
        Val::Map(map) => map.len(),
        other => return Err(format!("{} has no length", other.kind())),
    };
    Ok(Val::Int(length as i64))
}

/// `index .x 1 "a"` is `x[1]["a"]`.
pub(super) fn index<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let mut item = arguments[0].clone();
    if item.is_nil() {
        return Err("null cannot be indexed".to_owned());
    }
    for key in &arguments[1..] {
        item = match (&item, key) {
            (Val::Map(map), Val::Text(key)) => {
                std::str::from_utf8(key.bytes()).ok().and_then(|key| map.get(key)).map_or(Val::Null, Val::of)
            }
            (Val::Map(_), other) => return Err(format!("a map is indexed with a text, not with {}", other.kind())),
            (Val::List(list), key) => {
                let position = position(key, list.len)?;
                list.items().get(position).map(Val::of).ok_or_else(|| out_of_range(position as i64))?
            }
            (Val::Text(text), key) => {
                let position = position(key, text.bytes().len())?;
                let byte = text.bytes().get(position).copied();
                Val::Byte(byte.ok_or_else(|| out_of_range(position as i64))?)
            }
            (other, _) => return Err(format!("{} cannot be indexed", other.kind())),
        };
    }
    Ok(item)
}

/// `slice .x 1 2` is `x[1:2]`; texts are cut by bytes.
pub(super) fn slice<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (subject, bounds) = (&arguments[0], &arguments[1..]);
    if bounds.len() > 3 {
        return Err(format!("too many bounds for a slice: {}", bounds.len()));
    }
    let (length, capacity) = match subject {
        Val::Text(_) if bounds.len() == 3 => return Err("a text cannot be sliced with three bounds".to_owned()),
        Val::Text(text) => (text.bytes().len(), text.bytes().len()),
        Val::List(list) => (list.len, list.backing.len()),
        other => return Err(format!("{} cannot be sliced", other.kind())),
    };
    let mut places = [0, length, capacity];
    for (place, bound) in places.iter_mut().zip(bounds) {
        *place = position(bound, capacity)?;
    }
    let [start, end, capacity] = places;
    if start > end || end > capacity {
        let (high, low) = if start > end { (start, end) } else { (end, capacity) };
        return Err(format!("invalid bounds of a slice: {high} > {low}"));
    }
    match subject {
        Val::List(list) => Ok(Val::List(List { backing: &list.backing[start..capacity], len: end - start })),
        Val::Text(Text::Borrowed(bytes)) => Ok(Val::Text(Text::Borrowed(&bytes[start..end]))),
        Val::Text(Text::Made(bytes)) => tools.text(&bytes[start..end]),
        other => Err(format!("{} cannot be sliced", other.kind())),
    }
}

/// An index up to and with `most`.
fn position(index: &Val<'_>, most: usize) -> Result<usize, String> {
    let number = match index {
        Val::Int(int) => *int,
        Val::Byte(byte) => (*byte).into(),
        Val::Uint(uint) => return Err(format!("index out of range: {uint}")),
        other => return Err(format!("a list or text is indexed with a whole number, not with {}", other.kind())),
    };
    usize::try_from(number).ok().filter(|&position| position <= most).ok_or_else(|| out_of_range(number))
}

fn out_of_range(index: i64) -> String {
    format!("index out of range: {index}")
}

/// There is nothing to call: data holds no functions.
pub(super) fn call<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Err(format!("{} is not a function", arguments[0].kind()))
}

pub(super) fn print<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    tools.printed(|printer| printer.print(arguments))
}

pub(super) fn println<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    tools.printed(|printer| printer.print_line(arguments))
}

pub(super) fn printf<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let Val::Text(format) = &arguments[0] else {
        return Err(format!("the format must be a text, got {}", arguments[0].kind()));
    };
    tools.printed(|printer| printer.format(format.bytes(), &arguments[1..]))
}
