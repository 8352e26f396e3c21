//! The functions that scripts have besides Luau's own: `json_encode json_decode json_array json_object json_null str_trim str_split
//! str_contains str_replace type_of`, and what the prelude needs of the host.

use memchr::memmem;
use mlua::{Lua, LuaString, Table, Value as LuaValue};

use super::decode;
use super::encode::{self, Room};
use super::value::{self, Marks};
use crate::engine::budget::Limits;
use crate::engine::log::Severity;

/// Where a state writes its log lines.
pub(super) type LogFunction = Box<dyn Fn(Severity, &str) + Send>;

/// Adds the functions that scripts see.
pub(super) fn install(lua: &Lua, globals: &Table, marks: &Marks, limits: Limits) -> mlua::Result<()> {
    install_json(lua, globals, marks, limits)?;
    let max_text = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    let trim = |_: &Lua, text: LuaString| Ok(text.to_string_lossy().trim().to_owned());
    globals.raw_set("str_trim", lua.create_function(trim)?)?;
    let contains =
        |_: &Lua, (text, part): (LuaString, LuaString)| Ok(memmem::find(&text.as_bytes(), &part.as_bytes()).is_some());
    globals.raw_set("str_contains", lua.create_function(contains)?)?;
    let replace = move |lua: &Lua, (text, old, new): (LuaString, LuaString, LuaString)| {
        let replaced = replace(&text.as_bytes(), &old.as_bytes(), &new.as_bytes(), max_text)?;
        lua.create_string(replaced)
    };
    globals.raw_set("str_replace", lua.create_function(replace)?)?;
    let split_marks = marks.clone();
    let split = move |lua: &Lua, (text, separator): (LuaString, Option<LuaString>)| {
        let parts = split_marks.new_list(lua)?;
        match separator {
            Some(separator) if !separator.as_bytes().is_empty() => split_into(lua, &parts, &text, &separator)?,
            Some(_) => text.to_string_lossy().chars().try_for_each(|c| parts.raw_push(String::from(c)))?,
            None => text.to_string_lossy().split_whitespace().try_for_each(|word| parts.raw_push(word))?,
        }
        Ok(parts)
    };
    globals.raw_set("str_split", lua.create_function(split)?)?;
    globals.raw_set("type_of", lua.create_function(|_, value: LuaValue| Ok(value::type_of(&value)))?)
}

fn install_json(lua: &Lua, globals: &Table, marks: &Marks, limits: Limits) -> mlua::Result<()> {
    let room = Room::from(limits);
    let encode = move |lua: &Lua, value: LuaValue| match encode::to_json(lua, &value, room) {
        Ok(value) => Ok(value.to_string()),
        Err(unfit) => Err(unfit.raised("json_encode: the value", room)),
    };
    globals.raw_set("json_encode", lua.create_function(encode)?)?;
    let decode_marks = marks.clone();
    let decode = move |lua: &Lua, text: LuaString| {
        if text.as_bytes().len() as u64 > room.text {
            return Err(mlua::Error::runtime(format!("json_decode: the text is larger than {} bytes", room.text)));
        }
        decode::decode(lua, &decode_marks, &text)
    };
    globals.raw_set("json_decode", lua.create_function(decode)?)?;
    let (lists, objects) = (marks.clone(), marks.clone());
    globals.raw_set("json_array", lua.create_function(move |lua, ()| lists.new_list(lua))?)?;
    globals.raw_set("json_object", lua.create_function(move |lua, ()| objects.new_object(lua))?)?;
    globals.raw_set("json_null", LuaValue::NULL)
}

/// What the prelude builds its guards from.
pub(super) fn host(lua: &Lua, log: LogFunction) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    let find = |_: &Lua, (text, part, init): (LuaString, LuaString, Option<i64>)| {
        let found = find(&text, &part, init);
        Ok((found.map(|(first, _)| first), found.map(|(_, last)| last)))
    };
    host.raw_set("find_text", lua.create_function(find)?)?;
    let split = |lua: &Lua, (text, separator): (LuaString, LuaString)| {
        let parts = lua.create_table()?;
        split_into(lua, &parts, &text, &separator)?;
        Ok(parts)
    };
    host.raw_set("split_text", lua.create_function(split)?)?;
    // The state is used by one thread at a time; a mutex only tells the compiler so.
    let log = std::sync::Mutex::new(log);
    let write = move |_: &Lua, (severity, text): (LuaString, LuaString)| {
        let severity = match &*severity.as_bytes() {
            b"debug" => Severity::Debug,
            b"warn" => Severity::Warning,
            b"error" => Severity::Error,
            _ => Severity::Info,
        };
        log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)(severity, &text.to_string_lossy());
        Ok(())
    };
    host.raw_set("log", lua.create_function(write)?)?;
    Ok(host)
}

/// `string.find` of a plain text: the places of its first and last byte, counted from 1.
fn find(text: &LuaString, part: &LuaString, init: Option<i64>) -> Option<(usize, usize)> {
    let text = text.as_bytes();
    let init = init.unwrap_or(1);
    let from_end = || text.len().saturating_sub(usize::try_from(init.unsigned_abs()).unwrap_or(usize::MAX));
    let start = if init < 0 { from_end() } else { usize::try_from(init.max(1) - 1).unwrap_or(usize::MAX) };
    let at = start + memmem::find(text.get(start..)?, &part.as_bytes())?;
    Some((at + 1, at + part.as_bytes().len()))
}

fn split_into(lua: &Lua, parts: &Table, text: &LuaString, separator: &LuaString) -> mlua::Result<()> {
    let (text, separator) = (text.as_bytes(), separator.as_bytes());
    let mut start = 0;
    for at in memmem::find_iter(&text, &*separator) {
        parts.raw_push(lua.create_string(&text[start..at])?)?;
        start = at + separator.len();
    }
    parts.raw_push(lua.create_string(&text[start..])?)
}

fn replace(text: &[u8], old: &[u8], new: &[u8], max_bytes: usize) -> mlua::Result<Vec<u8>> {
    if old.is_empty() {
        return Ok(text.to_vec());
    }
    let count = memmem::find_iter(text, old).count();
    // The result is made outside of Lua's memory, so its size is known before it is made.
    let grown = count.saturating_mul(new.len()).saturating_add(text.len() - count * old.len());
    if grown > max_bytes {
        return Err(mlua::Error::MemoryError("not enough memory".to_owned()));
    }
    let mut replaced = Vec::with_capacity(grown);
    let mut start = 0;
    for at in memmem::find_iter(text, old) {
        replaced.extend_from_slice(&text[start..at]);
        replaced.extend_from_slice(new);
        start = at + old.len();
    }
    replaced.extend_from_slice(&text[start..]);
    Ok(replaced)
}
