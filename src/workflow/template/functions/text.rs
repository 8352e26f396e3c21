//! Texts: `upper lower trim split join replace contains hasPrefix hasSuffix`.

use serde_json::Value;

use super::super::budget::Tools;
use super::super::value::Val;
use super::{Outcome, text_of};

pub(super) fn upper<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let text = text_of(&arguments[0])?.to_uppercase();
    tools.text(text)
}

pub(super) fn lower<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let text = text_of(&arguments[0])?.to_lowercase();
    tools.text(text)
}

/// Without space at both ends.
pub(super) fn trim<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    tools.text(text_of(&arguments[0])?.trim())
}

/// `split "," "a,b"`: the parts between the separators; the characters when the separator is empty.
pub(super) fn split<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (separator, text) = (text_of(&arguments[0])?, text_of(&arguments[1])?);
    tools.charge(text.len())?;
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::from(c.to_string())).collect()
    } else {
        text.split(&*separator).map(Value::from).collect()
    };
    tools.keep(parts.into())
}

/// `join "," .list`: the elements, printed, with the separator between them.
pub(super) fn join<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let separator = text_of(&arguments[0])?;
    let Val::List(list) = &arguments[1] else {
        return Err(format!("a list is needed, got {}", arguments[1].kind()));
    };
    let mut text = Vec::new();
    for (number, item) in list.items().iter().enumerate() {
        tools.work(1)?;
        if number > 0 {
            text.extend_from_slice(separator.as_bytes());
        }
        tools.print_into(&mut text, |printer| printer.print(&[Val::of(item)]))?;
    }
    tools.text(text)
}

/// `replace "old" "new" "text"`: every occurrence.
pub(super) fn replace<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let [old, new, text] = [0, 1, 2].map(|place| text_of(&arguments[place]));
    let (old, new, text) = (old?, new?, text?);
    // Looked at before it is made, as a short text can become very long.
    let growth = text.matches(&*old).count().saturating_mul(new.len());
    tools.charge(growth.saturating_add(text.len()))?;
    Ok(Val::text(text.replace(&*old, &new)))
}

/// `contains "b" "abc"`: whether a text has the part, a list the element or a map the key.
pub(super) fn contains<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (part, whole) = (&arguments[0], &arguments[1]);
    let found = match whole {
        Val::List(list) => {
            tools.work(list.len)?;
            list.items().iter().any(|item| same(part, &Val::of(item)))
        }
        Val::Map(map) => map.contains_key(&*text_of(part)?),
        whole => {
            let (whole, part) = (text_of(whole)?, text_of(part)?);
            tools.work(whole.len() / 16)?;
            whole.contains(&*part)
        }
    };
    Ok(Val::Bool(found))
}

/// Whether two values are equal; numbers by value, lists and maps by all they hold.
fn same(one: &Val<'_>, other: &Val<'_>) -> bool {
    match super::compare::order(one, other) {
        Ok(order) => order.is_eq(),
        Err(_) => one.to_json() == other.to_json(),
    }
}

pub(super) fn has_prefix<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (prefix, text) = (text_of(&arguments[0])?, text_of(&arguments[1])?);
    Ok(Val::Bool(text.starts_with(&*prefix)))
}

pub(super) fn has_suffix<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (suffix, text) = (text_of(&arguments[0])?, text_of(&arguments[1])?);
    Ok(Val::Bool(text.ends_with(&*suffix)))
}
