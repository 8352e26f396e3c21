//! A release that waits at a registry for its owners' signatures: what `<api>staged` says of it, and what a token allows.
//!
//! Nothing of it is in the index or the log, and no client installs it.

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::json::objects;
use crate::name::PluginName;
use crate::signature::{PublicKey, Signature};

/// A release that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedRelease {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// The event's bytes, verbatim: what each owner signs.
    pub event: String,
    /// Who signed them so far.
    #[serde(deserialize_with = "objects")]
    pub signatures: Vec<Signature>,
    /// The keys that may sign; empty for a plugin that nobody has published yet, whose first signers own it.
    pub owners: Vec<PublicKey>,
    /// How many of them must sign.
    pub needed: u32,
    /// Who brought it, if that was said: a token's name.
    pub by: Option<String>,
    /// When it was brought: seconds since 1970-01-01 UTC.
    pub staged: u64,
    /// From when on it is as if it had never been brought.
    pub expires: u64,
}

/// What `<api>token` says of the token that was sent along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrants {
    /// What its maker called it.
    pub name: String,
    /// What it allows: `read`, `publish`, `yank`, `owner`, `admin`.
    pub scopes: Vec<String>,
    /// About which plugins it may write.
    pub plugins: Vec<String>,
    /// From when on it is worth nothing (RFC 3339); null for never.
    pub expires: Option<String>,
}

/// What the owners of a staged release sign to withdraw it is of this kind, which no event has.
pub const WITHDRAWAL: &str = "withdrawal";

impl StagedRelease {
    /// What is signed, as [`WITHDRAWAL`], to withdraw it: when it was brought, a line feed, and the event. The same release brought again
    /// later is another one.
    pub fn withdrawal(&self) -> String {
        format!("{}\n{}", self.staged, self.event)
    }

    /// The keys that signed and count: owners, each once; of a plugin without owners, everybody.
    pub fn signed(&self) -> Vec<PublicKey> {
        let mut keys: Vec<_> = self.signatures.iter().map(|signature| signature.key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| self.owners.is_empty() || self.owners.contains(key));
        keys
    }

    /// Whether enough signed.
    pub fn is_complete(&self) -> bool {
        self.signed().len() >= self.needed.max(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SecretKey;

    #[test]
    fn owners_count_once_and_others_not_at_all() {
        let secrets: Vec<_> = (1..4).map(|seed| SecretKey::from_seed(&[seed; 32])).collect();
        let sign = |which: &[usize]| which.iter().map(|at| secrets[*at].sign_event("release", "x")).collect();
        let staged = |owners: &[usize], needed, signed: &[usize]| StagedRelease {
            name: "geo".parse().expect("a name"),
            version: Version::new(1, 0, 0),
            event: "x".to_owned(),
            signatures: sign(signed),
            owners: owners.iter().map(|at| secrets[*at].public()).collect(),
            needed,
            by: None,
            staged: 0,
            expires: 1,
        };
        assert!(!staged(&[0, 1], 2, &[0, 0, 2]).is_complete());
        assert!(staged(&[0, 1], 2, &[0, 1]).is_complete());
        assert!(!staged(&[], 1, &[]).is_complete() && staged(&[], 1, &[2]).is_complete());
        assert!(!staged(&[0], 0, &[]).is_complete());
    }
}
