//! The next step for plugins that the project names itself.

use super::transport_hint;
use crate::ops::install::{DirectError, OriginError};
use crate::registry::forge::ForgeError;

/// Whether it is refused for what it is, and not for what is missing.
pub fn is_refusal(error: &DirectError) -> bool {
    matches!(
        error,
        DirectError::Unvouched(_)
            | DirectError::ForgeDigest { .. }
            | DirectError::OtherContent { .. }
            | DirectError::Signature { .. }
            | DirectError::OtherSigner { .. }
            | DirectError::SignatureGone { .. }
            | DirectError::LocalChanged { .. }
    )
}

pub fn hint(error: &DirectError) -> Option<String> {
    Some(match error {
        DirectError::Forge { source, .. } => return forge_hint(source),
        DirectError::NoForge { host, file } => {
            format!("say where its API is in `{}`: `forges: {{{host}: \"https://{host}/api/v1\"}}`", file.display())
        }
        DirectError::Unvouched(unvouched) => {
            format!("if these are the digests you expect, type `{}`", unvouched.command)
        }
        DirectError::NoAsset { .. } => {
            "ask its author for an archive for this machine, or name another version".to_owned()
        }
        DirectError::NoVersion { .. } => "name a release with a version in its tag: `@1.2.0`".to_owned(),
        DirectError::SeveralPlugins { repository, plugins, .. } => {
            let one = plugins.first().map_or("NAME", String::as_str);
            format!("name one in pocket.yaml: `{one}: {{release: {repository}, version: \"*\"}}`")
        }
        DirectError::TooMuch { .. } => {
            "ask its author to sign the release (`pocket plugin pack --sign`), or install one archive by its URL"
                .to_owned()
        }
        DirectError::ForgeDigest { .. } | DirectError::OtherContent { .. } | DirectError::Signature { .. } => {
            "do not use it; tell whoever publishes it".to_owned()
        }
        DirectError::OtherSigner { file, .. } => format!(
            "ask its publisher whether the key was changed; if so, remove `{}` and the plugin from pocket.lock",
            file.display()
        ),
        DirectError::SignatureGone { .. } => {
            "ask its publisher; with the digests from another source, add `#sha256=…`".to_owned()
        }
        DirectError::NoLockedArchive { name, .. } => {
            format!("`pocket plugin uninstall {name}` and install it here, or ask its author for an archive")
        }
        DirectError::MissingPath { name, .. } => {
            format!("correct the path, or take it out with `pocket plugin uninstall {name}`")
        }
        DirectError::LocalChanged { .. } => {
            "run `pocket plugin install` without --locked and commit pocket.lock".to_owned()
        }
        DirectError::NotTrusted(_) | DirectError::NoPlugin { .. } | DirectError::Undescribed { .. } => return None,
    })
}

pub fn origin_hint(error: &OriginError) -> String {
    match error {
        OriginError::Switched { name, locked, now } => format!(
            "name one: `pocket plugin install {name} --registry {now}` to change, or `{name}: {{version: \"*\", registry: \
             {locked}}}` in pocket.yaml to keep it"
        ),
        OriginError::Moved { name, .. } => format!(
            "if it is meant to be another registry, give it another name; if `{name}` was set up anew, remove pocket.lock"
        ),
        OriginError::Clash { name, .. } => {
            format!("name one registry for `{name}` in pocket.yaml, and another version")
        }
    }
}

fn forge_hint(error: &ForgeError) -> Option<String> {
    const TOKEN: &str = "set a token in POCKET_FORGE_TOKEN or, for github.com, in GITHUB_TOKEN";
    Some(match error {
        ForgeError::Transport(error) => return transport_hint(error),
        ForgeError::NoRepository { with_token: false, .. } => {
            format!("check the spelling; if the repository is private, {TOKEN}")
        }
        ForgeError::NoRepository { .. } => "check the spelling, and what the token may see".to_owned(),
        ForgeError::NoRelease { .. } => {
            "a repository is installed by its releases, and not by its files; ask its author for one".to_owned()
        }
        ForgeError::OnlyPrereleases { repository, .. } => format!("name one: `{repository}@VERSION`"),
        ForgeError::NoTag { .. } | ForgeError::NoMatch { .. } => "name one of those".to_owned(),
        ForgeError::RateLimited { with_token: false, .. } => format!("wait, or {TOKEN}"),
        ForgeError::RateLimited { .. } => "wait; what is locked installs without asking".to_owned(),
        ForgeError::Forbidden { with_token: true, .. } => "the token may be expired, or may not see this".to_owned(),
        ForgeError::Forbidden { .. } => TOKEN.to_owned(),
        ForgeError::Malformed { .. } => "check `forges` in pocket.yaml, or POCKET_FORGE_API".to_owned(),
        ForgeError::Draft { .. } | ForgeError::Address { .. } | ForgeError::Digest { .. } => return None,
    })
}
