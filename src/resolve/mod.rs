//! Which versions to install: cargo's rules, solved by `pubgrub`, explained in sentences.
//!
//! Pure: the world is [`RecordSource`], the rules are [`Request`]. Two calls with the same facts give the same answer, in
//! whatever order the facts stand.
//!
//! - One version per plugin and compatible range; several incompatible ones may stand beside each other, except native ones:
//!   one per plugin.
//! - The highest version first, a locked one before it.
//! - A version that breaks a rule is passed over, and the [`Reason`] is kept.

mod explain;
mod facts;
mod forced;
mod foresight;
mod index_set;
mod matching;
mod preferences;
mod remedy;
mod resolution;
mod solver;
mod source;
mod table;

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod crates;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sat;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use explain::Explanation;
pub use facts::{Fact, VersionList};
pub use foresight::Foresight;
pub use preferences::{DEFAULT_STEPS, Denials, Reason, Request};
pub use remedy::Remedy;
pub use resolution::{Chosen, PassedOver, Resolution};
pub use source::{
    Candidate, Details, Lookup, Necessity, Need, Origin, PackageName, PackageVersion, RecordSource, Records, Status,
    Unreadable,
};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResolveError {
    /// These plugins' records are needed; fetch them and ask again.
    #[error("the records of {} plugins are needed", .0.len())]
    NeedRecords(BTreeSet<PackageName>),
    /// No choice of versions meets every need.
    #[error("no choice of versions meets every need\n{0}")]
    NoSolution(Box<Explanation>),
    /// The search took too long.
    #[error("gave up after {steps} steps of looking for versions that fit together")]
    TooManySteps {
        /// The steps that were allowed.
        steps: u32,
    },
}

/// The rule that a version breaks, as far as its details tell: engine, targets, denied runtime and permissions.
pub fn rule_against(request: &Request, details: &Details) -> Option<Reason> {
    Reason::in_details(request, details)
}

/// Chooses a version for everything that `request` needs.
///
/// # Errors
/// [`ResolveError::NeedRecords`] as long as the source answers [`Lookup::Pending`] for a plugin that matters: all that are known
/// to matter at this point, so that the caller fetches them at once.
pub fn resolve(request: &Request, source: &dyn RecordSource) -> Result<Resolution, ResolveError> {
    solver::attempt(request, source).map_err(|error| match error {
        ResolveError::NoSolution(mut explanation) => {
            explanation.remedies = remedy::find(request, source, &explanation.facts);
            ResolveError::NoSolution(explanation)
        }
        other => other,
    })
}
