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
use serde_json::{Number, Value};

use super::stack;

/// Deeper values are refused: a table that contains itself is endlessly deep.
pub(super) const MAX_DEPTH: usize = 128;

/// The largest whole number up to which every one is a Lua number: 2^53.
pub(super) const MAX_EXACT: u64 = 1 << 53;

/// The field of a marking metatable that says what its tables are.
pub(super) const KIND_FIELD: &str = "json";

/// The field of an object's metatable that lists its fields that were `null`.
pub(super) const NULLS_FIELD: &str = "nulls";

pub(super) const LIST: &str = "array";
pub(super) const OBJECT: &str = "object";

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
        stack::to_lua(lua, &self.list, &self.object, value)
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
    if is_exact(number) {
        Ok(LuaValue::Number(number.as_f64().unwrap_or(f64::NAN)))
    } else {
        lua.create_userdata(LargeInteger(number.clone())).map(LuaValue::UserData)
    }
}

/// Whether a number is one of Lua's: all are but whole ones beyond 2^53.
pub(super) fn is_exact(number: &Number) -> bool {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    magnitude.is_none_or(|magnitude| magnitude <= MAX_EXACT)
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

    use super::super::encode::{Room, Unfit, to_json, with_reasons};
    use super::*;

    const ROOM: Room = Room { text: 1000, memory: 100_000 };

    fn there_and_back(value: &Value) -> Result<Value, Unfit> {
        let lua = Lua::new();
        let marks = Marks::new(&lua).expect("there is memory");
        to_json(&lua, &marks.to_lua(&lua, value).expect("there is memory"), ROOM)
    }

    fn from_script(script: &str) -> Result<Value, String> {
        let lua = Lua::new();
        let value = lua.load(script).eval().expect("the script runs");
        to_json(&lua, &value, ROOM).map_err(|error| error.sentence("the output", 1000))
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
    fn plain_values_take_the_short_way_and_come_out_the_same() {
        let lua = Lua::new();
        let marks = Marks::new(&lua).expect("there is memory");
        for script in [
            "return {}",
            "return {1, -0.0, 2^53, 2^60, 0.5, 'ä', true, false, json_null, {}, {{}}, {a = {b = {}}}}",
            "return given",
            "given.list.late = nil given.object.new = given.list return given",
            "given.null = 1 given.list[4] = given.object return {given, given}",
        ] {
            let value = json!({"null": null, "list": [null, 1, {}], "object": {"a": null, "b": []}, "empty": {}});
            lua.globals().set("given", marks.to_lua(&lua, &value).expect("there is memory")).expect("there is memory");
            lua.globals().set("json_null", LuaValue::NULL).expect("there is memory");
            let table: Table = lua.load(script).eval().expect("the script runs");
            let short = stack::to_json(&lua, &table, ROOM).expect("it is plain");
            let long = with_reasons(&LuaValue::Table(table), ROOM).expect("it is plain");
            assert_eq!(short, long, "{script}");
        }
    }

    #[test]
    fn what_takes_too_much_room_has_no_short_way_either() {
        let lua = Lua::new();
        for script in ["return {('x'):rep(100)}", "return {a = {{1}}}", "return {1, 2, 3, 4, 5}"] {
            let table: Table = lua.load(script).eval().expect("the script runs");
            let needed = (0..10_000)
                .find(|&memory| with_reasons(&LuaValue::Table(table.clone()), Room { text: u64::MAX, memory }).is_ok());
            let memory = needed.expect("it needs less than 10,000 bytes");
            let short = |memory| stack::to_json(&lua, &table, Room { text: u64::MAX, memory });
            assert!(short(memory).is_some() && short(memory - 1).is_none(), "{script}");
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
        assert_eq!(to_json(&lua, &bomb, Room { text: u64::MAX, memory: 100_000 }), Err(Unfit::OutOfMemory));
    }
}
