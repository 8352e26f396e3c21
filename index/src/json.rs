//! JSON that every reader understands alike.
//!
//! Parsers differ on an object with the same key twice: some take the first value, some the last. What is signed must not
//! mean two things, so such texts are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// 64 levels. Real events have 4; parsers without a limit of their own would run out of stack.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Refuses a text that is not one JSON value, repeats a key in an object or nests deeper than [`MAX_DEPTH`].
pub(crate) fn check_strict(text: &str) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    Strict { depth: 0 }.deserialize(&mut parser)?;
    parser.end()
}

/// Reads a strict text that is one object.
pub(crate) fn parse_object<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, serde_json::Error> {
    check_strict(text)?;
    serde_json::from_str(text).map(|Object(value)| value)
}

/// A struct that stands in JSON as an object. What `serde` derives takes a list of the fields' values as well, so that a text would
/// mean something here and nothing to readers that go by the format specification.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// A field whose value is an object, for `deserialize_with`.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// The same for an object or null.
pub(crate) fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// The same for a list of objects.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(deserializer)?.into_iter().map(|Object(value)| value).collect())
}

/// The same for an object of objects.
pub(crate) fn object_of_objects<'de, D, K, T>(deserializer: D) -> Result<BTreeMap<K, T>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    T: Deserialize<'de>,
{
    let objects = BTreeMap::<K, Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|(key, Object(value))| (key, value)).collect())
}

#[derive(Clone, Copy)]
struct Strict {
    depth: u32,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested more than {MAX_DEPTH} deep")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(inner)?;
            if let Some(key) = seen.replace(key) {
                return Err(A::Error::custom(format_args!("the key `{}` stands twice", key.escape_debug())));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(check_strict(r#"{"a":1,"b":[{"a":2}],"c":{"a":null}}"#).is_ok());
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            let error = check_strict(bad).expect_err("`a` stands twice");
            assert!(error.to_string().contains("the key `a` stands twice"), "{error}");
        }
    }

    #[test]
    fn a_list_is_not_taken_for_an_object() {
        #[derive(Debug, serde::Deserialize)]
        struct One {
            #[expect(dead_code, reason = "it is read, and that is all")]
            field: u8,
        }
        assert!(parse_object::<One>(r#"{"field":1}"#).is_ok());
        let error = parse_object::<One>("[1]").expect_err("a list is no object");
        assert_eq!(error.to_string(), "invalid type: sequence, expected a JSON object at line 1 column 0");
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_ends() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check_strict(&nested(64)).is_ok());
        assert!(check_strict(&nested(65)).is_err());
        assert!(check_strict(&nested(100_000)).is_err());
    }

    #[test]
    fn a_second_value_is_refused() {
        assert!(check_strict("{} {}").is_err());
    }
}
