//! A Lua value as JSON: its shape decides, and it must fit.

use mlua::{Lua, LuaString, Table, Value as LuaValue};
use serde_json::{Map, Number, Value};

use super::stack;
use super::value::{LIST, LargeInteger, MAX_DEPTH, MAX_EXACT, NULLS_FIELD, kind_of_empty, type_of};
use crate::engine::budget::Limits;

/// What any value takes as text: a digit and a comma. A table's brackets take as much again.
const VALUE_BYTES: usize = 2;

/// What a field takes in memory beside its value and the letters of its name: its place in a tree that is partly full.
const FIELD_MEMORY: usize = 64;

/// What an object with a single field takes: the tree has room for eleven.
const OBJECT_MEMORY: usize = 11 * (size_of::<String>() + size_of::<Value>());

/// Why a Lua value is no JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unfit {
    /// At `path` stands something that JSON does not have.
    Value {
        /// Such as `items[3].name`, empty for the whole value.
        path: String,
        /// What stands there, after `is` or `has`.
        reason: String,
    },
    /// The value has more bytes than it may.
    TooLarge,
    /// The value needs more memory than there is for it.
    OutOfMemory,
}

/// How much a value that leaves Lua may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// About as many bytes of JSON text.
    pub(super) text: u64,
    /// About as many bytes while it is held outside of Lua.
    pub(super) memory: u64,
}

impl From<Limits> for Room {
    fn from(limits: Limits) -> Self {
        Self { text: limits.output, memory: limits.memory }
    }
}

impl Room {
    /// Takes what any value needs.
    pub(super) fn spend_on_value(&mut self) -> Result<(), Unfit> {
        self.write(VALUE_BYTES)?;
        self.hold(size_of::<Value>())
    }

    /// Takes what a text needs beside that.
    pub(super) fn spend_on_text(&mut self, length: usize) -> Result<(), Unfit> {
        self.write(length)?;
        self.hold(length)
    }

    /// Takes what a table needs beside that.
    pub(super) fn spend_on_table(&mut self) -> Result<(), Unfit> {
        self.write(VALUE_BYTES)
    }

    /// Takes what a field needs beside its name and value, in an object that already has `others`.
    pub(super) fn spend_on_field(&mut self, others: usize) -> Result<(), Unfit> {
        self.hold(if others == 0 { OBJECT_MEMORY } else { FIELD_MEMORY })
    }

    fn write(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.text = self.text.checked_sub(bytes as u64).ok_or(Unfit::TooLarge)?;
        Ok(())
    }

    /// A table of a few bytes that contains itself many times unfolds to gigabytes.
    fn hold(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.memory = self.memory.checked_sub(bytes as u64).ok_or(Unfit::OutOfMemory)?;
        Ok(())
    }
}

/// The JSON value of a Lua value.
pub(super) fn to_json(lua: &Lua, value: &LuaValue, room: Room) -> Result<Value, Unfit> {
    let plain = value.as_table().and_then(|table| stack::to_json(lua, table, room));
    plain.map_or_else(|| with_reasons(value, room), Ok)
}

/// The JSON value of a Lua value, field by field.
pub(super) fn with_reasons(value: &LuaValue, room: Room) -> Result<Value, Unfit> {
    Reader { left: room, depth: 0 }.value(value)
}

struct Reader {
    left: Room,
    depth: usize,
}

impl Reader {
    fn value(&mut self, value: &LuaValue) -> Result<Value, Unfit> {
        self.left.spend_on_value()?;
        match value {
            LuaValue::Nil => Ok(Value::Null),
            value if value.is_null() => Ok(Value::Null),
            LuaValue::Boolean(value) => Ok(Value::Bool(*value)),
            LuaValue::Integer(number) if number.unsigned_abs() <= MAX_EXACT => Ok(Value::from(*number)),
            LuaValue::Integer(number) => Ok(Value::from(*number as f64)),
            LuaValue::Number(number) => whole_or_float(*number),
            LuaValue::String(text) => self.text(text).map(Value::String),
            LuaValue::Table(table) => self.table(table),
            LuaValue::UserData(data) => match data.borrow::<LargeInteger>() {
                Ok(number) => Ok(Value::Number(number.0.clone())),
                Err(_) => Err(unfit("is a userdata, which is no JSON")),
            },
            other => Err(unfit(format!("is a {}, which is no JSON", other.type_name()))),
        }
    }

