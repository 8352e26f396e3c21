//! Whole values over Lua's stack: one guarded call for all of a value's fields, where `mlua` makes one for each.
//!
//! From Lua only plain values go this way. Of all others, and of all that is wrong with a value, `encode` finds the words.

use std::ffi::c_int;
use std::{ptr, slice};

use mlua::{Lua, Table, Value as LuaValue, ffi};
use serde_json::{Map, Number, Value};

use super::encode::{Room, whole_or_float};
use super::value::{self, KIND_FIELD, LargeInteger, MAX_DEPTH, NULLS_FIELD, OBJECT};

/// What one level of a value needs of the stack at once: a table, a key, a value, a metatable and its list of nulls.
const SLOTS: c_int = 8;

/// Where the metatables of lists and of objects stand while a value is made, and the numbers that Lua does not have, in their order.
const LIST_MARK: c_int = 1;
const OBJECT_MARK: c_int = 2;
const LARGE_INTEGERS: c_int = 3;

/// The Lua value of a JSON value.
pub(super) fn to_lua(lua: &Lua, list_mark: &Table, object_mark: &Table, value: &Value) -> mlua::Result<LuaValue> {
    let mut numbers = Vec::new();
    collect_large_integers(value, &mut numbers);
    let large_integers = numbers.into_iter().map(|number| lua.create_userdata(LargeInteger(number.clone())));
    let large_integers = lua.create_sequence_from(large_integers.collect::<mlua::Result<Vec<_>>>()?)?;
    // SAFETY: above its three arguments `push` leaves one value, which becomes the only result. It runs inside a guarded call:
    // Luau's errors come back as an error, and the frames that they leave hold nothing that must be dropped.
    unsafe {
        lua.exec_raw((list_mark, object_mark, large_integers), |state| {
            Pusher { state, large_integers: 0 }.push(value);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

fn collect_large_integers<'a>(value: &'a Value, found: &mut Vec<&'a Number>) {
    match value {
        Value::Number(number) if !value::is_exact(number) => found.push(number),
        Value::Array(items) => items.iter().for_each(|item| collect_large_integers(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect_large_integers(value, found)),
        _ => {}
    }
}

/// Makes values in a state that is valid, runs a guarded call and has at its places what [`to_lua`] puts there.
///
/// All functions may raise errors, which leave all frames above: none may hold a value that must be dropped.
struct Pusher {
    state: *mut ffi::lua_State,
    /// How many of them were used.
    large_integers: c_int,
}

impl Pusher {
    /// Pushes one value.
    fn push(&mut self, value: &Value) {
        let state = self.state;
        // SAFETY: there is room on the stack, and the state is what `Pusher` says.
        unsafe {
            ffi::luaL_checkstack(state, SLOTS, c"the value is too deep".as_ptr());
            match value {
                Value::Null => ffi::lua_pushnil(state),
                Value::Bool(value) => ffi::lua_pushboolean(state, c_int::from(*value)),
                Value::Number(number) if value::is_exact(number) => {
                    ffi::lua_pushnumber(state, number.as_f64().unwrap_or(f64::NAN));
                }
                Value::Number(_) => {
                    self.large_integers += 1;
                    ffi::lua_rawgeti_(state, LARGE_INTEGERS, self.large_integers);
                }
                Value::String(text) => self.push_text(text),
                Value::Array(items) => self.push_list(items),
                Value::Object(fields) => self.push_object(fields),
            }
        }
    }

    fn push_text(&self, text: &str) {
        // SAFETY: Luau copies as many bytes as the text has; for the rest see `push`.
        unsafe { ffi::lua_pushlstring_(self.state, text.as_ptr().cast(), text.len()) };
    }

    fn push_list(&mut self, items: &[Value]) {
        let state = self.state;
        // SAFETY: as for `push`; each item is pushed and put into the table.
        unsafe {
            ffi::lua_createtable(state, capacity(items.len()), 0);
            for (at, item) in (1..).zip(items) {
                if item.is_null() {
                    ffi::lua_pushlightuserdata(state, ptr::null_mut());
                } else {
                    self.push(item);
                }
                ffi::lua_rawseti_(state, -2, at);
            }
            ffi::lua_pushvalue(state, LIST_MARK);
            ffi::lua_setmetatable(state, -2);
        }
    }

    fn push_object(&mut self, fields: &Map<String, Value>) {
        let state = self.state;
        let mut nulls = 0;
        // SAFETY: as for `push`; each name and value are pushed and put into the table.
        unsafe {
            ffi::lua_createtable(state, 0, capacity(fields.len()));
            for (name, value) in fields {
                if value.is_null() {
                    nulls += 1;
                    continue;
                }
                self.push_text(name);
                self.push(value);
                ffi::lua_rawset(state, -3);
            }
            if nulls == 0 {
                ffi::lua_pushvalue(state, OBJECT_MARK);
            } else {
                self.push_mark_with_nulls(fields, nulls);
            }
            ffi::lua_setmetatable(state, -2);
        }
    }

    /// Pushes the metatable of an object some of whose fields are `null`.
    fn push_mark_with_nulls(&self, fields: &Map<String, Value>, nulls: usize) {
        let state = self.state;
        // SAFETY: as for `push`; what is pushed above the metatable is put into it.
        unsafe {
            ffi::lua_createtable(state, 0, 2);
            self.push_text(KIND_FIELD);
            self.push_text(OBJECT);
            ffi::lua_rawset(state, -3);
            self.push_text(NULLS_FIELD);
            ffi::lua_createtable(state, capacity(nulls), 0);
            let names = fields.iter().filter(|(_, value)| value.is_null());
            for (at, (name, _)) in (1..).zip(names) {
                self.push_text(name);
                ffi::lua_rawseti_(state, -2, at);
            }
            ffi::lua_rawset(state, -3);
            ffi::lua_setreadonly(state, -1, 1);
        }
    }
}

/// How much room a table is made with. One that is longer than Luau can count grows until there is no memory.
fn capacity(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(0)
}

/// The JSON value of a plain Lua table; nothing if it is not plain, or does not fit into the room.
pub(super) fn to_json(lua: &Lua, table: &Table, room: Room) -> Option<Value> {
    let mut read = None;
    // SAFETY: the reader finds the table and the names at their places and has room on the stack for all levels. The only call that
    // may raise an error is the one for this room, when no Rust value is there yet.
    let ran: mlua::Result<()> = unsafe {
        lua.exec_raw((table, NULLS_FIELD, KIND_FIELD, OBJECT), |state| {
            ffi::luaL_checkstack(state, (MAX_DEPTH as c_int + 1) * SLOTS, c"no room for a value".as_ptr());
            read = Reader { state, left: room, depth: 0 }.value(1);
            ffi::lua_settop(state, 0);
        })
    };
    ran.ok().and(read)
}

/// Where the names of a metatable's fields stand while a value is read.
const NULLS_NAME: c_int = 2;
const KIND_NAME: c_int = 3;
const OBJECT_NAME: c_int = 4;

/// Reads plain values from a state that is valid and has room for all levels. Each function leaves the stack as it found it, and
/// calls nothing that raises an error.
struct Reader {
    state: *mut ffi::lua_State,
    left: Room,
    depth: usize,
}

impl Reader {
    fn value(&mut self, index: c_int) -> Option<Value> {
        self.left.spend_on_value().ok()?;
        let state = self.state;
        // SAFETY: at the index stands a value, and each type is asked for what it is.
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TBOOLEAN => Some(Value::Bool(ffi::lua_toboolean(state, index) != 0)),
                ffi::LUA_TNUMBER => whole_or_float(ffi::lua_tonumber(state, index)).ok(),
                ffi::LUA_TSTRING => self.text(index).map(Value::String),
                ffi::LUA_TTABLE => self.table(index),
                ffi::LUA_TLIGHTUSERDATA => ffi::lua_touserdata(state, index).is_null().then_some(Value::Null),
                _ => None,
            }
        }
    }

    /// The text at the index, which holds one.
    fn text(&mut self, index: c_int) -> Option<String> {
        let mut length = 0;
        // SAFETY: a text is left as it is, and lives as long as it stands on the stack.
        let bytes = unsafe {
            let start = ffi::lua_tolstring(self.state, index, &raw mut length);
            slice::from_raw_parts(start.cast::<u8>(), length)
        };
        self.left.spend_on_text(length).ok()?;
        str::from_utf8(bytes).ok().map(str::to_owned)
    }

    /// The list or the object at the index, which holds a table.
    fn table(&mut self, index: c_int) -> Option<Value> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        self.left.spend_on_table().ok()?;
        // SAFETY: the index holds a table.
        let length = unsafe { ffi::lua_objlen(self.state, index) };
        let value = if length > 0 { self.list(index, length) } else { self.object(index) };
        self.depth -= 1;
        value
    }

    /// A list whose elements come in order.
    fn list(&mut self, index: c_int, length: usize) -> Option<Value> {
        let mut items = Vec::with_capacity(length.min(1 << 16));
        self.each(index, |reader, key, value| {
            // SAFETY: the key is left as it is.
            let is_next = unsafe {
                ffi::lua_type(reader.state, key) == ffi::LUA_TNUMBER
                    && ffi::lua_tonumber(reader.state, key) == (items.len() + 1) as f64
            };
            items.push(if is_next { reader.value(value)? } else { return None });
            Some(())
        })?;
        Some(Value::Array(items))
    }

    fn object(&mut self, index: c_int) -> Option<Value> {
        let mut fields = Map::new();
        self.each(index, |reader, key, value| {
            // SAFETY: the key is left as it is.
            if unsafe { ffi::lua_type(reader.state, key) } != ffi::LUA_TSTRING {
                return None;
            }
            reader.left.spend_on_field(fields.len()).ok()?;
            let name = reader.text(key)?;
            let value = reader.value(value)?;
            fields.insert(name, value);
            Some(())
        })?;
        // SAFETY: the index holds a table; the metatable is taken off again.
        unsafe {
            let is_marked = ffi::lua_getmetatable(self.state, index) != 0;
            if is_marked {
                self.add_nulls(&mut fields)?;
            }
            let is_list = fields.is_empty() && !(is_marked && self.is_object_mark());
            ffi::lua_settop(self.state, ffi::lua_gettop(self.state) - c_int::from(is_marked));
            Some(if is_list { Value::Array(Vec::new()) } else { Value::Object(fields) })
        }
    }

    /// The fields that were `null` in the object whose metatable is on top.
    fn add_nulls(&mut self, fields: &mut Map<String, Value>) -> Option<()> {
        let state = self.state;
        // SAFETY: all that is pushed above the metatable is taken off again.
        unsafe {
            ffi::lua_pushvalue(state, NULLS_NAME);
            if ffi::lua_rawget(state, -2) == ffi::LUA_TTABLE {
                for at in 1.. {
                    if ffi::lua_rawgeti_(state, -1, at) != ffi::LUA_TSTRING {
                        ffi::lua_pop(state, 1);
                        break;
                    }
                    self.left.spend_on_field(1).ok()?;
                    fields.entry(self.text(-1)?).or_insert(Value::Null);
                    ffi::lua_pop(state, 1);
                }
            }
            ffi::lua_pop(state, 1);
        }
        Some(())
    }

    /// Whether the metatable on top is one of objects.
    fn is_object_mark(&self) -> bool {
        let state = self.state;
        // SAFETY: what is pushed above the metatable is taken off again, after the comparison.
        unsafe {
            ffi::lua_pushvalue(state, KIND_NAME);
            ffi::lua_rawget(state, -2);
            ffi::lua_pushvalue(state, OBJECT_NAME);
            let is_object = ffi::lua_rawequal(state, -1, -2) != 0;
            ffi::lua_pop(state, 2);
            is_object
        }
    }

    /// Shows each key and its value of the table at the index, the list's elements first and in their order.
    fn each(&mut self, index: c_int, mut show: impl FnMut(&mut Self, c_int, c_int) -> Option<()>) -> Option<()> {
        let mut next = 0;
        loop {
            // SAFETY: the index holds a table, which nothing changes meanwhile; two values are pushed unless this was the last.
            next = unsafe { ffi::lua_rawiter(self.state, index, next) };
            if next < 0 {
                return Some(());
            }
            // SAFETY: the two values that were pushed are on top, and taken off.
            unsafe {
                let top = ffi::lua_gettop(self.state);
                show(self, top - 1, top)?;
                ffi::lua_pop(self.state, 2);
            }
        }
    }
}
