//! A node's config with its templates compiled, ready to be rendered for each call.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::source::SourceText;
use super::template::{Reference, Scope, Template};
use super::value::{Kind, Yaml};
use crate::nodes::is_template;

/// A compiled config.
pub(super) struct Config {
    /// As written: templates are text still.
    pub written: Value,
    /// Rendered once and for all, when nothing in it is a template.
    constant: Option<Arc<Value>>,
    whole: Part,
    lazy: HashMap<String, Part>,
}

/// What was found while a config was compiled.
#[derive(Default)]
pub(super) struct Findings {
    /// Templates that do not compile: where, and why.
    pub errors: Vec<(Range<usize>, String)>,
    /// Nodes whose outputs the templates use, and where. `None` is one known only when the template is rendered.
    pub outputs: Vec<(Option<String>, Range<usize>)>,
    /// Environment variables that the templates name, and where.
    pub variables: Vec<(String, Range<usize>)>,
}

/// A template that could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("cannot render `config{path}`: {message}")]
pub(super) struct RenderError {
    path: String,
    message: String,
}

enum Part {
    Constant(Value),
    Template(Box<Template>),
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

/// How a schema wants the texts of a field to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Rendered,
    Raw,
    Lazy,
}

impl Config {
    /// Compiles a config as written.
    pub fn compile(tree: &Yaml, schema: Option<&Value>, source: &SourceText) -> (Self, Findings) {
        let mut compiler = Compiler { source, lazy: HashMap::new(), findings: Findings::default() };
        let whole = match &tree.kind {
            Kind::Null => Part::Constant(Value::Object(Map::new())),
            _ => compiler.part(tree, &schema.into_iter().collect::<Vec<_>>(), ""),
        };
        let constant = if let Part::Constant(value) = &whole { Some(Arc::new(value.clone())) } else { None };
        let written = if matches!(tree.kind, Kind::Null) { Value::Object(Map::new()) } else { tree.to_value() };
        (Self { written, constant, whole, lazy: compiler.lazy }, compiler.findings)
    }

    /// Whether it is the same for every call.
    pub fn is_constant(&self) -> bool {
        self.constant.is_some()
    }

    /// Renders every template that is not lazy.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Arc<Value>, RenderError> {
        match &self.constant {
            Some(constant) => Ok(Arc::clone(constant)),
            None => self.whole.render(scope).map(Arc::new).map_err(Unplaced::placed),
        }
    }

    /// Renders one lazy field.
    pub fn render_lazy(&self, pointer: &str, scope: &Scope<'_>) -> Result<Value, RenderError> {
        match self.lazy.get(pointer) {
            Some(part) => part.render(scope).map_err(|error| RenderError { path: dotted(pointer), ..error.placed() }),
            None => Ok(self.written.pointer(pointer).cloned().unwrap_or(Value::Null)),
        }
    }
}

/// An error whose path is collected on the way out, innermost first.
struct Unplaced {
    words: Vec<String>,
    message: String,
}

impl Unplaced {
    fn inside(mut self, word: impl ToString) -> Self {
        self.words.push(word.to_string());
        self
    }

    fn placed(self) -> RenderError {
        let path = self.words.iter().rev().map(|word| format!(".{word}")).collect();
        RenderError { path, message: self.message }
    }
}

fn dotted(pointer: &str) -> String {
    pointer.replace('/', ".")
}

impl Part {
    fn render(&self, scope: &Scope<'_>) -> Result<Value, Unplaced> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Template(template) => {
                template.render_value(scope).map_err(|error| Unplaced { words: Vec::new(), message: error.message })
            }
            Self::List(parts) => {
                let items = parts.iter().enumerate();
                items.map(|(index, part)| part.render(scope).map_err(|error| error.inside(index))).collect()
            }
            Self::Map(entries) => {
                let rendered = entries
                    .iter()
                    .map(|(key, part)| Ok((key.clone(), part.render(scope).map_err(|error| error.inside(key))?)));
                rendered.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }

    fn as_constant(&self) -> Option<&Value> {
        if let Self::Constant(value) = self { Some(value) } else { None }
    }
}

struct Compiler<'a> {
    source: &'a SourceText,
    lazy: HashMap<String, Part>,
    findings: Findings,
}

