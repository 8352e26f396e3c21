//! Which records a resolution will probably need, found without solving anything.

use std::collections::HashSet;

use super::preferences::{Reason, Request, is_locked};
use super::source::{Candidate, Details, Lookup, Necessity, Need, PackageName, RecordSource};

/// Follows the needs of the versions that will probably be chosen: of each plugin the locked version, else the highest
/// that no rule passes over. It is often right and never matters: the solver asks for whatever was not foreseen. But the
/// solver starts anew after each fetch, and this does not.
#[derive(Debug, Default)]
pub struct Foresight {
    /// Needs whose plugin was not fetched when they were met.
    waiting: Vec<Need>,
    met: HashSet<(PackageName, String)>,
}

impl Foresight {
    /// Starts from what the project needs.
    pub fn new(request: &Request) -> Self {
        Self { waiting: request.roots.clone(), met: HashSet::new() }
    }

    /// The needs whose plugins' records come next. Fetch them and ask again; none is the end.
    pub fn advance(&mut self, request: &Request, source: &dyn RecordSource) -> &[Need] {
        let mut open = std::mem::take(&mut self.waiting);
        while let Some(need) = open.pop() {
            match source.candidates(&need.package) {
                Lookup::Missing => {}
                Lookup::Pending => self.waiting.push(need),
                Lookup::Known(_) => {
                    let Some(details) = likely(request, source, &need) else { continue };
                    let required = details.dependencies.iter().filter(|need| need.necessity == Necessity::Required);
                    let new =
                        required.filter(|need| self.met.insert((need.package.clone(), need.requirement.to_string())));
                    open.extend(new.cloned());
                }
            }
        }
        &self.waiting
    }
}

/// The version that will probably meet a need.
fn likely<'s>(request: &Request, source: &'s dyn RecordSource, need: &Need) -> Option<&'s Details> {
    let Lookup::Known(candidates) = source.candidates(&need.package) else { return None };
    let rank = |candidate: &Candidate| is_locked(request, &need.package, &candidate.version);
    let open = candidates.iter().enumerate().filter(|(_, candidate)| {
        need.requirement.matches(&candidate.version)
            && Reason::at_first_sight(request, &need.package, candidate).is_none()
    });
    let mut open: Vec<_> = open.map(|(position, candidate)| (rank(candidate), &candidate.version, position)).collect();
    // Nearly always the first one will do, so the others are not put in order.
    while let Some(place) = (0..open.len()).max_by_key(|&place| open[place]) {
        let (.., position) = open.swap_remove(place);
        let details = source.details(&need.package, position).ok();
        if let Some(details) = details.filter(|details| Reason::in_details(request, details).is_none()) {
            return Some(details);
        }
    }
    None
}
