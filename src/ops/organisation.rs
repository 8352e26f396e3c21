//! The organisation's `trust.yaml`: where it is, and whether it is signed as the user demands.

use std::path::{Path, PathBuf};

use pocket_index::signature::{self, PublicKey, Signature, SignatureError};

use super::OpsError;
use crate::home::Home;
use crate::project::{AllowedRegistry, TrustFile};
use crate::registry::Location;

/// Names another file than the usual ones.
pub const VARIABLE: &str = "POCKET_TRUST";
/// What signatures of a `trust.yaml` are made for: `pocket/trust/v1`.
pub const DOMAIN: &str = "trust";
const FILE: &str = "trust.yaml";
const SYSTEM: &str = "/etc/pocket/trust.yaml";

/// The rules of an organisation, and where they stand.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub rules: TrustFile,
    registries: Option<Vec<(Location, AllowedRegistry)>>,
}

/// A `trust.yaml` that does not count.
#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    /// The user demands one, and there is none.
    #[error("there is no trust.yaml signed by {}: looked for {looked}", wanted.fingerprint())]
    Missing {
        /// The key that must sign it.
        wanted: PublicKey,
        /// Where it was looked for.
        looked: String,
    },
    /// It has no signature.
    #[error("`{}` must be signed by {}, and `{}` is missing", path.display(), wanted.fingerprint(), signature.display())]
    Unsigned {
        /// The file.
        path: PathBuf,
        /// The signature's file.
        signature: PathBuf,
        /// The key that must sign it.
        wanted: PublicKey,
    },
    /// Its signature cannot be read.
    #[error("`{}` is no signature", path.display())]
    Malformed {
        /// The signature's file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// Somebody else signed it.
    #[error("`{}` is signed by {}, it must be signed by {}", path.display(), found.fingerprint(), wanted.fingerprint())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// Who signed it.
        found: PublicKey,
        /// The key that must sign it.
        wanted: PublicKey,
    },
    /// Its signature is not over what stands in it.
    #[error("`{}` is not what was signed", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What the check said.
        source: SignatureError,
    },
    /// A project wants to say whose rules count.
    #[error("`trust_key` in `{}` is not the project's to say: it counts in `{}` only", project.display(), user.display())]
    KeyOfProject {
        /// The project's file.
        project: PathBuf,
        /// The user's file.
        user: PathBuf,
    },
}

impl Organisation {
    /// Finds and reads the rules: `$POCKET_TRUST`, else the user's, else the machine's. None if there are none.
    ///
    /// # Errors
    /// The file is not as it must be, or `key` did not sign it.
    pub fn read(home: &Home, key: Option<PublicKey>) -> Result<Option<Self>, OpsError> {
        let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let places =
            named.clone().map_or_else(|| vec![home.root().join(FILE), PathBuf::from(SYSTEM)], |path| vec![path]);
        for path in &places {
            match std::fs::read_to_string(path) {
                Ok(text) => return Self::checked(path, &text, key).map(Some),
                // A file that was named must be there.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {}
                Err(error) => return Err(OpsError::io("read", path)(error)),
            }
        }
        let looked: Vec<String> = places.iter().map(|path| format!("`{}`", path.display())).collect();
        match key {
            Some(wanted) => Err(OrganisationError::Missing { wanted, looked: looked.join(", ") }.into()),
            None => Ok(None),
        }
    }

    fn checked(path: &Path, text: &str, key: Option<PublicKey>) -> Result<Self, OpsError> {
        if let Some(wanted) = key {
            check_signature(path, text, wanted)?;
        }
        let unusable = |source| OpsError::Project { path: path.to_owned(), source };
        let rules = TrustFile::parse(text).map_err(unusable)?;
        let located = |allowed: &AllowedRegistry| Ok::<_, OpsError>((allowed.url.parse()?, allowed.clone()));
        let registries = rules.registries.iter().flatten().map(located).collect::<Result<Vec<_>, _>>()?;
        let registries = rules.registries.is_some().then_some(registries);
        Ok(Self { path: path.to_owned(), rules, registries })
    }

    /// Whether the rules say which registries may be used.
    pub fn limits_registries(&self) -> bool {
        self.registries.is_some()
    }

    /// The registry at this place, if it is among those that may be used.
    pub fn allowed(&self, location: &Location) -> Option<&AllowedRegistry> {
        self.registries.iter().flatten().find(|(known, _)| known == location).map(|(_, allowed)| allowed)
    }

    /// The places that may be used, for messages.
    pub fn allowed_places(&self) -> String {
        let places: Vec<String> = self.registries.iter().flatten().map(|(place, _)| format!("`{place}`")).collect();
        if places.is_empty() { "none".to_owned() } else { places.join(", ") }
    }
}

/// The file with the signature of another file.
pub fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

fn check_signature(path: &Path, text: &str, wanted: PublicKey) -> Result<(), OpsError> {
    let (path, file) = (path.to_owned(), signature_path(path));
    let written = match std::fs::read_to_string(&file) {
        Ok(written) => written,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(OrganisationError::Unsigned { path, signature: file, wanted }.into());
        }
        Err(error) => return Err(OpsError::io("read", &file)(error)),
    };
    let signature: Signature =
        serde_json::from_str(&written).map_err(|source| OrganisationError::Malformed { path: file, source })?;
    if signature.key != wanted {
        return Err(OrganisationError::OtherKey { path, found: signature.key, wanted }.into());
    }
    signature::verify(DOMAIN, text, &signature).map_err(|source| OrganisationError::Mismatch { path, source }.into())
}
