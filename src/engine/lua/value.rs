//! JSON to Lua and back, without loss.
//!
//! - A list becomes a table with the elements at 1 to n, an object a table with its fields. Going back the shape decides; an empty
//!   table is what it was made as, and one that the script made itself (`{}`) is a list. `json_array()` and `json_object()`
//!   make marked empty tables.
//! - `null` is `nil`; in a list it is `json_null`, which keeps the places of the others. An object's fields that were `null` are
//!   remembered and come back, unless the script gave them a value.
//! - Whole numbers up to 2^53 are numbers. Larger ones become values that cannot be calculated with, but print, compare and come
//!   back as they were.

use mlua::{AnyUserData, Lua, MetaMethod, Table, UserData, UserDataMethods, Value as LuaValue};
use serde_json::{Map, Number, Value};

/// Deeper values are refused: a table that contains itself is endlessly deep.
pub(super) const MAX_DEPTH: usize = 128;

/// The largest whole number up to which every one is a Lua number: 2^53.
const MAX_EXACT: u64 = 1 << 53;

/// What any value takes as text: a digit and a comma. A table's brackets take as much again.
const VALUE_BYTES: usize = 2;

/// The field of a marking metatable that says what its tables are.
const KIND_FIELD: &str = "json";

/// The field of an object's metatable that lists its fields that were `null`.
const NULLS_FIELD: &str = "nulls";

const LIST: &str = "array";
const OBJECT: &str = "object";

/// The metatables that mark tables as lists and as objects.
#[derive(Clone)]
pub(super) struct Marks {
    list: Table,
    object: Table,
}

/// A whole number beyond 2^53.
#[derive(Clone, PartialEq)]
struct LargeInteger(Number);

impl UserData for LargeInteger {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.to_string()));
        methods.add_meta_function(MetaMethod::Eq, |_, (a, b): (AnyUserData, AnyUserData)| {
            Ok(matches!((a.borrow::<Self>(), b.borrow::<Self>()), (Ok(a), Ok(b)) if *a == *b))
        });
    }
}

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
}

impl Marks {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        let mark = |kind: &str| {
            let table = lua.create_table()?;
            table.raw_set(KIND_FIELD, kind)?;
            table.set_readonly(true);
            mlua::Result::Ok(table)
        };
        Ok(Self { list: mark(LIST)?, object: mark(OBJECT)? })
    }

    /// An empty table that is a list.
    pub(super) fn new_list(&self, lua: &Lua) -> mlua::Result<Table> {
        let table = lua.create_table()?;
        table.set_metatable(Some(self.list.clone()))?;
        Ok(table)
    }

    /// An empty table that is an object.
    pub(super) fn new_object(&self, lua: &Lua) -> mlua::Result<Table> {
        let table = lua.create_table()?;
        table.set_metatable(Some(self.object.clone()))?;
        Ok(table)
    }

    /// The Lua value of a JSON value.
    pub(super) fn to_lua(&self, lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
        Ok(match value {
            Value::Null => LuaValue::Nil,
            Value::Bool(value) => LuaValue::Boolean(*value),
            Value::Number(number) => number_to_lua(lua, number)?,
            Value::String(text) => LuaValue::String(lua.create_string(text)?),
            Value::Array(items) => LuaValue::Table(self.list_to_lua(lua, items)?),
            Value::Object(fields) => LuaValue::Table(self.object_to_lua(lua, fields)?),
        })
    }

    fn list_to_lua(&self, lua: &Lua, items: &[Value]) -> mlua::Result<Table> {
        let table = lua.create_table_with_capacity(items.len(), 0)?;
        for (at, item) in items.iter().enumerate() {
            let item = if item.is_null() { LuaValue::NULL } else { self.to_lua(lua, item)? };
            table.raw_seti(at + 1, item)?;
        }
        table.set_metatable(Some(self.list.clone()))?;
        Ok(table)
    }

    fn object_to_lua(&self, lua: &Lua, fields: &Map<String, Value>) -> mlua::Result<Table> {
        let table = lua.create_table_with_capacity(0, fields.len())?;
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            table.raw_set(name.as_str(), self.to_lua(lua, value)?)?;
        }
        let nulls: Vec<_> = fields.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.as_str()).collect();
        let metatable = if nulls.is_empty() { self.object.clone() } else { object_with_nulls(lua, &nulls)? };
        table.set_metatable(Some(metatable))?;
        Ok(table)
    }
}

fn object_with_nulls(lua: &Lua, nulls: &[&str]) -> mlua::Result<Table> {
    let metatable = lua.create_table()?;
    metatable.raw_set(KIND_FIELD, OBJECT)?;
    metatable.raw_set(NULLS_FIELD, lua.create_sequence_from(nulls.iter().copied())?)?;
    metatable.set_readonly(true);
    Ok(metatable)
}

fn number_to_lua(lua: &Lua, number: &Number) -> mlua::Result<LuaValue> {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    match magnitude {
        Some(magnitude) if magnitude > MAX_EXACT => {
            lua.create_userdata(LargeInteger(number.clone())).map(LuaValue::UserData)
        }
        _ => Ok(LuaValue::Number(number.as_f64().unwrap_or(f64::NAN))),
    }
}

