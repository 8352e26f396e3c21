//! A YAML document as a tree in which every value knows its place in the file.

mod plain;
mod refused;
mod suspicious;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use smol_str::SmolStr;

use super::problem::{Problem, Severity};
use super::source::SourceText;
use refused::error_text;

pub use suspicious::suspicious;

/// The largest workflow file: 16 MiB. Ten thousand nodes take about one.
pub const MAX_BYTES: usize = 16 << 20;
/// How deep values nest at most: 64. Real workflows stay under 12; the reader recurses.
const MAX_DEPTH: usize = 64;

/// How many values a file may have: a million. A hundred thousand nodes have that many.
const MAX_VALUES: usize = 1_000_000;
/// How many anchors there may be, and how many aliases and merge keys.
const MAX_ANCHORS: usize = 50_000;
const MAX_ALIASES: usize = 10_000;
/// How many values aliases may bring in: 50,000. Ten thousand nodes that share their settings stay below it.
const MAX_REPLAYED: usize = 50_000;

/// A value with its place in the file, in bytes.
#[derive(Debug, Clone)]
pub struct Yaml {
    /// Where it stands.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`; `yes` and `on` are text.
    Bool(bool),
    /// A number; whole numbers stay whole.
    Number(Number),
    /// Text, decoded.
    Text(SmolStr),
    /// A list.
    List(Vec<Yaml>),
    /// A mapping, in the order of the file.
    Map(Vec<(Key, Yaml)>),
}

/// A mapping's key with its place.
#[derive(Debug, Clone)]
pub struct Key {
    /// Where it stands.
    pub span: Range<usize>,
    /// Its text.
    pub text: SmolStr,
}

/// Reads one YAML or JSON document; runaway anchors and depth are refused.
pub fn parse(source: &Arc<SourceText>) -> Result<Yaml, Box<Problem>> {
    let text = source.text();
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, a workflow has at most {MAX_BYTES}", text.len());
        return Err(Box::new(Problem::new(Severity::Error, source, 0..0, message)));
    }
    plain::read(text).map_or_else(|| parse_in_full(source), Ok)
}

/// Reads any document, and says what is wrong with one.
fn parse_in_full(source: &Arc<SourceText>) -> Result<Yaml, Box<Problem>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_VALUES,
            max_events: 3 * MAX_VALUES,
            max_anchors: MAX_ANCHORS,
            max_aliases: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_recorded_anchor_events: MAX_REPLAYED,
            // One anchor used by every node is fine: what it costs is counted below.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        // All of them are found at once, by `suspicious`.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(source.text(), options).map_err(|error| {
        let start = error.location().map_or(0, |place| {
            place
                .span()
                .byte_offset()
                .map_or_else(|| source.offset(place.line() as usize, place.column() as usize), |offset| offset as usize)
        });
        let (message, help) = error_text(&error);
        Box::new(Problem::new(Severity::Error, source, start..start, message).help(help))
    })
}

