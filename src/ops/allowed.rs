//! What workflows may use here that is not theirs, from the user's file and the project's.

use std::sync::Arc;

use super::Workspace;
use super::networks::private_networks;
use crate::nodes::Allowed;
use crate::project::{Allowance, Security};

/// What both files allow; where only one says something, what that one does.
pub fn allowed(workspace: &Workspace) -> Arc<Allowed> {
    let programs = said(workspace, |security| security.allow_exec.as_ref());
    let variables = said(workspace, |security| security.allow_env.as_ref());
    let allowed = Allowed::default()
        .with_programs(move |program| covered(&programs, program))
        .with_variables(move |variable| covered(&variables, variable))
        .with_private_networks(private_networks(workspace));
    Arc::new(allowed)
}

fn said(workspace: &Workspace, key: impl Fn(&Security) -> Option<&Allowance>) -> Vec<Allowance> {
    workspace.files().iter().filter_map(|(file, _)| key(&file.plugins.security).cloned()).collect()
}

/// A project cannot widen what the user narrows. Where nobody says anything nothing is covered.
fn covered(said: &[Allowance], name: &str) -> bool {
    !said.is_empty() && said.iter().all(|allowance| allowance.covers(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_file_lists_the_other_can_only_narrow() {
        let list = |names: &[&str]| Allowance::Listed(names.iter().map(|name| (*name).to_owned()).collect());
        let both = [list(&["git", "jq"]), list(&["git", "rm"])];
        assert_eq!(["git", "jq", "rm"].map(|name| covered(&both, name)), [true, false, false]);
        assert!(covered(&[Allowance::Any], "rm"));
        assert!(!covered(&[Allowance::NOTHING, Allowance::Any], "rm"));
        assert!(!covered(&[], "git"));
    }
}