impl Compiler<'_> {
    fn part(&mut self, tree: &Yaml, schemas: &[&Value], pointer: &str) -> Part {
        match treatment(schemas) {
            Treatment::Raw => Part::Constant(tree.to_value()),
            Treatment::Lazy => {
                let part = self.rendered(tree, schemas, pointer);
                self.lazy.insert(pointer.to_owned(), part);
                Part::Constant(tree.to_value())
            }
            Treatment::Rendered => self.rendered(tree, schemas, pointer),
        }
    }

    fn rendered(&mut self, tree: &Yaml, schemas: &[&Value], pointer: &str) -> Part {
        match &tree.kind {
            Kind::Text(text) if is_template(text) => self.template(tree, text),
            Kind::List(items) => {
                let parts: Vec<Part> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.part(item, &of_item(schemas), &format!("{pointer}/{index}")))
                    .collect();
                match parts.iter().map(Part::as_constant).collect::<Option<Vec<_>>>() {
                    Some(values) => Part::Constant(values.into_iter().cloned().collect()),
                    None => Part::List(parts),
                }
            }
            Kind::Map(entries) => {
                let parts: Vec<(String, Part)> = entries
                    .iter()
                    .map(|(key, value)| {
                        let pointer = format!("{pointer}/{}", key.text.replace('~', "~0").replace('/', "~1"));
                        (key.text.clone(), self.part(value, &of_key(schemas, &key.text), &pointer))
                    })
                    .collect();
                let constant = |(key, part): &(String, Part)| Some((key.clone(), part.as_constant()?.clone()));
                match parts.iter().map(constant).collect::<Option<Map<_, _>>>() {
                    Some(values) => Part::Constant(Value::Object(values)),
                    None => Part::Map(parts),
                }
            }
            _ => Part::Constant(tree.to_value()),
        }
    }

    fn template(&mut self, tree: &Yaml, text: &str) -> Part {
        match Template::parse(text) {
            Ok(template) => {
                let references = template.output_references();
                if computes_a_name(text, references.len()) {
                    self.findings.outputs.push((None, tree.span.clone()));
                }
                let placed = |reference: Reference| {
                    let start = self.source.inside(&tree.span, text, reference.offset);
                    let end = start + reference.name.len() + 2;
                    (reference.name, start..end)
                };
                let outputs = references.into_iter().map(placed).map(|(name, span)| (Some(name), span));
                self.findings.outputs.extend(outputs);
                self.findings.variables.extend(template.variable_references().into_iter().map(placed));
                Part::Template(Box::new(template))
            }
            Err(error) => {
                let start = self.source.inside(&tree.span, text, error.offset);
                self.findings.errors.push((start..start + 1, error.message));
                Part::Constant(Value::Null)
            }
        }
    }
}

/// Whether a template may read an output whose name is known only when it is rendered: it says `output` more often
/// than it names a node. Too often is harmless, the outputs are then kept for nothing.
fn computes_a_name(text: &str, named: usize) -> bool {
    text.matches("output").count() > named
}

fn treatment(schemas: &[&Value]) -> Treatment {
    let marks = schemas.iter().filter_map(|schema| schema.get("x-pocket-template"));
    for mark in marks {
        match mark {
            Value::Bool(false) => return Treatment::Raw,
            Value::String(word) if word == "lazy" => return Treatment::Lazy,
            _ => {}
        }
    }
    Treatment::Rendered
}

/// The schemas that may apply to a list's items.
fn of_item<'a>(schemas: &[&'a Value]) -> Vec<&'a Value> {
    schemas.iter().filter_map(|schema| schema.get("items")).flat_map(alternatives).collect()
}

/// The schemas that may apply to a mapping's field.
fn of_key<'a>(schemas: &[&'a Value], key: &str) -> Vec<&'a Value> {
    let field = |schema: &'a Value| {
        schema.get("properties").and_then(|fields| fields.get(key)).or_else(|| schema.get("additionalProperties"))
    };
    schemas.iter().filter_map(|schema| field(schema)).flat_map(alternatives).collect()
}

/// A schema and those of which it is made.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let parts = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    std::iter::once(schema).chain(parts).collect()
}
