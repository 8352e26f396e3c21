//! Publishers that this user trusts or distrusts by name: `trust/keys.toml`.

use std::path::PathBuf;

use pocket_index::name::PluginName;
use pocket_index::pattern::NamePattern;
use pocket_index::signature::PublicKey;
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, atomic, io_error, read_toml, turn};

/// What the user said of publishers' keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnownSigners {
    /// Keys that must sign what has certain names.
    pub trusted: Vec<TrustedKey>,
    /// Keys whose signatures do not count.
    pub revoked: Vec<RevokedKey>,
}

/// A key that signs for certain names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// The names of the plugins.
    #[serde(rename = "for")]
    pub pattern: NamePattern,
    /// The key.
    pub key: PublicKey,
}

/// A key whose signatures do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedKey {
    /// The key.
    pub key: PublicKey,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl KnownSigners {
    /// The keys of which one must sign what has this name; empty if the user said nothing about it.
    pub fn trusted_for<'a>(&'a self, name: &'a PluginName) -> impl Iterator<Item = PublicKey> + 'a {
        self.trusted.iter().filter(|trusted| trusted.pattern.matches(name)).map(|trusted| trusted.key)
    }

    /// What the user said of a key that does not count.
    pub fn revocation(&self, key: PublicKey) -> Option<&RevokedKey> {
        self.revoked.iter().find(|revoked| revoked.key == key)
    }
}

/// The file.
pub fn path(home: &Home) -> PathBuf {
    home.trust().join("keys.toml")
}

/// What the user said so far. A damaged file is an error: to read it as empty would trust what was distrusted.
pub fn read(home: &Home) -> Result<KnownSigners, HomeError> {
    Ok(read_toml(&path(home))?.unwrap_or_default())
}

/// From now on, what has a name like `pattern` needs a signature of this key, or of another one that is trusted for it.
///
/// # Errors
/// The key was revoked.
pub fn trust(home: &Home, key: PublicKey, pattern: &NamePattern) -> Result<(), HomeError> {
    change(home, |signers| {
        if let Some(revoked) = signers.revocation(key) {
            return Err(HomeError::RevokedKey { key, reason: revoked.reason.clone(), path: path(home) });
        }
        let trusted = TrustedKey { pattern: pattern.clone(), key };
        if !signers.trusted.contains(&trusted) {
            signers.trusted.push(trusted);
        }
        Ok(())
    })
}

/// From now on, signatures of this key do not count. Where it was trusted, its names stay bound: they need another key.
pub fn revoke(home: &Home, key: PublicKey, reason: &str) -> Result<(), HomeError> {
    change(home, |signers| {
        signers.revoked.retain(|revoked| revoked.key != key);
        signers.revoked.push(RevokedKey { key, reason: reason.to_owned() });
        Ok(())
    })
}

/// Forgets what was said of a key: for names like `pattern`, or everything, a revocation too. Tells how many statements that were.
pub fn forget(home: &Home, key: PublicKey, pattern: Option<&NamePattern>) -> Result<usize, HomeError> {
    let mut forgotten = 0;
    change(home, |signers| {
        let before = signers.trusted.len() + signers.revoked.len();
        let is_meant = |trusted: &TrustedKey| pattern.is_none_or(|pattern| trusted.pattern == *pattern);
        signers.trusted.retain(|trusted| trusted.key != key || !is_meant(trusted));
        if pattern.is_none() {
            signers.revoked.retain(|revoked| revoked.key != key);
        }
        forgotten = before - signers.trusted.len() - signers.revoked.len();
        Ok(())
    })?;
    Ok(forgotten)
}

fn change(home: &Home, edit: impl FnOnce(&mut KnownSigners) -> Result<(), HomeError>) -> Result<(), HomeError> {
    let path = path(home);
    let _turn = turn::take(home, &path, &|| ())?;
    let mut signers = read(home)?;
    edit(&mut signers)?;
    let text = toml_edit::ser::to_string_pretty(&signers).expect("lists of texts are a table");
    atomic::replace_file(&path, text.as_bytes()).map(drop).map_err(io_error("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        (folder, home)
    }

    #[test]
    fn what_is_said_of_keys_is_read_again() {
        let (_folder, home) = home();
        let (one, other) = (PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32]));
        trust(&home, one, &"acme-*".parse().expect("a pattern")).expect("it is written");
        trust(&home, one, &"acme-*".parse().expect("a pattern")).expect("it is there");
        revoke(&home, other, "lost").expect("it is written");
        let signers = read(&home).expect("it is read");
        assert_eq!(signers.trusted.len(), 1);
        let name: PluginName = "acme-geo".parse().expect("a name");
        assert_eq!(signers.trusted_for(&name).collect::<Vec<_>>(), [one]);
        assert_eq!(signers.revocation(other).map(|revoked| revoked.reason.as_str()), Some("lost"));
    }

    #[test]
    fn what_was_said_of_a_key_is_forgotten_for_one_name_or_for_all() {
        let (_folder, home) = home();
        let (key, other) = (PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32]));
        let (geo, all) = ("geo-*".parse().expect("a pattern"), "*".parse().expect("a pattern"));
        trust(&home, key, &geo).expect("it is written");
        trust(&home, key, &all).expect("it is written");
        trust(&home, other, &all).expect("it is written");
        revoke(&home, key, "lost").expect("it is written");
        assert_eq!(forget(&home, key, Some(&geo)).expect("it is written"), 1);
        assert_eq!(forget(&home, key, Some(&geo)).expect("nothing is left to forget"), 0);
        assert_eq!(forget(&home, key, None).expect("it is written"), 2);
        let left = KnownSigners { trusted: vec![TrustedKey { pattern: all, key: other }], revoked: Vec::new() };
        assert_eq!(read(&home).expect("it is read"), left);
    }

    #[test]
    fn a_revoked_key_is_not_trusted_again_and_a_damaged_file_is_not_empty() {
        let (_folder, home) = home();
        let key = PublicKey::from_bytes([1; 32]);
        revoke(&home, key, "lost").expect("it is written");
        let again = trust(&home, key, &"*".parse().expect("a pattern"));
        assert!(matches!(again, Err(HomeError::RevokedKey { .. })));
        std::fs::write(path(&home), "revoked = 3").expect("it is written");
        assert!(matches!(read(&home), Err(HomeError::Damaged { .. })));
    }
}