impl Yaml {
    /// The value without its places.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.to_string()),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(_) => Value::Object(self.to_map()),
        }
    }

    /// The mapping without its places; empty when it is none.
    pub fn to_map(&self) -> Map<String, Value> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().map(|(key, value)| (key.text.to_string(), value.to_value())).collect(),
            _ => Map::new(),
        }
    }

    /// The value under a mapping's key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(found, _)| found.text == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes the value under a mapping's key out of it; nothing stands there then.
    pub fn take(&mut self, key: &str) -> Option<Self> {
        match &mut self.kind {
            Kind::Map(entries) => {
                let (_, value) = entries.iter_mut().find(|(found, _)| found.text == key)?;
                Some(Self { span: value.span.clone(), kind: std::mem::replace(&mut value.kind, Kind::Null) })
            }
            _ => None,
        }
    }

    /// The place of the value a JSON pointer names, or of the nearest one around it.
    pub fn place(&self, pointer: &str) -> Range<usize> {
        self.deepest(pointer).span.clone()
    }

    /// The value a JSON pointer names, or the nearest one around it.
    pub fn deepest(&self, pointer: &str) -> &Self {
        let mut at = self;
        for word in pointer.split('/').skip(1) {
            let word = word.replace("~1", "/").replace("~0", "~");
            let next = match &at.kind {
                Kind::List(items) => word.parse().ok().and_then(|index: usize| items.get(index)),
                _ => at.get(&word),
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    /// The place of a mapping's key, or of the mapping when it has no such key.
    pub fn key_place(&self, pointer: &str, key: &str) -> Range<usize> {
        let around = self.deepest(pointer);
        match &around.kind {
            Kind::Map(entries) => {
                let found = entries.iter().find(|(found, _)| found.text == key);
                found.map_or_else(|| around.head(), |(found, _)| found.span.clone())
            }
            _ => around.head(),
        }
    }

    /// Where it begins: a block mapping has no mark of its own, so its first key.
    pub fn head(&self) -> Range<usize> {
        match &self.kind {
            Kind::Map(entries) => entries.first().map_or(self.span.clone(), |(key, _)| key.span.clone()),
            Kind::List(items) => items.first().map_or(self.span.clone(), |item| self.span.start..item.span.end),
            _ => self.span.clone(),
        }
    }

    /// What a message calls it: `text "abc"`, `a list`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("`{value}`"),
            Kind::Number(number) => format!("the number `{number}`"),
            Kind::Text(text) if text.len() <= 60 && !text.contains('\n') => format!("the text `{text}`"),
            Kind::Text(_) => "a text".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        let place = spanned.defined.span();
        let start = place.byte_offset().unwrap_or_default() as usize;
        let length = place.byte_len().unwrap_or_default() as usize;
        Ok(Self { span: start..start + length, kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Kind, E> {
        Number::from_i128(value).map(Kind::Number).ok_or_else(|| E::custom(format!("`{value}` is out of range")))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Kind, E> {
        Number::from_u128(value).map(Kind::Number).ok_or_else(|| E::custom(format!("`{value}` is out of range")))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Kind, E> {
        Number::from_f64(value).map(Kind::Number).ok_or_else(|| E::custom(format!("`{value}` is no JSON number")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Yaml, Yaml>()? {
            let text = match key.kind {
                Kind::Text(text) => text,
                Kind::Number(number) => number.to_string().into(),
                Kind::Bool(value) => value.to_string().into(),
                Kind::Null => SmolStr::new_static("null"),
                Kind::List(_) | Kind::Map(_) => return Err(A::Error::custom("a key must be text")),
            };
            entries.push((Key { span: key.span, text }, value));
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Arc<SourceText>, Result<Yaml, Box<Problem>>) {
        let source = Arc::new(SourceText::new("w.yaml", text));
        let tree = parse(&source);
        (source, tree)
    }

    #[test]
    fn every_value_keeps_its_place_and_type() {
        let (source, tree) = read("a: [1, 2.5, \"5\"]\nb:\n  c: |\n    two\n    lines\n  d: yes\n");
        let tree = tree.unwrap();
        assert_eq!(tree.to_value(), serde_json::json!({"a": [1, 2.5, "5"], "b": {"c": "two\nlines\n", "d": "yes"}}));
        assert_eq!(&source.text()[tree.place("/a/1")], "2.5");
        assert_eq!(&source.text()[tree.place("/b/d")], "yes");
        assert!(source.text()[tree.place("/b/c")].starts_with("two\n    lines"));
        assert_eq!(&source.text()[tree.place("/a/2")], "\"5\"");
    }

    #[test]
    fn json_is_read_like_yaml() {
        let (_, tree) = read("{\n\t\"a\": {\"b\": [true, null, \"x\\u00e9\"]}\n}\n");
        assert_eq!(tree.unwrap().to_value(), serde_json::json!({"a": {"b": [true, null, "xé"]}}));
    }

    #[test]
    fn explosive_anchors_and_depth_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", alias.trim_end_matches(", ")));
        }
        assert_eq!(read(&bomb).1.unwrap_err().message, "anchors and aliases bring in more than 50000 values");
        assert!(read(&"[".repeat(5_000)).1.is_err());
        assert!(read("a: &a [*a]\n").1.is_err());
    }
}
