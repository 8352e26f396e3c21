//! What a token is: a text that its holder alone has, and what the registry keeps of it.
//!
//! The registry keeps the SHA-256 of the text, not the text: whoever reads its files, or a backup of them, can use none of the tokens. A hash that
//! is slow on purpose would protect a password that can be guessed; 256 random bits cannot be, and a slow hash for every request would let
//! anybody keep the server busy.

use std::collections::BTreeSet;
use std::fmt;

use clap::ValueEnum;
use data_encoding::HEXLOWER;
use pocket_index::digest::Digest;
use pocket_index::name::PluginName;
use pocket_index::pattern::NamePattern;
use pocket_index::record::Event;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use super::TokenError;

/// What every token starts with, so that people and scanners of secrets know one when they see it.
const PREFIX: &str = "pocket_";
/// 8 bytes name a token: it is looked up by them, and they may be shown.
const ID_BYTES: usize = 8;
/// 32 bytes, 256 bits, that nobody guesses.
const SECRET_BYTES: usize = 32;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read a private registry; every other scope allows that as well.
    Read,
    /// Publish and stage releases.
    Publish,
    /// Yank, unyank, revoke and deprecate.
    Yank,
    /// Change the keys of a plugin's owners.
    Owner,
    /// All of that, and send owner recoveries.
    Admin,
}

/// A token as somebody sent it. `Debug` shows its name alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    id: String,
    digest: Digest,
}

/// What the registry knows of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRecord {
    /// What it is looked up by: 16 hexadecimal digits.
    pub id: String,
    /// What its maker called it.
    pub name: String,
    /// The digest of its text.
    digest: Digest,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// About which plugins it may write; whoever reads, reads all.
    pub plugins: Vec<NamePattern>,
    /// When it was made: seconds since 1970-01-01 UTC.
    pub created: u64,
    /// From when on it is worth nothing.
    pub expires: Option<u64>,
    /// When it was revoked.
    pub revoked: Option<u64>,
}

/// What a new token is to allow.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub name: String,
    pub scopes: BTreeSet<Scope>,
    pub plugins: Vec<NamePattern>,
    pub expires: Option<u64>,
}

impl Scope {
    /// What sending this event takes.
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Release(_) => Self::Publish,
            Event::Yank(_) | Event::Unyank(_) | Event::Revoke(_) | Event::Deprecate(_) => Self::Yank,
            Event::OwnerKeys(_) => Self::Owner,
            Event::OwnerRecovery(_) => Self::Admin,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Yank => "yank",
            Self::Owner => "owner",
            Self::Admin => "admin",
        })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({})", self.id)
    }
}

impl Presented {
    /// Reads a token as it was sent; none if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |text: &str, bytes: usize| {
            text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let is_token = is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES);
        is_token.then(|| Self { id: id.to_owned(), digest: Digest::of(text.as_bytes()) })
    }

    pub fn id(&self) -> &str {
        &self.id
    }
}

impl TokenRecord {
    /// Makes a token: its text, which is shown once, and what is kept.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn make(wish: Wish, now: u64) -> Result<(String, Self), TokenError> {
        let mut bytes = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| TokenError::Randomness { message: error.to_string() })?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        let (id, secret) = (HEXLOWER.encode(id), HEXLOWER.encode(secret));
        let text = format!("{PREFIX}{id}_{secret}");
        let digest = Digest::of(text.as_bytes());
        let Wish { name, scopes, plugins, expires } = wish;
        Ok((text, Self { id, name, digest, scopes, plugins, created: now, expires, revoked: None }))
    }

    /// Whether this is the token that was sent. It takes as long for every text: how much of a wrong one is right cannot be measured.
    pub fn is(&self, presented: &Presented) -> bool {
        self.digest.as_bytes().ct_eq(presented.digest.as_bytes()).into()
    }

    /// Whether it allows this.
    pub fn allows(&self, scope: Scope) -> bool {
        scope == Scope::Read || self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether it is for this plugin.
    pub fn is_for(&self, name: &PluginName) -> bool {
        self.plugins.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether it is not worth anything any more, or not yet known to be.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (String, TokenRecord) {
        let wish = Wish {
            name: "ci".to_owned(),
            scopes: [Scope::Publish].into(),
            plugins: vec!["acme-*".parse().expect("a pattern")],
            expires: Some(100),
        };
        TokenRecord::make(wish, 1).expect("the system has randomness")
    }

    #[test]
    fn what_is_kept_is_neither_the_token_nor_a_part_of_its_secret() {
        let (text, record) = made();
        let kept = serde_json::to_string(&record).expect("it has text keys");
        let secret = text.rsplit('_').next().expect("it has parts");
        assert!(!kept.contains(&text) && !kept.contains(secret) && !kept.contains(&secret[..16]), "{kept}");
        assert!(kept.contains(&Digest::of(text.as_bytes()).to_string()), "{kept}");
        assert_ne!(made().0, text);
    }

    #[test]
    fn no_other_text_is_the_token() {
        let (text, record) = made();
        let presented = Presented::parse(&text).expect("it is one");
        assert!(record.is(&presented) && presented.id() == record.id);
        assert_eq!(format!("{presented:?}"), format!("Presented({})", record.id));
        for place in PREFIX.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("it is ASCII");
            assert!(Presented::parse(&changed).is_none_or(|other| !record.is(&other)), "{changed}");
        }
        // The digest that is kept opens nothing.
        assert!(
            Presented::parse(&format!("{PREFIX}{}_{}", record.id, record.digest.hex())).is_some_and(|d| !record.is(&d))
        );
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let (text, _) = made();
        let upper = text.to_uppercase();
        let long = format!("{text}0");
        for bad in ["", "pocket_", "pocket_../../registry.key_00", &upper, &long, &text[1..], &text[..text.len() - 1]] {
            assert!(Presented::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_scope_allows_itself_and_reading_and_admin_allows_all() {
        let (_, record) = made();
        assert!(record.allows(Scope::Publish) && record.allows(Scope::Read));
        assert!([Scope::Yank, Scope::Owner, Scope::Admin].iter().all(|scope| !record.allows(*scope)));
        let admin = TokenRecord { scopes: [Scope::Admin].into(), ..record };
        let all = [Scope::Read, Scope::Publish, Scope::Yank, Scope::Owner, Scope::Admin];
        assert!(all.iter().all(|scope| admin.allows(*scope)));
        assert!(admin.is_for(&"acme-geo".parse().expect("a name")) && !admin.is_for(&"geo".parse().expect("a name")));
        assert!(!admin.is_expired(99) && admin.is_expired(100));
    }
}
