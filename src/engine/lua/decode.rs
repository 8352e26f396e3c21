//! JSON text straight to Lua values, so that what a script decodes counts as the script's memory and as nobody else's.

use std::cell::Cell;
use std::fmt;

use mlua::{Lua, LuaString, Value as LuaValue};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::value::{self, Marks};

/// The Lua value of a JSON text.
pub(super) fn decode(lua: &Lua, marks: &Marks, text: &LuaString) -> mlua::Result<LuaValue> {
    let failed = Cell::new(None);
    let place = Place { lua, marks, failed: &failed };
    let text = text.as_bytes();
    let mut json = serde_json::Deserializer::from_slice(&text);
    let decoded = place.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match (decoded, failed.take()) {
        (Ok(value), _) => Ok(value),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(mlua::Error::runtime(format!("json_decode: {error}"))),
    }
}

/// Where a value is made.
#[derive(Clone, Copy)]
struct Place<'a> {
    lua: &'a Lua,
    marks: &'a Marks,
    /// What Lua found wrong; the reader of JSON keeps only texts of errors.
    failed: &'a Cell<Option<mlua::Error>>,
}

impl Place<'_> {
    fn made<T, E: Error>(self, made: mlua::Result<T>) -> Result<T, E> {
        made.map_err(|error| {
            let told = E::custom(&error);
            self.failed.set(Some(error));
            told
        })
    }

    fn number<E: Error>(self, number: &Number) -> Result<LuaValue, E> {
        self.made(value::number_to_lua(self.lua, number))
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = LuaValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<LuaValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = LuaValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<LuaValue, E> {
        Ok(LuaValue::Nil)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<LuaValue, E> {
        Ok(LuaValue::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<LuaValue, E> {
        self.number(&value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<LuaValue, E> {
        self.number(&value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<LuaValue, E> {
        Ok(LuaValue::Number(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<LuaValue, E> {
        self.made(self.lua.create_string(text)).map(LuaValue::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<LuaValue, A::Error> {
        let list = self.made(self.marks.new_list(self.lua))?;
        let mut length = 0;
        while let Some(item) = items.next_element_seed(self)? {
            length += 1;
            let item = if item.is_nil() { LuaValue::NULL } else { item };
            self.made(list.raw_seti(length, item))?;
        }
        Ok(LuaValue::Table(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<LuaValue, A::Error> {
        let object = self.made(self.marks.new_object(self.lua))?;
        let mut nulls = Vec::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self)?;
            self.made(object.raw_set(name.as_str(), &value))?;
            if value.is_nil() {
                nulls.push(name);
            }
        }
        self.made(self.marks.remember_nulls(self.lua, &object, &nulls))?;
        Ok(LuaValue::Table(object))
    }
}
