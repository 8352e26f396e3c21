//! What to do next about tokens, and about releases that wait.

use crate::ops::accounts::AccountError;
use crate::ops::publish::PublishError;
use crate::registry::Sent;

pub(super) fn hint(error: &AccountError) -> String {
    match error {
        AccountError::NoTokens { .. } => {
            "name the registry with `--registry https://…`; one that asks for no token needs no login"
        }
        AccountError::InTheClear { .. } => "use its `https://` address",
        AccountError::NotLoggedIn { .. } => "`pocket plugin login` keeps one",
        AccountError::Malformed { .. } => "whoever runs the registry makes one with `pocket registry token new`",
        AccountError::NobodyToAsk { .. } | AccountError::Input { .. } => "pipe it in with `--token-stdin`",
    }
    .to_owned()
}

pub(super) fn publish_hint(error: &PublishError) -> Option<String> {
    Some(match error {
        PublishError::NotVisible { name, .. } => {
            format!(
                "it is published; `pocket plugin info {name}` shows it once it can be installed, and `--wait TIME` waits longer"
            )
        }
        PublishError::NotStaged { .. } => {
            "`pocket plugin staged` lists what waits; it may be published already, or have waited too long".to_owned()
        }
        PublishError::OtherRelease { .. } | PublishError::Archive { .. } => {
            "sign nothing of it; tell whoever runs the registry, and whoever staged it".to_owned()
        }
        PublishError::OtherBuild { .. } => {
            "build from the same sources with the same tools, or do not sign: what waits is not what is here".to_owned()
        }
        PublishError::NotApproved { .. } => "look at it above, then repeat the command with --yes".to_owned(),
        PublishError::Declined { .. } => return None,
    })
}

/// What helps against an answer 401 or 403.
pub(super) fn denied_hint(sent: Sent) -> String {
    match sent {
        Sent::WithToken => "`pocket plugin login` keeps another token; POCKET_TOKEN goes before it",
        Sent::WithoutToken => {
            "`pocket plugin login --registry URL` keeps a token for it, and POCKET_TOKEN holds one for the registry that --registry names; \
             neither goes over plain http, nor along a redirect"
        }
    }
    .to_owned()
}

/// What helps against a refusal of the registry's API.
pub(super) fn refused_hint(code: &str) -> Option<String> {
    Some(match code {
        "token_needed" => denied_hint(Sent::WithoutToken),
        "token_unknown" | "token_expired" | "token_revoked" | "token_malformed" => denied_hint(Sent::WithToken),
        "token_scope" | "token_plugin" => {
            "whoever runs the registry makes one that allows it: `pocket registry token new NAME --scope …`".to_owned()
        }
        "too_many_requests" | "token_too_many_requests" => {
            "wait a moment and repeat the command; whoever runs the registry sets the rate".to_owned()
        }
        "not_allowed" => "with several owners: `pocket plugin publish --stage`, then `pocket plugin approve` with another owner's key".to_owned(),
        _ => return None,
    })
}
