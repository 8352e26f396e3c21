//! `pocket plugin login` and `logout`.

use std::io::Read as _;

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::arguments::{LoginArguments, RegistryArguments};
use crate::cli::output::Output;
use crate::ops::accounts::{self, AccountError, LoggedIn};
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach};

/// 4 KiB: a token has less than 100 bytes.
const TOKEN: u64 = 4 << 10;

pub fn login(arguments: &LoginArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let ask = |registry: &str| if arguments.token_stdin { from_stdin() } else { from_person(registry, output) };
    let done = look(&workspace, output, accounts::login(&workspace, &reach(&arguments.registry), ask))?;
    let LoggedIn { registry, grants, overruled_by } = done;
    let named = grants.as_ref().map(|grants| format!(" as `{}`", grants.name.escape_debug())).unwrap_or_default();
    output.step("Logged in", format!("to {registry}{named}"));
    if let Some(grants) = &grants {
        let until = grants.expires.as_ref().map_or("does not expire".to_owned(), |at| format!("expires {at}"));
        let (scopes, plugins) = (grants.scopes.join(", "), grants.plugins.join(", "));
        output.step("Token", format!("allows {scopes} for {plugins}; {until}").escape_debug().to_string());
    }
    if let Some(variable) = overruled_by {
        output.warning(format!("{variable} is set and goes before the token that was kept"));
    }
    let field = |of: fn(&pocket_index::staged::TokenGrants) -> serde_json::Value| grants.as_ref().map(of);
    let document = json!({
        "registry": registry,
        "name": field(|grants| json!(grants.name)),
        "scopes": field(|grants| json!(grants.scopes)),
        "plugins": field(|grants| json!(grants.plugins)),
        "expires": field(|grants| json!(grants.expires)),
    });
    output.result(&document, String::new);
    Ok(())
}

pub fn logout(registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let registry = accounts::logout(&workspace, &reach(registry))?;
    output.step("Logged out", format!("of {registry}; whoever runs it can revoke the token"));
    output.result(&json!({ "registry": registry }), String::new);
    Ok(())
}

fn from_stdin() -> Result<Zeroizing<String>, OpsError> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(TOKEN).read_to_string(&mut text);
    read.map_err(|source| AccountError::Input { source })?;
    Ok(text)
}

fn from_person(registry: &str, output: &Output) -> Result<Zeroizing<String>, OpsError> {
    let nobody = || AccountError::NobodyToAsk { registry: registry.to_owned() };
    if !output.can_ask() {
        return Err(nobody().into());
    }
    let typed = rpassword::prompt_password(format!("token for {registry} (it is not shown): "));
    typed.map(Zeroizing::new).map_err(|_| nobody().into())
}
