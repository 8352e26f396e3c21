//! What a template sees while it is rendered, and how much it may use.

use std::time::SystemTime;

use serde_json::{Map, Value};

/// Everything a template reaches beyond its data: outputs of other nodes, the environment, clock and randomness.
///
/// The run gives the real ones; a test gives fixed ones, so that `now` and `uuid` can be promised.
pub trait Surroundings {
    /// The output of the node that ran under this name, if it has one.
    fn output(&self, node: &str) -> Option<&Value>;

    /// The environment variable, or the sentence that says why it cannot be read.
    fn env(&self, name: &str) -> Result<String, String>;

    /// The time `now` gives.
    fn now(&self) -> SystemTime;

    /// Sixteen random bytes, for `uuid`.
    fn random(&self) -> [u8; 16];
}

/// No outputs, no environment, the first second of 1970 and zeros for randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSurroundings;

impl Surroundings for NoSurroundings {
    fn output(&self, _node: &str) -> Option<&Value> {
        None
    }

    fn env(&self, name: &str) -> Result<String, String> {
        Err(format!("environment variable `{name}` cannot be read here"))
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }
}

/// Where a field is looked up that the root dot does not have.
pub trait Variables {
    /// The variable of that name.
    fn get(&self, name: &str) -> Option<&Value>;
}

impl Variables for Map<String, Value> {
    fn get(&self, name: &str) -> Option<&Value> {
        Map::get(self, name)
    }
}

/// The data of one rendering.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The root dot: `.` and `$` of the template.
    pub dot: &'a Value,
    /// Where a field that the root dot does not have is looked up.
    pub variables: &'a dyn Variables,
    /// The run's input: `{{input}}`.
    pub input: &'a Value,
    /// Outputs of other nodes, environment, clock and randomness.
    pub surroundings: &'a dyn Surroundings,
    /// How much the rendering may use.
    pub budgets: Budgets,
}

/// How much one rendering may use; each is an error that names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes of text a rendering may give.
    pub output_bytes: usize,
    /// Actions, commands, iterations and list elements looked at.
    pub steps: u64,
    /// Bytes of all values that functions make on the way, in sum.
    pub scratch_bytes: usize,
    /// `{{template}}` calls inside each other.
    pub call_depth: usize,
}

impl Default for Budgets {
    /// 16 MiB of output (a node's output cap), 10 million steps (a second or two), 256 MiB of intermediate values and
    /// 100 calls (real templates stay below 10; a runaway recursion ends before it costs anything).
    fn default() -> Self {
        Self { output_bytes: 16 << 20, steps: 10_000_000, scratch_bytes: 256 << 20, call_depth: 100 }
    }
}
