//! `plugin login` and `logout`, and which token a registry is shown.
//!
//! A registry's token comes from the environment or from the user's file. It is looked up by the registry's URL; where a project
//! alone says which URL that is, a token from the environment does not go there.

mod error;

use reqwest::Url;
use zeroize::Zeroizing;

use super::workspace::{NamedRegistry, Said};
use super::{OpsError, Reach, Workspace};
use crate::home::credentials::{self, Removed};
use crate::registry::{Access, Location, Staleness, Token, is_private_line};

pub use error::AccountError;

/// The token for the registry that was named on the command line, or for the user's own default one.
const TOKEN: &str = "POCKET_TOKEN";

/// Who was logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The registry.
    pub registry: String,
    /// What the token is called, and what it allows; none where a web server checks tokens, and says nothing of them.
    pub grants: Option<pocket_index::staged::TokenGrants>,
    /// A variable that holds another token, which goes before this one.
    pub overruled_by: Option<String>,
}

/// The token that a registry is shown; none if there is none for it.
///
/// # Errors
/// The user's file cannot be used, or a variable holds what cannot be a token.
pub(super) fn token_for(workspace: &Workspace, named: &NamedRegistry) -> Result<Option<Token>, OpsError> {
    let Location::Http(url) = &named.location else { return Ok(None) };
    if !is_private_line(url) {
        return Ok(None);
    }
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some((variable, text)) = from_environment(named, workspace.typed_registry(), &environment) {
        let text = Zeroizing::new(text);
        return Token::new(&text).map(Some).ok_or_else(|| AccountError::Malformed { place: variable }.into());
    }
    let kept = credentials::token(workspace.home(), &named.location.to_string())?;
    let place = || credentials::path(workspace.home()).display().to_string();
    kept.map(|text| Token::new(&text).ok_or_else(|| AccountError::Malformed { place: place() }.into())).transpose()
}

/// The variable that holds a token for this registry, and the token.
fn from_environment(
    named: &NamedRegistry,
    typed: Option<Option<Location>>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<(String, String)> {
    let is_another_typed = typed.is_some();
    let is_typed = typed.flatten().is_some_and(|typed| typed == named.location);
    let said = if is_typed { Said::Typed } else { named.said };
    let own = format!("{TOKEN}_{}", named.name.as_str().to_ascii_uppercase().replace('-', "_"));
    let of = |variable: &str| environment(variable).map(|text| (variable.to_owned(), text));
    match said {
        Said::Typed => of(&own).or_else(|| of(TOKEN)),
        Said::ByUser if named.name.as_str() == "default" && !is_another_typed => of(&own).or_else(|| of(TOKEN)),
        Said::ByUser => of(&own),
        // Whoever wrote the project must not get the user's token by naming a server of his own.
        Said::ByProject => None,
    }
}

/// Checks a token against its registry, and keeps it if the registry takes it. `ask` gives the token.
///
/// # Errors
/// The registry takes no tokens, or not this one: nothing is changed then.
pub async fn login(
    workspace: &Workspace,
    reach: &Reach,
    ask: impl FnOnce(&str) -> Result<Zeroizing<String>, OpsError>,
) -> Result<LoggedIn, OpsError> {
    let named = workspace.registry(reach.registry.as_deref())?;
    let (url, registry) = (web_server(&named)?, named.location.to_string());
    if !is_private_line(&url) {
        return Err(AccountError::InTheClear { registry }.into());
    }
    let text = ask(&registry)?;
    let token = Token::new(&text).ok_or_else(|| AccountError::Malformed { place: "what was given".to_owned() })?;
    let access = Access::new(reach.network, Staleness::Told);
    let opened = workspace.open_with(&named, access, token).await?;
    let grants = opened.token().await?;
    if grants.is_none() && !opened.requires_token() {
        return Err(AccountError::NoTokens { registry }.into());
    }
    opened.remember()?;
    credentials::store(workspace.home(), &registry, text.trim())?;
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let overruled_by = from_environment(&named, workspace.typed_registry(), &environment).map(|(variable, _)| variable);
    Ok(LoggedIn { registry, grants, overruled_by })
}

/// Forgets the token for a registry, and names the registry.
///
/// # Errors
/// There is none.
pub fn logout(workspace: &Workspace, reach: &Reach) -> Result<String, OpsError> {
    let named = workspace.registry(reach.registry.as_deref())?;
    web_server(&named)?;
    let registry = named.location.to_string();
    match credentials::remove(workspace.home(), &registry)? {
        Removed::Gone => Ok(registry),
        Removed::Absent => Err(AccountError::NotLoggedIn { registry }.into()),
    }
}

fn web_server(named: &NamedRegistry) -> Result<Url, OpsError> {
    match &named.location {
        Location::Http(url) => Ok(url.clone()),
        other => Err(AccountError::NoTokens { registry: other.to_string() }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable that counts, where the registry at this place, if any, was typed.
    fn found(name: &str, said: Said, typed: Option<&str>, set: &[&str]) -> Option<String> {
        let location: Location = "https://plugins.example.com/".parse().expect("a location");
        let named = NamedRegistry::plain(name.parse().expect("a name"), location).said(said);
        let environment = |name: &str| set.contains(&name).then(|| "secret".to_owned());
        let typed = typed.map(|typed| typed.parse().ok());
        from_environment(&named, typed, &environment).map(|(variable, _)| variable)
    }

    #[test]
    fn a_variable_is_for_one_registry_that_the_user_named() {
        let both = ["POCKET_TOKEN", "POCKET_TOKEN_ACME_CORP"];
        assert_eq!(found("acme-corp", Said::ByUser, None, &both).as_deref(), Some("POCKET_TOKEN_ACME_CORP"));
        assert_eq!(found("acme-corp", Said::ByUser, None, &["POCKET_TOKEN"]), None);
        let (this, other) = (Some("https://plugins.example.com"), Some("https://other.example/"));
        assert_eq!(found("acme-corp", Said::Typed, this, &["POCKET_TOKEN"]).as_deref(), Some("POCKET_TOKEN"));
        // However a project calls what was typed.
        assert_eq!(found("default", Said::ByProject, this, &["POCKET_TOKEN"]).as_deref(), Some("POCKET_TOKEN"));
        assert_eq!(found("default", Said::ByUser, None, &["POCKET_TOKEN"]).as_deref(), Some("POCKET_TOKEN"));
        assert_eq!(found("default", Said::ByUser, other, &["POCKET_TOKEN"]), None);
    }

    #[test]
    fn a_project_gets_no_token_by_naming_a_server() {
        for name in ["default", "acme-corp"] {
            for typed in [None, Some("https://other.example/"), Some(name)] {
                assert_eq!(found(name, Said::ByProject, typed, &["POCKET_TOKEN", "POCKET_TOKEN_ACME_CORP"]), None);
            }
        }
    }
}
