//! What workflows may use here that is not theirs, from the user's file and the project's.

use std::sync::Arc;

use super::Workspace;
use super::networks::private_networks;
use crate::nodes::Allowed;
use crate::project::{Allowance, Security};
use crate::workflow::journal::Secret;

/// What both files allow; where only one says something, what that one does.
pub fn allowed(workspace: &Workspace) -> Arc<Allowed> {
    let programs = said(workspace, |security| security.allow_exec.clone().map(|listed| vec![listed]));
    let variables = said(workspace, variables);
    let allowed = Allowed::default()
        .with_programs(move |program| covered(&programs, program))
        .with_variables(move |variable| covered(&variables, variable))
        .with_private_networks(private_networks(workspace));
    Arc::new(allowed)
}

/// The secrets among the environment variables that templates may read.
pub fn secrets(workspace: &Workspace, allowed: &Allowed) -> Vec<Secret> {
    let listed: Vec<Allowance> =
        workspace.files().iter().filter_map(|(file, _)| file.plugins.security.secret_env.clone()).collect();
    if listed.is_empty() {
        return Vec::new();
    }
    let variables =
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let secret = variables.filter(|(name, _)| listed.iter().any(|entry| entry.covers(name)) && allowed.may_read(name));
    secret.map(|(name, text)| Secret { name: format!("env.{name}"), text }).collect()
}

/// What a file says of variables: secret ones may be read as well.
fn variables(security: &Security) -> Option<Vec<Allowance>> {
    let said: Vec<Allowance> = [&security.allow_env, &security.secret_env].into_iter().flatten().cloned().collect();
    if said.is_empty() { None } else { Some(said) }
}

/// What each file says, if it says anything.
fn said(workspace: &Workspace, key: impl Fn(&Security) -> Option<Vec<Allowance>>) -> Vec<Vec<Allowance>> {
    workspace.files().iter().filter_map(|(file, _)| key(&file.plugins.security)).collect()
}

/// A project cannot widen what the user narrows. Where nobody says anything nothing is covered.
fn covered(said: &[Vec<Allowance>], name: &str) -> bool {
    !said.is_empty() && said.iter().all(|file| file.iter().any(|allowance| allowance.covers(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_file_lists_the_other_can_only_narrow() {
        let list = |names: &[&str]| vec![Allowance::Listed(names.iter().map(|name| (*name).to_owned()).collect())];
        let both = [list(&["git", "jq"]), list(&["git", "rm"])];
        assert_eq!(["git", "jq", "rm"].map(|name| covered(&both, name)), [true, false, false]);
        assert!(covered(&[vec![Allowance::Any]], "rm"));
        assert!(!covered(&[vec![Allowance::NOTHING], vec![Allowance::Any]], "rm"));
        assert!(!covered(&[], "git"));
    }
}
