//! What nodes that run others hand down to them: where they stand, and what belongs to the run around them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Where a node inside a node comes from.
#[derive(Clone)]
pub struct Lineage {
    path: String,
    key: String,
    handed: Arc<dyn Any + Send + Sync>,
}

/// Which part of a node's work something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// The one of that name.
    Named(&'a str),
    /// The one of that number, counted from 0.
    Numbered(usize),
}

impl Lineage {
    /// Of a node at this path (`outer/inner`), in a step with this key. What is handed down is opened by the room that runs
    /// workflows alone.
    pub fn new(path: String, key: String, handed: Arc<dyn Any + Send + Sync>) -> Self {
        Self { path, key, handed }
    }

    /// For a part of the node's work.
    #[must_use]
    pub fn part(&self, part: Part<'_>) -> Self {
        let (path, key) = (format!("{}{part}", self.path), format!("{}{part}", self.key));
        Self { path, key, handed: Arc::clone(&self.handed) }
    }

    /// The names of the nodes around it, as events show them: `each[3]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What tells it from every other part of the run: `12.1[3]`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the run around it hands down.
    pub fn handed<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.handed).downcast().ok()
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lineage").field("path", &self.path).field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "/{name}"),
            Self::Numbered(number) => write!(f, "[{number}]"),
        }
    }
}
