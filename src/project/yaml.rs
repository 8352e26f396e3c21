//! YAML in which every key and value knows its place, so that an error can name it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// Something in `pocket.yaml` that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ManifestError {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// What is wrong, with the key, what was found and what was expected.
    pub message: String,
}

impl ManifestError {
    pub(super) fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> Self {
        Self { line: place.referenced.line(), column: place.referenced.column(), message: message.into() }
    }
}

/// A value with its place.
pub(super) type Located = Spanned<Yaml>;

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Located>),
    Map(Vec<(Spanned<String>, Located)>),
}

/// Reads a file; none if nothing but comments is in it.
pub(super) fn parse(text: &str) -> Result<Option<Located>, ManifestError> {
    if is_blank(text) {
        return Ok(None);
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let read = serde_saphyr::from_str_with_options::<Located>(text, options);
    let root = read.map_err(|error| {
        let location = error.location().unwrap_or(serde_saphyr::Location::UNKNOWN);
        let (line, column) = (location.line().max(1), location.column().max(1));
        ManifestError { line, column, message: message(error.without_snippet()) }
    })?;
    Ok(if root.value == Yaml::Null { None } else { Some(root) })
}

/// What the parser says, without the place, which stands before it, and without its own advice.
fn message(error: &serde_saphyr::Error) -> String {
    if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error {
        return format!("the key `{}` is here a second time", key.escape_debug());
    }
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).trim_end().to_owned()
}

/// Whether a text holds nothing but comments, blank lines and document marks.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with('#') || line == "---" || line == "...")
}

impl Yaml {
    fn kind(&self) -> &'static str {
        match self {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Number(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// The same without places.
    pub fn to_json(&self) -> Value {
        match self {
            Yaml::Null => Value::Null,
            Yaml::Bool(is) => Value::Bool(*is),
            Yaml::Number(number) => Value::Number(number.clone()),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Yaml::Map(entries) => {
                entries.iter().map(|(key, value)| (key.value.clone(), value.value.to_json())).collect()
            }
        }
    }
}

/// A value on its way into a type: what it is called, and the value itself.
pub(super) struct Field<'y> {
    /// `plugins.dependencies.geo`.
    pub path: String,
    pub node: &'y Located,
}

impl<'y> Field<'y> {
    pub fn error(&self, message: impl fmt::Display) -> ManifestError {
        ManifestError::at(self.node, format!("`{}`: {message}", self.path))
    }

    fn wrong_kind(&self, expected: &str) -> ManifestError {
        self.error(format!("expected {expected}, found {}", self.node.value.kind()))
    }

    /// The entries of a mapping; none where nothing stands.
    pub fn entries(&self) -> Result<Vec<(&'y Spanned<String>, Field<'y>)>, ManifestError> {
        match &self.node.value {
            Yaml::Null => Ok(Vec::new()),
            Yaml::Map(entries) => Ok(entries.iter().map(|(key, node)| (key, self.child(&key.value, node))).collect()),
            _ => Err(self.wrong_kind("a mapping")),
        }
    }

    fn child(&self, key: &str, node: &'y Located) -> Field<'y> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Field { path, node }
    }

    /// A mapping whose keys are all among `known`.
    pub fn keys(&self, known: &[&str]) -> Result<BTreeMap<&'y str, Field<'y>>, ManifestError> {
        let mut fields = BTreeMap::new();
        for (key, field) in self.entries()? {
            if !known.contains(&key.value.as_str()) {
                return Err(ManifestError::at(key, self.unknown_key(&key.value, known)));
            }
            fields.insert(key.value.as_str(), field);
        }
        Ok(fields)
    }

    fn unknown_key(&self, key: &str, known: &[&str]) -> String {
        let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
        let near = known.iter().filter(|name| strsim::damerau_levenshtein(name, key) <= 2);
        match near.min_by_key(|name| strsim::damerau_levenshtein(name, key)) {
            Some(near) => format!("unknown key `{}`{place}; did you mean `{near}`?", key.escape_debug()),
            None => format!("unknown key `{}`{place}; known are {}", key.escape_debug(), list(known)),
        }
    }

    /// A mapping from names to values.
    pub fn named<K, V>(
        &self,
        read: impl Fn(&Field<'y>) -> Result<V, ManifestError>,
    ) -> Result<BTreeMap<K, V>, ManifestError>
    where
        K: FromStr + Ord,
        K::Err: fmt::Display,
    {
        let entry = |(key, field): (&Spanned<String>, Field<'y>)| {
            let name = key
                .value
                .parse()
                .map_err(|error: K::Err| ManifestError::at(key, format!("`{}`: {error}", self.path)))?;
            Ok((name, read(&field)?))
        };
        self.entries()?.into_iter().map(entry).collect()
    }

    pub fn list<V>(&self, read: impl Fn(&Field<'y>) -> Result<V, ManifestError>) -> Result<Vec<V>, ManifestError> {
        match &self.node.value {
            Yaml::Null => Ok(Vec::new()),
            Yaml::List(items) => {
                let item = |(number, node)| read(&Field { path: format!("{}[{number}]", self.path), node });
                items.iter().enumerate().map(item).collect()
            }
            _ => Err(self.wrong_kind("a list")),
        }
    }

    pub fn text(&self) -> Result<&'y str, ManifestError> {
        match &self.node.value {
            Yaml::Text(text) if !text.is_empty() => Ok(text),
            Yaml::Text(_) => Err(self.error("expected text, found an empty one")),
            _ => Err(self.wrong_kind("text")),
        }
    }

    pub fn flag(&self) -> Result<bool, ManifestError> {
        match &self.node.value {
            Yaml::Bool(is) => Ok(*is),
            _ => Err(self.wrong_kind("true or false")),
        }
    }

    /// A text of a type of its own. A number such as `1.2` counts as its text.
    pub fn parsed<V>(&self) -> Result<V, ManifestError>
    where
        V: FromStr,
        V::Err: fmt::Display,
    {
        let parse = |text: &str| {
            text.parse().map_err(|error: V::Err| self.error(format!("`{}`: {error}", text.escape_debug())))
        };
        match &self.node.value {
            Yaml::Number(number) => parse(&number.to_string()),
            _ => parse(self.text()?),
        }
    }

    /// One of a few words.
    pub fn word<V: Copy>(&self, words: &[(&str, V)]) -> Result<V, ManifestError> {
        let text = self.text()?;
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.ok_or_else(|| self.error(format!("`{}` is not one of {}", text.escape_debug(), list(&known))))
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Yaml;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_none<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
                Yaml::deserialize(deserializer)
            }

            fn visit_bool<E>(self, is: bool) -> Result<Yaml, E> {
                Ok(Yaml::Bool(is))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Yaml, E> {
                Ok(Yaml::Number(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Yaml, E> {
                Ok(Yaml::Number(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Yaml, E> {
                Ok(Number::from_f64(number).map_or(Yaml::Null, Yaml::Number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
                Ok(Yaml::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Yaml::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Yaml::Map(map))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
