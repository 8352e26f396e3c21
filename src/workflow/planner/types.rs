//! Node types: who provides them, each looked up once however many nodes are of it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::Planner;
use crate::nodes::{BuiltIn, Node, built_in, built_ins};
use crate::workflow::catalog::{Found, PluginNode};
use crate::workflow::document::At;
use crate::workflow::near::nearest;
use crate::workflow::promised::promised;
use crate::workflow::schema::Checker;

/// The node types that were asked for in a document; none for those that nobody has. Its bodies know them too.
#[derive(Clone, Default)]
pub(in crate::workflow) struct Types(Rc<RefCell<HashMap<String, Option<Arc<Resolved>>>>>);

impl Types {
    /// The plugins that provide them.
    pub(super) fn plugins(&self) -> BTreeSet<String> {
        self.0.borrow().values().flatten().filter_map(|found| found.plugin.clone()).collect()
    }
}

/// A node type that was found.
pub(super) struct Resolved {
    pub node_type: Arc<str>,
    pub plugin: Option<String>,
    pub description: Arc<str>,
    pub permissions: Vec<String>,
    pub schema: Option<Value>,
    pub checker: Option<Arc<Checker>>,
    pub maker: Maker,
}

/// What makes nodes of a type.
pub(super) enum Maker {
    BuiltIn(&'static BuiltIn),
    Plugin(Arc<dyn Node>),
}

/// Why a node type cannot be used: what is wrong, and what to do next.
type Refusal = (String, Option<String>);

/// The next step when a manifest is wrong.
const MANIFEST: &str = "this is a mistake in the plugin's manifest";

impl Planner<'_> {
    pub(super) fn resolve(&mut self, wanted: &At<String>) -> Option<Arc<Resolved>> {
        let known = self.types.0.borrow().get(&wanted.value).cloned();
        if let Some(known) = known {
            if known.is_none() {
                self.refuse(wanted);
            }
            return known;
        }
        let found = match self.find(&wanted.value) {
            Ok(found) => Some(Arc::new(found)),
            Err((message, help)) => {
                self.error(&wanted.span, message, help);
                None
            }
        };
        self.types.0.borrow_mut().insert(wanted.value.clone(), found.clone());
        found
    }

    /// Says of another node too that there is no such type.
    fn refuse(&mut self, wanted: &At<String>) {
        // Beyond those that are told it is only counted.
        let found = if self.problems.is_full() { Err((String::new(), None)) } else { self.find(&wanted.value) };
        if let Err((message, help)) = found {
            self.error(&wanted.span, message, help);
        }
    }

    fn find(&self, wanted: &str) -> Result<Resolved, Refusal> {
        if let Some(found) = built_in(wanted) {
            let schema = (found.schema)();
            return Ok(Resolved {
                node_type: found.node_type.into(),
                plugin: None,
                description: found.description.into(),
                permissions: Vec::new(),
                checker: Some(Arc::new(Checker::of_draft7(schema.clone()).map_err(|reason| broken(wanted, &reason))?)),
                schema: Some(schema),
                maker: Maker::BuiltIn(found),
            });
        }
        match self.catalog.find(wanted) {
            Found::Plugin(found) => of_plugin(wanted, found),
            Found::Several(full_names) => {
                let names: Vec<String> = full_names.iter().map(|name| format!("`{name}`")).collect();
                let help = format!("name the plugin too: {}", names.join(" or "));
                Err((format!("several plugins provide the node type `{wanted}`"), Some(help)))
            }
            Found::Nothing => Err((format!("there is no node type `{wanted}`"), Some(self.help_with_type(wanted)))),
        }
    }

    fn help_with_type(&self, wanted: &str) -> String {
        let names = self.catalog.names();
        let known = names.iter().map(String::as_str).chain(built_ins().map(|built_in| built_in.node_type));
        let near = nearest(wanted, known).map(|near| format!("did you mean `{near}`?"));
        match (near, self.catalog.provider_hint(wanted)) {
            (Some(near), Some(hint)) => format!("{near} Or {hint}"),
            (near, hint) => near.or(hint).unwrap_or_else(|| {
                let types: Vec<&str> = built_ins().map(|built_in| built_in.node_type).collect();
                format!(
                    "built-in types: {}; others come with plugins: `pocket plugin search {wanted}`",
                    types.join(", ")
                )
            }),
        }
    }
}

fn of_plugin(wanted: &str, found: PluginNode) -> Result<Resolved, Refusal> {
    let node = promised(&found).map_err(|message| (message, Some(MANIFEST.to_owned())))?;
    let checker = found.schema.clone().map(Checker::new).transpose().map_err(|reason| broken(wanted, &reason))?;
    Ok(Resolved {
        node_type: found.node_type.into(),
        plugin: Some(found.plugin),
        description: found.description.into(),
        permissions: found.permissions,
        schema: found.schema,
        checker: checker.map(Arc::new),
        maker: Maker::Plugin(node),
    })
}

fn broken(wanted: &str, reason: &str) -> Refusal {
    (format!("the config schema of `{wanted}` is broken: {reason}"), Some(MANIFEST.to_owned()))
}
