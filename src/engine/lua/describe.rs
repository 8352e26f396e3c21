//! What a single `.lua` file says of itself: leading comments stand for a manifest.
//!
//! ```lua
//! -- @name: word-count
//! -- @version: 1.2.0
//! -- @description: Counts words
//! -- @node: count-words
//! ```

use pocket_index::name::{NodeType, PluginName};
use semver::Version;

/// What leading comments say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `@name`, or the file's stem.
    pub name: PluginName,
    /// `@version`, or 0.0.0.
    pub version: Version,
    /// `@description`, or nothing.
    pub description: String,
    /// Every `@node` (several in one line are separated by commas), or one of the plugin's name.
    pub nodes: Vec<NodeType>,
}

/// Why leading comments do not describe a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `@{field}`: {reason}")]
pub struct DescribeError {
    /// Counted from 1; 0 when the file's stem is at fault.
    pub line: usize,
    /// Which field.
    pub field: &'static str,
    /// What is wrong with its value.
    pub reason: String,
}

/// Reads the leading comments of `source`; `stem` is the file's name without `.lua`.
pub fn describe(source: &str, stem: &str) -> Result<Description, DescribeError> {
    let (mut name, mut version, mut description, mut nodes) = (None, None, None, Vec::new());
    let comments = source.lines().enumerate().take_while(|(_, line)| is_leading(line));
    for (at, line) in comments {
        let line_number = at + 1;
        let error = |field, reason: String| DescribeError { line: line_number, field, reason };
        let Some((field, value)) = annotation(line) else { continue };
        match field {
            "name" => {
                name = Some(value.parse().map_err(|e: pocket_index::name::NameError| error("name", e.to_string()))?)
            }
            "version" => version = Some(value.parse().map_err(|e: semver::Error| error("version", e.to_string()))?),
            "description" => description = Some(value.to_owned()),
            "node" | "nodes" => {
                for node in value.split(',').map(str::trim).filter(|node| !node.is_empty()) {
                    let node = node.parse::<NodeType>().map_err(|e| error("node", e.to_string()))?;
                    if !nodes.contains(&node) {
                        nodes.push(node);
                    }
                }
            }
            _ => {}
        }
    }
    let of_stem = |reason: String| DescribeError { line: 0, field: "name", reason };
    let name: PluginName = match name {
        Some(name) => name,
        None => stem.replace('_', "-").to_lowercase().parse().map_err(|e| of_stem(format!("{e}")))?,
    };
    if nodes.is_empty() {
        nodes.push(name.as_str().parse().expect("every plugin name has the shape of a node type"));
    }
    let version = version.unwrap_or(Version::new(0, 0, 0));
    Ok(Description { name, version, description: description.unwrap_or_default(), nodes })
}

fn is_leading(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with("--") || line.starts_with("#!")
}

/// The field and value of `-- @field: value`.
fn annotation(line: &str) -> Option<(&str, &str)> {
    let (field, value) = line.trim_start().strip_prefix("--")?.trim_start().strip_prefix('@')?.split_once(':')?;
    Some((field.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_comments_stand_for_a_manifest() {
        let source = "-- @name: word-count\n--@version: 1.2.0\n-- A comment.\n\n-- @node: count-words, count_lines\nlocal x = 1\n-- @name: other\n";
        let found = describe(source, "ignored").expect("it is well-formed");
        assert_eq!((found.name.as_str(), found.version), ("word-count", Version::new(1, 2, 0)));
        let nodes: Vec<_> = found.nodes.iter().map(NodeType::as_str).collect();
        assert_eq!(nodes, ["count-words", "count_lines"]);
    }

    #[test]
    fn without_comments_the_files_stem_names_plugin_and_node() {
        let found = describe("return input", "word_count").expect("the stem is a name");
        assert_eq!((found.name.as_str(), found.nodes[0].as_str()), ("word-count", "word-count"));
    }

    #[test]
    fn a_wrong_value_is_an_error_with_its_line() {
        let error = describe("-- @name: a\n-- @version: one", "a").expect_err("`one` is no version");
        assert_eq!((error.line, error.field), (2, "version"));
    }
}
