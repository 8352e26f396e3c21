//! Which forges there are, and who may see a token.

use reqwest::Url;

use super::sources::GITHUB;
use super::{OpsError, Workspace};
use crate::project::ProjectManifest;
use crate::registry::forge::ForgeAccess;
use crate::registry::{Token, is_private_line};

const GITHUB_API: &str = "https://api.github.com";
/// The base of the API, whatever the host.
const API_VARIABLE: &str = "POCKET_FORGE_API";
/// A token for any forge that the user, and not only a project, configured.
const TOKEN_VARIABLE: &str = "POCKET_FORGE_TOKEN";
/// A token that other tools use as well; for GitHub alone.
const GITHUB_TOKEN_VARIABLE: &str = "GITHUB_TOKEN";

/// Who says where an API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The user, or this program.
    ByUser,
    /// The project. Whoever wrote it must not get the user's token by naming a server of his own.
    ByProject,
}

/// How the forge of a host is asked; none if nothing says where its API is.
///
/// # Errors
/// The API's address is none.
pub fn access(workspace: &Workspace, host: &str) -> Result<Option<ForgeAccess>, OpsError> {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    access_with(workspace.user(), workspace.project(), host, &environment)
}

fn access_with(
    user: &ProjectManifest,
    project: &ProjectManifest,
    host: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ForgeAccess>, OpsError> {
    let Some((api, said)) = api_of(user, project, host, environment) else { return Ok(None) };
    let wrong = |reason: String| OpsError::Source { given: api.clone(), reason: format!("as a forge's API: {reason}") };
    let url: Url = api.parse().map_err(|error| wrong(format!("{error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("expected `https://…` or `http://…`".to_owned()));
    }
    let may_see = said == Said::ByUser && is_private_line(&url);
    let token = environment(TOKEN_VARIABLE)
        .or_else(|| environment(GITHUB_TOKEN_VARIABLE).filter(|_| host == GITHUB))
        .filter(|_| may_see);
    Ok(Some(ForgeAccess { api: url, token: token.as_deref().and_then(Token::new) }))
}

fn api_of(
    user: &ProjectManifest,
    project: &ProjectManifest,
    host: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<(String, Said)> {
    if let Some(api) = environment(API_VARIABLE) {
        return Some((api, Said::ByUser));
    }
    let of = |manifest: &ProjectManifest| manifest.forges.get(host).map(|forge| forge.api.clone());
    let by_user = of(user).or_else(|| (host == GITHUB).then(|| GITHUB_API.to_owned()));
    match (of(project), by_user) {
        (Some(api), Some(same)) if api == same => Some((api, Said::ByUser)),
        (Some(api), _) => Some((api, Said::ByProject)),
        (None, by_user) => by_user.map(|api| (api, Said::ByUser)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> ProjectManifest {
        ProjectManifest::parse(text).expect("it is well-formed")
    }

    /// The API, and whether it may see a token.
    fn asked(user: &str, project: &str, host: &str, variables: &[(&str, &str)]) -> Option<(String, bool)> {
        let environment =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let access = access_with(&manifest(user), &manifest(project), host, &environment).expect("a URL");
        access.map(|access| (access.api.to_string(), access.token.is_some()))
    }

    const OTHER: &str = "forges: {git.example.com: https://git.example.com/api/v1}";

    #[test]
    fn github_is_known_and_others_are_configured() {
        assert_eq!(asked("", "", GITHUB, &[]), Some(("https://api.github.com/".to_owned(), false)));
        assert_eq!(asked("", "", "git.example.com", &[]), None);
        let api = "https://git.example.com/api/v1".to_owned();
        assert_eq!(asked("", OTHER, "git.example.com", &[]), Some((api.clone(), false)));
        assert_eq!(asked(OTHER, "", "git.example.com", &[("POCKET_FORGE_TOKEN", "x")]), Some((api, true)));
    }

    #[test]
    fn a_token_is_not_sent_where_only_the_project_points() {
        let token = [("GITHUB_TOKEN", "secret"), ("POCKET_FORGE_TOKEN", "secret")];
        assert!(asked("", "", GITHUB, &token).expect("GitHub is known").1);
        let hostile = "forges: {github.com: https://evil.example/}";
        assert_eq!(asked("", hostile, GITHUB, &token), Some(("https://evil.example/".to_owned(), false)));
        assert!(asked(OTHER, OTHER, "git.example.com", &token).expect("it is configured").1);
    }

    #[test]
    fn a_token_goes_to_its_own_forge_and_not_in_the_clear() {
        let github = [("GITHUB_TOKEN", "secret")];
        assert!(!asked(OTHER, "", "git.example.com", &github).expect("it is configured").1);
        let clear = "forges: {github.com: http://github.internal/api}";
        assert!(!asked(clear, "", GITHUB, &github).expect("it is configured").1);
        let here = [("GITHUB_TOKEN", "secret"), ("POCKET_FORGE_API", "http://127.0.0.1:1/")];
        assert_eq!(asked("", "", GITHUB, &here), Some(("http://127.0.0.1:1/".to_owned(), true)));
    }
}