/// The JSON value of a Lua value, with at most about `max_bytes` bytes as text.
pub(super) fn to_json(value: &LuaValue, max_bytes: u64) -> Result<Value, Unfit> {
    Reader { bytes_left: max_bytes, depth: 0 }.value(value)
}

/// JSON's name for what a Lua value is, or Lua's for what JSON does not have.
pub(super) fn type_of(value: &LuaValue) -> &'static str {
    match value {
        LuaValue::Nil => "null",
        value if value.is_null() => "null",
        LuaValue::Integer(_) | LuaValue::Number(_) => "number",
        LuaValue::UserData(data) if data.is::<LargeInteger>() => "number",
        LuaValue::Table(table) if table.raw_len() > 0 => LIST,
        LuaValue::Table(table) => match table.pairs::<LuaValue, LuaValue>().next() {
            Some(_) => OBJECT,
            None => kind_of_empty(table),
        },
        other => other.type_name(),
    }
}

fn kind_of_empty(table: &Table) -> &'static str {
    let kind = table.metatable().and_then(|metatable| metatable.raw_get::<String>(KIND_FIELD).ok());
    if kind.is_some_and(|kind| kind == OBJECT) { OBJECT } else { LIST }
}

struct Reader {
    bytes_left: u64,
    depth: usize,
}

impl Reader {
    fn value(&mut self, value: &LuaValue) -> Result<Value, Unfit> {
        self.spend(VALUE_BYTES)?;
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

    fn text(&mut self, text: &mlua::LuaString) -> Result<String, Unfit> {
        self.spend(text.as_bytes().len())?;
        let text = text.to_str().map_err(|_| unfit("is a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }

    fn table(&mut self, table: &Table) -> Result<Value, Unfit> {
        if self.depth == MAX_DEPTH {
            return Err(unfit(format!("is nested deeper than {MAX_DEPTH} levels, or contains itself")));
        }
        self.depth += 1;
        self.spend(VALUE_BYTES)?;
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
            self.spend(name.len())?;
            fields.entry(name).or_insert(Value::Null);
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.bytes_left = self.bytes_left.checked_sub(bytes as u64).ok_or(Unfit::TooLarge)?;
        Ok(())
    }
}

fn whole_or_float(number: f64) -> Result<Value, Unfit> {
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
            Self::TooLarge => Self::TooLarge,
        }
    }

    /// As a sentence about `what`.
    pub(super) fn sentence(&self, what: &str, max_bytes: u64) -> String {
        match self {
            Self::Value { path, reason } if path.is_empty() => format!("{what} {reason}"),
            Self::Value { path, reason } => format!("{what} at `{}` {reason}", path.trim_start_matches('.')),
            Self::TooLarge => format!("{what} is larger than {max_bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn there_and_back(value: &Value) -> Result<Value, Unfit> {
        let lua = Lua::new();
        let marks = Marks::new(&lua).expect("there is memory");
        to_json(&marks.to_lua(&lua, value).expect("there is memory"), 1000)
    }

    fn from_script(script: &str) -> Result<Value, String> {
        let lua = Lua::new();
        let value = lua.load(script).eval().expect("the script runs");
        to_json(&value, 1000).map_err(|error| error.sentence("the output", 1000))
    }

    #[test]
    fn every_json_value_comes_back_as_it_was() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([1, null, [], {}, [[]], {"a": []}]),
            json!({"a": null, "b": {"c": null}}),
            json!([9007199254740993u64, u64::MAX, i64::MIN, 9007199254740992u64, -1, 0.5, 1e300]),
            json!("ä\u{0}"),
        ] {
            assert_eq!(there_and_back(&value), Ok(value));
        }
    }

    #[test]
    fn a_table_is_a_list_or_an_object_by_its_shape() {
        assert_eq!(from_script("return {}"), Ok(json!([])));
        assert_eq!(from_script("return {1, 2.0, 2.5}"), Ok(json!([1, 2, 2.5])));
        assert_eq!(from_script("return {a = {b = true}}"), Ok(json!({"a": {"b": true}})));
    }

    #[test]
    fn what_json_does_not_have_is_refused_with_its_place() {
        let refused = |script| from_script(script).expect_err("it is no JSON");
        insta::assert_snapshot!(refused("return {items = {1, {f = print}}}"), @"the output at `items[2].f` is a function, which is no JSON");
        insta::assert_snapshot!(refused("return {1, 2, a = 3}"), @"the output has elements and named fields at once, which JSON does not have");
        insta::assert_snapshot!(refused("return {[7] = 1}"), @"the output has a key that is a number: list elements are numbered from 1 without gaps, other keys are texts");
        insta::assert_snapshot!(refused("return 0/0"), @"the output is the number NaN, which is no JSON");
        insta::assert_snapshot!(refused("return '\\255'"), @"the output is a text that is not UTF-8");
        insta::assert_snapshot!(refused("return {1, 2, nil, 4}"), @"the output has no element 3 of 4; `json_null` stands for a missing one");
        assert!(
            refused("local t = {} t.t = t return t").ends_with("is nested deeper than 128 levels, or contains itself")
        );
    }

    #[test]
    fn a_small_table_that_unfolds_to_gigabytes_is_refused() {
        let refused = from_script("local t = {1} for _ = 1, 40 do t = {t, t} end return t");
        assert_eq!(refused, Err("the output is larger than 1000 bytes".to_owned()));
    }
}
