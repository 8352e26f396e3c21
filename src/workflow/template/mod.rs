//! The template language: Go's `text/template`, whole, over JSON values.
//!
//! Where Go gives an output, this gives the same, byte for byte, and an error of Go's is an error here in the same
//! [`Phase`]. Two things are better on purpose: numbers compare by value (`eq .n 5.0`), and a whole number of the data
//! never prints with an exponent. `docs/templates.md` is the reference for authors of workflows.
//!
//! A source goes through `lexer` and `parser` once; `eval` then walks the tree as often as wanted, calls `functions`
//! and prints with `format`. Data is only ever borrowed. A hostile template is stopped by [`Budgets`].
//!
//! ```
//! use pocket::workflow::template::{Budgets, NoSurroundings, Scope, Template};
//! use serde_json::{Map, Value, json};
//!
//! let dot = json!({"items": [{"name": "pen", "price": 2.5}]});
//! let variables = Map::from_iter([("user".to_owned(), json!("ann"))]);
//! let scope = Scope {
//!     dot: &dot,
//!     variables: &variables,
//!     input: &Value::Null,
//!     surroundings: &NoSurroundings,
//!     budgets: Budgets::default(),
//! };
//! let text = Template::parse("{{.user}}: {{range .items}}{{.name}} {{printf \"%.2f\" .price}}{{end}}")?;
//! assert_eq!(text.render_text(&scope)?, "ann: pen 2.50");
//! let whole = Template::parse("{{.items}}")?;
//! assert_eq!(whole.render_value(&scope)?, dot["items"]);
//! # Ok::<(), pocket::workflow::template::TemplateError>(())
//! ```

mod arena;
mod ast;
mod budget;
mod error;
mod eval;
mod format;
mod functions;
mod lexer;
mod literal;
mod parser;
mod references;
mod scope;
mod token;
mod unicode;
mod value;

#[cfg(test)]
mod tests;

use serde_json::Value;

use ast::{Node, Pipeline};
use parser::Parsed;

pub use error::{Phase, TemplateError};
pub use references::Reference;
pub use scope::{Budgets, NoSurroundings, Scope, Surroundings, Variables};

/// A parsed template, to be rendered as often as wanted.
#[derive(Debug, Clone)]
pub struct Template {
    source: Box<str>,
    parsed: Parsed,
}

impl Template {
    /// Parses a source. Functions and variables that do not exist are found here.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let parsed = parser::parse(source).map_err(|error| *error)?;
        Ok(Self { source: source.into(), parsed })
    }

    /// Whether the template is text alone, which renders to itself whatever the data.
    pub fn is_static(&self) -> bool {
        self.parsed.main.iter().all(|node| matches!(node, Node::Text(..)))
    }

    /// Renders to a value: that of the action, with its type, if the template is exactly one; else text.
    ///
    /// `"{{.items}}"` gives the list itself. Nothing, such as a missing field, is `null` here (in text it is
    /// `<no value>`). Space around the action makes it text, unless a trim marker takes it away; comments and definitions
    /// count for nothing.
    pub fn render_value(&self, scope: &Scope<'_>) -> Result<Value, TemplateError> {
        let Some(pipeline) = self.only_action() else {
            return self.render_text(scope).map(Value::String);
        };
        let value = eval::evaluate(&self.source, &self.parsed, pipeline, scope, |value| value.to_json());
        match value.map_err(|error| *error)? {
            Some(value) => Ok(value),
            // A complex number is no JSON.
            None => self.render_text(scope).map(Value::String),
        }
    }

    /// Renders to text.
    pub fn render_text(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        let bytes = eval::render_text(&self.source, &self.parsed, scope).map_err(|error| *error)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| value::to_text(error.as_bytes())))
    }

    /// The nodes whose output is used by a name in the source, `output "node"`, so that a plan can check them.
    pub fn output_references(&self) -> Vec<Reference> {
        references::find(&self.parsed, "output")
    }

    /// The environment variables that are read by a name in the source, `env "NAME"`.
    pub fn variable_references(&self) -> Vec<Reference> {
        references::find(&self.parsed, "env")
    }

    /// The action that is the whole template.
    fn only_action(&self) -> Option<&Pipeline> {
        match self.parsed.main.as_slice() {
            [Node::Action(pipeline)] if pipeline.variables.is_empty() => Some(pipeline),
            _ => None,
        }
    }
}