    fn text(&mut self, text: &LuaString) -> Result<String, Unfit> {
        self.left.spend_on_text(text.as_bytes().len())?;
        let text = text.to_str().map_err(|_| unfit("is a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }

    fn table(&mut self, table: &Table) -> Result<Value, Unfit> {
        if self.depth == MAX_DEPTH {
            return Err(unfit(format!("is nested deeper than {MAX_DEPTH} levels, or contains itself")));
        }
        self.depth += 1;
        self.left.spend_on_table()?;
        let length = table.raw_len();
        let value = if length > 0 { self.list(table, length) } else { self.object(table) };
        self.depth -= 1;
        value
    }

    /// A list whose elements come in order, which is how Luau keeps nearly all lists, is read in one pass.
    fn list(&mut self, table: &Table, length: usize) -> Result<Value, Unfit> {
        let mut items = Vec::with_capacity(length.min(1 << 16));
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, item) = pair.map_err(|error| unfit(error.to_string()))?;
            let at = items.len() + 1;
            match key {
                LuaValue::Integer(key) if key == at as i64 => items.push(self.element(at, &item)?),
                LuaValue::Integer(_) if at <= length => return self.scattered_list(table, length),
                _ => return Err(unfit("has elements and named fields at once, which JSON does not have")),
            }
        }
        Ok(Value::Array(items))
    }

    fn scattered_list(&mut self, table: &Table, length: usize) -> Result<Value, Unfit> {
        let mut items = Vec::new();
        for at in 1..=length {
            let item: LuaValue = table.raw_get(at).map_err(|error| unfit(error.to_string()))?;
            if item.is_nil() {
                return Err(unfit(format!("has no element {at} of {length}; `json_null` stands for a missing one")));
            }
            items.push(self.element(at, &item)?);
        }
        match table.pairs::<LuaValue, LuaValue>().nth(length) {
            None => Ok(Value::Array(items)),
            Some(_) => Err(unfit("has elements and other fields at once, which JSON does not have")),
        }
    }

    fn element(&mut self, at: usize, item: &LuaValue) -> Result<Value, Unfit> {
        self.value(item).map_err(|error| error.below(&format!("[{at}]")))
    }

    fn object(&mut self, table: &Table) -> Result<Value, Unfit> {
        let mut fields = Map::new();
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, value) = pair.map_err(|error| unfit(error.to_string()))?;
            let LuaValue::String(key) = key else {
                return Err(unfit(format!(
                    "has a key that is a {}: list elements are numbered from 1 without gaps, other keys are texts",
                    type_of(&key)
                )));
            };
            self.left.spend_on_field(fields.len())?;
            let key = self.text(&key)?;
            let value = self.value(&value).map_err(|error| error.below(&format!(".{key}")))?;
            fields.insert(key, value);
        }
        self.add_nulls(table, &mut fields)?;
        if fields.is_empty() && kind_of_empty(table) == LIST {
            return Ok(Value::Array(Vec::new()));
        }
        Ok(Value::Object(fields))
    }

    fn add_nulls(&mut self, table: &Table, fields: &mut Map<String, Value>) -> Result<(), Unfit> {
        let Some(Ok(nulls)) = table.metatable().map(|metatable| metatable.raw_get::<Table>(NULLS_FIELD)) else {
            return Ok(());
        };
        for name in nulls.sequence_values::<String>().map_while(Result::ok) {
            self.left.spend_on_field(fields.len())?;
            self.left.spend_on_text(name.len())?;
            fields.entry(name).or_insert(Value::Null);
        }
        Ok(())
    }
}

/// A number of JSON: whole if it is and each such number has a Lua number of its own.
pub(super) fn whole_or_float(number: f64) -> Result<Value, Unfit> {
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT as f64 {
        return Ok(Value::from(number as i64));
    }
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(|| unfit(format!("is the number {number}, which is no JSON")))
}

fn unfit(reason: impl Into<String>) -> Unfit {
    Unfit::Value { path: String::new(), reason: reason.into() }
}

impl Unfit {
    fn below(self, step: &str) -> Self {
        match self {
            Self::Value { path, reason } => Self::Value { path: format!("{step}{path}"), reason },
            other => other,
        }
    }

    /// As what Lua raises.
    pub(super) fn raised(&self, what: &str, room: Room) -> mlua::Error {
        match self {
            Self::OutOfMemory => mlua::Error::MemoryError("not enough memory".to_owned()),
            other => mlua::Error::runtime(other.sentence(what, room.text)),
        }
    }

    /// As a sentence about `what`.
    pub(super) fn sentence(&self, what: &str, max_bytes: u64) -> String {
        match self {
            Self::Value { path, reason } if path.is_empty() => format!("{what} {reason}"),
            Self::Value { path, reason } => format!("{what} at `{}` {reason}", path.trim_start_matches('.')),
            Self::TooLarge => format!("{what} is larger than {max_bytes} bytes"),
            Self::OutOfMemory => format!("{what} needs too much memory"),
        }
    }
}
