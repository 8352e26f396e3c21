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
pub(super) const MAX_EXACT: u64 = 1 << 53;

/// The field of a marking metatable that says what its tables are.
const KIND_FIELD: &str = "json";

/// The field of an object's metatable that lists its fields that were `null`.
pub(super) const NULLS_FIELD: &str = "nulls";

pub(super) const LIST: &str = "array";
const OBJECT: &str = "object";

/// The metatables that mark tables as lists and as objects.
#[derive(Clone)]
pub(super) struct Marks {
    list: Table,
    object: Table,
}

/// A whole number beyond 2^53.
#[derive(Clone, PartialEq)]
pub(super) struct LargeInteger(pub(super) Number);

impl UserData for LargeInteger {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.to_string()));
        methods.add_meta_function(MetaMethod::Eq, |_, (a, b): (AnyUserData, AnyUserData)| {
            Ok(matches!((a.borrow::<Self>(), b.borrow::<Self>()), (Ok(a), Ok(b)) if *a == *b))
        });
    }
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
        table.set_metatable(Some(self.object.clone()))?;
        self.remember_nulls(lua, &table, &nulls)?;
        Ok(table)
    }

    /// Marks an object as one whose fields of these names were `null`.
    pub(super) fn remember_nulls<S: AsRef<str>>(&self, lua: &Lua, object: &Table, nulls: &[S]) -> mlua::Result<()> {
        if nulls.is_empty() {
            return Ok(());
        }
        let metatable = lua.create_table()?;
        metatable.raw_set(KIND_FIELD, OBJECT)?;
        metatable.raw_set(NULLS_FIELD, lua.create_sequence_from(nulls.iter().map(AsRef::as_ref))?)?;
        metatable.set_readonly(true);
        object.set_metatable(Some(metatable))
    }
}

/// The Lua value of a number: one that is whole and beyond 2^53 keeps its digits.
pub(super) fn number_to_lua(lua: &Lua, number: &Number) -> mlua::Result<LuaValue> {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    match magnitude {
        Some(magnitude) if magnitude > MAX_EXACT => {
            lua.create_userdata(LargeInteger(number.clone())).map(LuaValue::UserData)
        }
        _ => Ok(LuaValue::Number(number.as_f64().unwrap_or(f64::NAN))),
    }
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

pub(super) fn kind_of_empty(table: &Table) -> &'static str {
    let kind = table.metatable().and_then(|metatable| metatable.raw_get::<String>(KIND_FIELD).ok());
    if kind.is_some_and(|kind| kind == OBJECT) { OBJECT } else { LIST }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::encode::{Room, Unfit, to_json};
    use super::*;

    const ROOM: Room = Room { text: 1000, memory: 100_000 };

    fn there_and_back(value: &Value) -> Result<Value, Unfit> {
        let lua = Lua::new();
        let marks = Marks::new(&lua).expect("there is memory");
        to_json(&marks.to_lua(&lua, value).expect("there is memory"), ROOM)
    }

    fn from_script(script: &str) -> Result<Value, String> {
        let lua = Lua::new();
        let value = lua.load(script).eval().expect("the script runs");
        to_json(&value, ROOM).map_err(|error| error.sentence("the output", 1000))
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
        let bomb = "local t = {1} for _ = 1, 40 do t = {t, t} end return t";
        assert_eq!(from_script(bomb), Err("the output is larger than 1000 bytes".to_owned()));
        let lua = Lua::new();
        let bomb: LuaValue = lua.load(bomb).eval().expect("the script runs");
        assert_eq!(to_json(&bomb, Room { text: u64::MAX, memory: 100_000 }), Err(Unfit::OutOfMemory));
    }
}
