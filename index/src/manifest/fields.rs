//! Reading fields out of positioned YAML, so that every complaint knows its place and its path.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use super::{MAX_LINE_BYTES, MAX_WORD_BYTES, MAX_WORDS, ManifestError};
use crate::permissions::is_plain;
use crate::yaml::{Entry, Node, Position, Value};

/// A value with the path that leads to it.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

/// A mapping whose keys are looked up one by one; what is left over at the end is unknown.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    path: String,
    position: Position,
    entries: Vec<&'a Entry>,
}

impl<'a> Field<'a> {
    /// A complaint about this value.
    pub(super) fn error(&self, message: impl Display) -> ManifestError {
        error_at(self.node.position, &self.path, message)
    }

    fn expected(&self, expected: impl Display) -> ManifestError {
        self.error(format_args!("expected {expected}, found {}", self.node.describe()))
    }

    /// A text as it stands.
    pub(super) fn text(&self) -> Result<&'a str, ManifestError> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            Value::Number(_) | Value::Boolean(_) => {
                Err(self.error(format_args!("expected a text, found {}; write it in quotes", self.node.describe())))
            }
            _ => Err(self.expected("a text")),
        }
    }

    /// A text that means something else to its type.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self) -> Result<T, ManifestError> {
        self.text()?.parse().map_err(|error| self.error(error))
    }

    /// A text for one line of a terminal: white space between words becomes one space, and none is at the ends.
    pub(super) fn line(&self) -> Result<String, ManifestError> {
        let line = self.text()?.split_whitespace().collect::<Vec<_>>().join(" ");
        if !is_plain(&line) {
            return Err(self.error("control characters and direction marks are not allowed"));
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(self.error(format_args!("{} bytes, at most {MAX_LINE_BYTES} are allowed", line.len())));
        }
        Ok(line)
    }

    /// A list of short texts.
    pub(super) fn words(&self) -> Result<Vec<String>, ManifestError> {
        let items = self.list()?;
        if items.len() > MAX_WORDS {
            return Err(self.error(format_args!("{} items, at most {MAX_WORDS} are allowed", items.len())));
        }
        items.iter().map(Field::word).collect()
    }

    fn word(&self) -> Result<String, ManifestError> {
        let word = self.line()?;
        if word.is_empty() || word.len() > MAX_WORD_BYTES {
            return Err(self.error(format_args!("expected 1 to {MAX_WORD_BYTES} bytes, found {}", word.len())));
        }
        Ok(word)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, ManifestError> {
        match self.node.value {
            Value::Boolean(boolean) => Ok(boolean),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    /// A list's items.
    pub(super) fn list(&self) -> Result<Vec<Field<'a>>, ManifestError> {
        let Value::List(items) = &self.node.value else { return Err(self.expected("a list")) };
        let item = |(index, node)| Field { path: format!("{}[{index}]", self.path), node };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A mapping's values with their keys, whatever those are. A complaint about a key is about its value's place.
    pub(super) fn mapping(&self) -> Result<Vec<(&'a str, Field<'a>)>, ManifestError> {
        let Value::Mapping(entries) = &self.node.value else { return Err(self.expected("a mapping")) };
        let value =
            |entry: &'a Entry| (entry.key.as_str(), Field { path: join(&self.path, &entry.key), node: &entry.node });
        Ok(entries.iter().map(value).collect())
    }

    /// A mapping with known keys.
    pub(super) fn fields(&self) -> Result<Fields<'a>, ManifestError> {
        let Value::Mapping(entries) = &self.node.value else { return Err(self.expected("a mapping")) };
        Ok(Fields { path: self.path.clone(), position: self.node.position, entries: entries.iter().collect() })
    }
}

impl<'a> Fields<'a> {
    /// The value of a key, if it is there and not null.
    pub(super) fn take(&mut self, key: &str) -> Option<Field<'a>> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(index);
        let field = Field { path: join(&self.path, key), node: &entry.node };
        (entry.node.value != Value::Null).then_some(field)
    }

    /// The value of a key that must be there.
    pub(super) fn require(&mut self, key: &str, expected: &str) -> Result<Field<'a>, ManifestError> {
        let missing = error_at(self.position, &join(&self.path, key), format_args!("missing; expected {expected}"));
        self.take(key).ok_or(missing)
    }

    /// A line of text, if it is there.
    pub(super) fn line(&mut self, key: &str) -> Result<Option<String>, ManifestError> {
        self.take(key).map(|field| field.line()).transpose()
    }

    /// `true` or `false`; absent means `false`.
    pub(super) fn boolean(&mut self, key: &str) -> Result<bool, ManifestError> {
        self.take(key).map_or(Ok(false), |field| field.boolean())
    }

    /// Puts what was never asked for to the unknown fields.
    pub(super) fn keep_rest(self, unknown: &mut BTreeMap<String, serde_json::Value>) {
        for entry in self.entries {
            unknown.insert(join(&self.path, &entry.key), entry.node.to_json());
        }
    }

    /// Refuses what was never asked for.
    pub(super) fn refuse_rest(self, expected: &str) -> Result<(), ManifestError> {
        match self.entries.first() {
            Some(entry) => {
                Err(error_at(entry.position, &join(&self.path, &entry.key), format_args!("expected {expected}")))
            }
            None => Ok(()),
        }
    }
}

pub(super) fn error_at(position: Position, field: &str, message: impl Display) -> ManifestError {
    ManifestError {
        line: position.line,
        column: position.column,
        field: field.to_owned(),
        message: message.to_string(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
