//! A node's config with its templates compiled, ready to be rendered for each call.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::source::SourceText;
use super::template::{Reference, Scope, Template};
use super::value::{Key, Kind, Yaml};
use crate::nodes::is_template;

/// A compiled config.
pub(super) struct Config {
    /// As written: templates are text still.
    written: Written,
    /// What is rendered for each call; none where nothing is a template.
    rendered: Option<Box<Part>>,
    /// Lazy fields by their pointers, in the order of these.
    lazy: Box<[(String, Part)]>,
}

/// A config as it stands in the document, which takes a fraction of the memory that it takes as a value. Most nodes run once,
/// and give the value away; one that runs again keeps it.
struct Written {
    tree: Arc<Yaml>,
    kept: OnceLock<Arc<Value>>,
    was_made: AtomicBool,
}

impl Written {
    fn new(tree: &Arc<Yaml>) -> Self {
        Self { tree: Arc::clone(tree), kept: OnceLock::new(), was_made: AtomicBool::new(false) }
    }

    fn make(&self) -> Value {
        if matches!(self.tree.kind, Kind::Null) { Value::Object(Map::new()) } else { self.tree.to_value() }
    }

    fn get(&self) -> Arc<Value> {
        if let Some(kept) = self.kept.get() {
            return Arc::clone(kept);
        }
        if self.was_made.swap(true, Ordering::Relaxed) {
            return Arc::clone(self.kept.get_or_init(|| Arc::new(self.make())));
        }
        Arc::new(self.make())
    }
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
    pub fn compile(tree: &Arc<Yaml>, schema: Option<&Value>, source: &SourceText) -> (Self, Findings) {
        let mut compiler = Compiler { source, lazy: Vec::new(), findings: Findings::default() };
        let schemas: Schemas<'_> = schema.into_iter().collect();
        let rendered = if has_template(tree) { compiler.part(tree, &schemas, &Path::Root) } else { None };
        compiler.lazy.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let lazy = compiler.lazy.into_boxed_slice();
        (Self { written: Written::new(tree), rendered: rendered.map(Box::new), lazy }, compiler.findings)
    }

    /// As written: templates are text still.
    pub fn written(&self) -> Value {
        self.written.make()
    }

    /// Whether it is the same for every call.
    pub fn is_constant(&self) -> bool {
        self.rendered.is_none()
    }

    /// Renders every template that is not lazy.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Arc<Value>, RenderError> {
        match &self.rendered {
            Some(part) => part.render(scope).map(Arc::new).map_err(Unplaced::placed),
            None => Ok(self.written.get()),
        }
    }

    /// Renders one lazy field.
    pub fn render_lazy(&self, pointer: &str, scope: &Scope<'_>) -> Result<Value, RenderError> {
        match self.lazy.binary_search_by(|(known, _)| known.as_str().cmp(pointer)) {
            Ok(place) => self.lazy[place]
                .1
                .render(scope)
                .map_err(|error| RenderError { path: dotted(pointer), ..error.placed() }),
            Err(_) => Ok(self.written.get().pointer(pointer).cloned().unwrap_or(Value::Null)),
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

    /// A part among others: what has nothing to render is as it is written.
    fn or_written(part: Option<Self>, tree: &Yaml) -> Self {
        part.unwrap_or_else(|| Self::Constant(tree.to_value()))
    }
}

struct Compiler<'a> {
    source: &'a SourceText,
    lazy: Vec<(String, Part)>,
    findings: Findings,
}

/// The schemas that may apply to a value.
type Schemas<'a> = SmallVec<[&'a Value; 4]>;

/// The way to a part, which few parts need as a pointer.
enum Path<'a> {
    Root,
    Index(&'a Path<'a>, usize),
    Key(&'a Path<'a>, &'a str),
}

impl Path<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Index(above, index) => format!("{}/{index}", above.pointer()),
            Self::Key(above, key) => format!("{}/{}", above.pointer(), key.replace('~', "~0").replace('/', "~1")),
        }
    }
}

