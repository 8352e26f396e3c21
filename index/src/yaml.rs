//! YAML with positions: what Pocket's hand-written files are read with, so that every complaint names line and column.
//!
//! The dialect is YAML 1.2's core with these walls: UTF-8 only, one document, no duplicate keys, no `<<` merge keys, no
//! tags but the standard ones, and the limits of [`MAX_DEPTH`], [`MAX_NODES`] and [`MAX_ALIASES`]. Only `true` and
//! `false` are booleans: `no` and `on` stay text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter, Spanned, UserMessageFormatter};

/// 64 levels. Real manifests stay under 15; recursion over a tree of this depth fits every stack.
pub const MAX_DEPTH: usize = 64;

/// 100,000 scalars, lists and mappings: a file of 1 MiB with ten bytes for each.
pub const MAX_NODES: usize = 100_000;

/// 1,000 aliases, with at most [`MAX_NODES`] repeated events together, so that nine lines cannot become a billion nodes.
pub const MAX_ALIASES: usize = 1_000;

/// Where something stands in a file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The beginning of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A text that is not YAML, or not within the limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", position.line, position.column)]
pub struct YamlError {
    /// Where it was noticed.
    pub position: Position,
    /// What is wrong.
    pub message: String,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub position: Position,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A finite number.
    Number(serde_json::Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file. No key stands twice.
    Mapping(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, as it is spelled in the file.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// What stands behind it.
    pub node: Node,
}

/// Reads one document.
///
/// # Errors
/// Names the place where the text stops being YAML of this dialect.
pub fn parse(text: &[u8]) -> Result<Node, YamlError> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let position = position_after(&text[..error.valid_up_to()]);
        YamlError { position, message: "the file is not UTF-8".to_owned() }
    })?;
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| YamlError {
        position: error.location().and_then(known).unwrap_or(Position::START),
        message: explain(&error),
    })
}

impl Node {
    /// The same value without positions.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.clone().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Mapping(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json()));
                serde_json::Value::Object(fields.collect())
            }
        }
    }

    /// What it is, in a word for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Boolean(boolean) => format!("the boolean `{boolean}`"),
            Value::Number(number) => format!("the number `{number}`"),
            Value::Text(text) => format!("the text `{}`", text.escape_debug()),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

fn options() -> serde_saphyr::Options {
    let alias_limits = serde_saphyr::alias_limits! {
        max_total_replayed_events: MAX_NODES,
    };
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_documents: 1,
        },
        alias_limits: alias_limits,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// The common mistakes in Pocket's words, the rest in the parser's.
fn explain(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => twice(key),
        Error::MergeKeyNotAllowed { .. } => "merge keys (`<<`) are not read: write the fields out".to_owned(),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => format!("nested deeper than {MAX_DEPTH} levels"),
        Error::Budget { breach: BudgetBreach::Nodes { .. }, .. } => format!("more than {MAX_NODES} values"),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            "a second document (`---`) is not read: one file holds one".to_owned()
        }
        Error::AliasReplayLimitExceeded { .. } => format!("the aliases repeat more than {MAX_NODES} values"),
        Error::AliasError { error, .. } => explain(error),
        other => {
            let text = UserMessageFormatter.format_message(other);
            text.lines().next().unwrap_or("not YAML").chars().filter(|c| !c.is_control()).collect()
        }
    }
}

fn twice(key: &str) -> String {
    format!("the key `{}` stands twice", key.escape_debug())
}

fn known(location: serde_saphyr::Location) -> Option<Position> {
    let place = |number: u64| usize::try_from(number).ok().filter(|number| *number > 0);
    Some(Position { line: place(location.line())?, column: place(location.column())? })
}

fn position_after(valid: &[u8]) -> Position {
    let last_line = valid.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Position {
        line: valid.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: String::from_utf8_lossy(last_line).chars().count() + 1,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let position = known(spanned.referenced).or_else(|| known(spanned.defined)).unwrap_or(Position::START);
        Ok(Self { value: spanned.value, position })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, number, boolean, list or mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = fields.next_key::<Spanned<String>>()? {
            let position = known(key.referenced).unwrap_or(Position::START);
            // `1` and `"1"` are two keys to YAML and one key to every reader of the result.
            if !seen.insert(key.value.clone()) {
                return Err(A::Error::custom(twice(&key.value)));
            }
            entries.push(Entry { key: key.value, position, node: fields.next_value()? });
        }
        Ok(Value::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn every_value_knows_where_it_stands() {
        let root = parse(b"name: x\nnodes:\n  - type: y\n    list: [1, 2.5, true, null, no]\n").expect("it is YAML");
        let Value::Mapping(fields) = &root.value else { panic!("{root:?}") };
        assert_eq!(fields[1].position, Position { line: 2, column: 1 });
        let Value::List(nodes) = &fields[1].node.value else { panic!("{root:?}") };
        let Value::Mapping(node) = &nodes[0].value else { panic!("{root:?}") };
        assert_eq!(node[0].node.position, Position { line: 3, column: 11 });
        assert_eq!(node[1].node.to_json(), serde_json::json!([1, 2.5, true, null, "no"]));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        insta::assert_snapshot!(refusal("a: 1\nb: 2\na: 3\n"), @"line 3, column 1: the key `a` stands twice");
        insta::assert_snapshot!(refusal("1: a\n\"1\": b\n"), @"line 1, column 1: the key `1` stands twice");
        insta::assert_snapshot!(refusal("a: 1\n---\nb: 2\n"), @"line 2, column 1: a second document (`---`) is not read: one file holds one");
        insta::assert_snapshot!(refusal("a: &x {b: 1}\nc:\n  <<: *x\n"), @"line 3, column 3: merge keys (`<<`) are not read: write the fields out");
        insta::assert_snapshot!(refusal("a: !exec rm\n"), @"line 1, column 10: unsupported tag `!exec`");
        insta::assert_snapshot!(refusal("a: .nan\n"), @"line 1, column 4: value `.nan` is not a finite number");
        insta::assert_snapshot!(refusal("a: [1, 2\n"), @"line 1, column 4: unclosed bracket '['");
        insta::assert_snapshot!(refusal("a: *nowhere\n"), @"line 1, column 4: reference to unknown value");
        insta::assert_snapshot!(parse(b"a: 1\nb: \xff\n").expect_err("not UTF-8"), @"line 2, column 4: the file is not UTF-8");
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        insta::assert_snapshot!(refusal(&laughs), @"line 6, column 10: the aliases repeat more than 100000 values");
        insta::assert_snapshot!(refusal(&("[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1))), @"line 1, column 65: nested deeper than 64 levels");
        insta::assert_snapshot!(refusal(&"- ".repeat(10_000)), @"line 1, column 129: nested deeper than 64 levels");
        insta::assert_snapshot!(refusal(&format!("[{}]", "1,".repeat(MAX_NODES + 1))), @"line 1, column 200000: more than 100000 values");
        insta::assert_snapshot!(refusal("a: &a [*a]\n"), @"line 1, column 8: Recursive reference not allowed here");
    }
}
