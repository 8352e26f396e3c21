//! Values while a template is evaluated: JSON by reference, and what Go has beyond JSON.

use std::rc::Rc;

use serde_json::{Map, Number, Value};

/// A value during evaluation. Cheap to clone: lists and maps are references, made texts are counted.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    /// Nothing at all: a missing key, or nil that went through a pipeline. A field of it is nothing again.
    Absent,
    /// The data's own `null`. Unlike of [`Val::Absent`], a field of it is an error, as in Go.
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number of the data above the largest `Int`.
    Uint(u64),
    /// A byte of a text, from `index`.
    Byte(u8),
    Float(f64, Origin),
    /// Real and imaginary part of a constant like `2i`.
    Complex(f64, f64),
    /// Bytes, because slicing a text may cut a character in two and joining mends it.
    Text(Text<'a>),
    List(List<'a>),
    Map(&'a Map<String, Value>),
}

/// Where a fraction comes from, which decides how a whole one is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Written in the template: `1e6` prints as Go prints it, `1e+06`.
    Literal,
    /// From data or computed: 1000000.0 is a whole number and prints as `1000000`.
    Data,
}

/// Bytes of a text.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a [u8]),
    Made(Rc<[u8]>),
}

impl Text<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Text::Borrowed(bytes) => bytes,
            Text::Made(bytes) => bytes,
        }
    }
}

/// A list, or a slice of one. As in Go, a slice remembers what follows it and can be sliced larger again.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// From the first element to the end of the capacity.
    pub(super) backing: &'a [Value],
    /// How many of them are elements.
    pub(super) len: usize,
}

impl<'a> List<'a> {
    pub(super) fn items(self) -> &'a [Value] {
        &self.backing[..self.len]
    }
}

impl<'a> Val<'a> {
    /// The data's value as it stands.
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Val::Null,
            Value::Bool(truth) => Val::Bool(*truth),
            Value::Number(number) => Val::of_number(number),
            Value::String(text) => Val::Text(Text::Borrowed(text.as_bytes())),
            Value::Array(items) => Val::List(List { backing: items, len: items.len() }),
            Value::Object(map) => Val::Map(map),
        }
    }

    fn of_number(number: &Number) -> Self {
        if let Some(int) = number.as_i64() {
            Val::Int(int)
        } else if let Some(uint) = number.as_u64() {
            Val::Uint(uint)
        } else {
            Val::Float(number.as_f64().unwrap_or(f64::INFINITY), Origin::Data)
        }
    }

    /// A text that was made.
    pub(super) fn text(text: impl AsRef<[u8]>) -> Self {
        Val::Text(Text::Made(text.as_ref().into()))
    }

    /// What a pipeline hands on: `null` is nothing.
    pub(super) fn settled(self) -> Self {
        match self {
            Val::Null => Val::Absent,
            other => other,
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Val::Absent | Val::Null)
    }

    /// Go's truth: not nil, not zero, not empty.
    pub(super) fn truth(&self) -> bool {
        match self {
            Val::Absent | Val::Null => false,
            Val::Bool(truth) => *truth,
            Val::Int(int) => *int != 0,
            Val::Uint(uint) => *uint != 0,
            Val::Byte(byte) => *byte != 0,
            Val::Float(float, _) => *float != 0.0,
            Val::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Val::Text(text) => !text.bytes().is_empty(),
            Val::List(list) => list.len > 0,
            Val::Map(map) => !map.is_empty(),
        }
    }

    /// The name Go has for the value's type; what `%T` prints.
    pub(super) fn go_type(&self) -> &'static str {
        match self {
            Val::Absent | Val::Null => "<nil>",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Uint(_) => "uint64",
            Val::Byte(_) => "uint8",
            Val::Float(..) => "float64",
            Val::Complex(..) => "complex128",
            Val::Text(_) => "string",
            Val::List(_) => "[]interface {}",
            Val::Map(_) => "map[string]interface {}",
        }
    }

    /// The value in words for an error message: what an author of a workflow calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Val::Absent | Val::Null => "null",
            Val::Bool(_) => "a boolean",
            Val::Int(_) | Val::Uint(_) | Val::Byte(_) => "a whole number",
            Val::Float(..) => "a fraction",
            Val::Complex(..) => "a complex number",
            Val::Text(_) => "a text",
            Val::List(_) => "a list",
            Val::Map(_) => "a map",
        }
    }

    /// The value as JSON; nothing is `null`, broken characters are replaced, a complex number is none.
    pub(super) fn to_json(&self) -> Option<Value> {
        Some(match self {
            Val::Absent | Val::Null => Value::Null,
            Val::Bool(truth) => Value::Bool(*truth),
            Val::Int(int) => Value::from(*int),
            Val::Uint(uint) => Value::from(*uint),
            Val::Byte(byte) => Value::from(*byte),
            Val::Float(float, _) => Value::from(*float),
            Val::Complex(..) => return None,
            Val::Text(text) => Value::String(to_text(text.bytes())),
            Val::List(list) => Value::Array(list.items().to_vec()),
            Val::Map(map) => Value::Object((*map).clone()),
        })
    }
}

/// Lists and maps are written as they lie in the data, without a copy.
impl serde::Serialize for Val<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Val::List(list) => list.items().serialize(serializer),
            Val::Map(map) => map.serialize(serializer),
            other => match other.to_json() {
                Some(value) => value.serialize(serializer),
                None => Err(serde::ser::Error::custom(format_args!("{} is no JSON", other.kind()))),
            },
        }
    }
}

/// The bytes as text. A byte that belongs to no character becomes U+FFFD, each of its own, as Go's conversions do it.
pub(super) fn to_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut text, chunk| {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            text
        }),
    }
}

/// The characters of possibly broken text with their bytes; a byte that belongs to none comes alone, as `None`.
pub(super) fn characters(bytes: &[u8]) -> impl Iterator<Item = (Option<char>, &[u8])> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let whole = valid.char_indices().map(move |(at, c)| (Some(c), &valid.as_bytes()[at..at + c.len_utf8()]));
        whole.chain(chunk.invalid().chunks(1).map(|byte| (None, byte)))
    })
}