impl Compiler<'_> {
    /// What is to be rendered of a part; none if it is as it is written.
    fn part(&mut self, tree: &Yaml, schemas: &[&Value], path: &Path<'_>) -> Option<Part> {
        match treatment(schemas) {
            Treatment::Raw => None,
            Treatment::Lazy => {
                if let Some(part) = self.rendered(tree, schemas, path) {
                    self.lazy.push((path.pointer(), part));
                }
                None
            }
            Treatment::Rendered => self.rendered(tree, schemas, path),
        }
    }

    fn rendered(&mut self, tree: &Yaml, schemas: &[&Value], path: &Path<'_>) -> Option<Part> {
        match &tree.kind {
            Kind::Text(text) if is_template(text) => self.template(tree, text),
            Kind::List(items) => {
                let parts = items.iter().enumerate();
                let parts = parts.map(|(index, item)| self.part(item, &of_item(schemas), &Path::Index(path, index)));
                let parts: Vec<Option<Part>> = parts.collect();
                let whole = |(part, item): (Option<Part>, &Yaml)| Part::or_written(part, item);
                parts.iter().any(Option::is_some).then(|| Part::List(parts.into_iter().zip(items).map(whole).collect()))
            }
            Kind::Map(entries) => {
                let parts = entries
                    .iter()
                    .map(|(key, value)| self.part(value, &of_key(schemas, &key.text), &Path::Key(path, &key.text)));
                let parts: Vec<Option<Part>> = parts.collect();
                let named = |(part, (key, value)): (Option<Part>, &(Key, Yaml))| {
                    (key.text.to_string(), Part::or_written(part, value))
                };
                parts
                    .iter()
                    .any(Option::is_some)
                    .then(|| Part::Map(parts.into_iter().zip(entries).map(named).collect()))
            }
            _ => None,
        }
    }

    fn template(&mut self, tree: &Yaml, text: &str) -> Option<Part> {
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
                Some(Part::Template(Box::new(template)))
            }
            Err(error) => {
                let start = self.source.inside(&tree.span, text, error.offset);
                self.findings.errors.push((start..start + 1, error.message));
                None
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
fn of_item<'a>(schemas: &[&'a Value]) -> Schemas<'a> {
    schemas.iter().filter_map(|schema| schema.get("items")).flat_map(alternatives).collect()
}

/// The schemas that may apply to a mapping's field.
fn of_key<'a>(schemas: &[&'a Value], key: &str) -> Schemas<'a> {
    let field = |schema: &'a Value| {
        schema.get("properties").and_then(|fields| fields.get(key)).or_else(|| schema.get("additionalProperties"))
    };
    schemas.iter().filter_map(|schema| field(schema)).flat_map(alternatives).collect()
}

/// A schema and those of which it is made.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let parts = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    std::iter::once(schema).chain(parts)
}

/// Whether there is anything in it to compile.
fn has_template(tree: &Yaml) -> bool {
    match &tree.kind {
        Kind::Text(text) => is_template(text),
        Kind::List(items) => items.iter().any(has_template),
        Kind::Map(entries) => entries.iter().any(|(_, value)| has_template(value)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workflow::value::parse;

    #[test]
    fn a_config_without_templates_is_kept_once_its_node_runs_again() {
        let source = Arc::new(SourceText::new("w.yaml", "{message: [1, two], more: {a: ~}}"));
        let tree = Arc::new(parse(&source).unwrap());
        let (config, _) = Config::compile(&tree, None, &source);
        assert!(config.is_constant());
        let calls = [(); 4].map(|()| config.written.get());
        assert!(calls.iter().all(|call| **call == json!({"message": [1, "two"], "more": {"a": null}})));
        assert_eq!(Arc::strong_count(&calls[0]), 1);
        assert!(Arc::ptr_eq(&calls[1], &calls[2]) && Arc::ptr_eq(&calls[2], &calls[3]));
    }
}
