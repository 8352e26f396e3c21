//! `config.json`: what a registry says of itself, at the root of its index.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::{optional_object, parse_object};
use crate::log::{Checkpoint, NoteKey, NoteKeyError, keys_digest};
use crate::name::RegistryName;
use crate::signature::PublicKey;

/// The version of the index format that this crate reads and writes.
pub const FORMAT_VERSION: u64 = 1;
/// 64 KiB. Real ones have less than one.
pub const MAX_CONFIG_BYTES: usize = 64 * 1024;

/// A parsed and checked `config.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What the registry calls itself; a user may know it under another name.
    pub name: RegistryName,
    /// The key that signs the log's checkpoints. None only if the reader waived the log.
    pub log: Option<NoteKey>,
    /// The keys that sign the registry's own yanks, revocations and deprecations. A key stays here as long as a line that it
    /// signed stands in the index.
    pub keys: Vec<PublicKey>,
    /// Whether reading the index and its archives takes a token.
    pub auth_required: bool,
    /// Where the HTTP API stands, relative to this file or absolute, ending in `/`. None for a static index.
    pub api: Option<String>,
}

/// Whether a registry without a log will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRequirement {
    /// No: a registry without a log key is refused.
    Required,
    /// Yes: the user's own configuration says so for this registry. The registry cannot say it of itself.
    WaivedByUser,
}

/// Shows that the user's configuration puts up with a registry without a log. It comes from [`Config::log_waiver`].
#[derive(Debug, Clone)]
pub struct LogWaiver(());

/// Why a text is no `config.json`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Larger than [`MAX_CONFIG_BYTES`].
    #[error("`config.json` has {bytes} bytes, at most {MAX_CONFIG_BYTES} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or a field is missing or has another type.
    #[error("`config.json` is malformed")]
    Json(#[source] serde_json::Error),
    /// The index is written in a format of the future.
    #[error(
        "the index has format version {found}, this program reads version {FORMAT_VERSION}; a newer program is needed"
    )]
    NewerVersion {
        /// The version that stands there.
        found: u64,
    },
    /// There is no version 0.
    #[error("the index has format version 0, expected {FORMAT_VERSION}")]
    NoVersion,
    /// The registry has no log, so nothing shows that everybody sees the same index.
    #[error("`config.json` of the registry `{name}` has no log key (`log.key`)")]
    MissingLogKey {
        /// The registry.
        name: RegistryName,
    },
    /// The log key is malformed.
    #[error("the log key of the registry `{name}` is refused")]
    LogKey {
        /// The registry.
        name: RegistryName,
        /// Why.
        #[source]
        source: NoteKeyError,
    },
    /// The key is another log's.
    #[error("the log key is for `{key}`, but the log's origin is `{}`", origin.escape_debug())]
    Origin {
        /// `log.origin`.
        origin: String,
        /// The name in `log.key`.
        key: String,
    },
    /// The API's address would not be a folder.
    #[error("the API's address `{}` does not end in `/`", value.escape_debug())]
    Api {
        /// The address.
        value: String,
    },
}

/// The registry's event keys are not those that its log states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`keys` of `config.json` have the digest {found} ({}), the checkpoint says {stated}", named(keys))]
pub struct OtherKeysError {
    /// The digest that the checkpoint states; that of no keys if it states none.
    pub stated: Digest,
    /// The digest of the keys in the configuration.
    pub found: Digest,
    /// Those keys.
    pub keys: Vec<PublicKey>,
}

fn named(keys: &[PublicKey]) -> String {
    let fingerprints: Vec<String> = keys.iter().map(|key| key.fingerprint().to_string()).collect();
    if fingerprints.is_empty() { "no keys".to_owned() } else { fingerprints.join(", ") }
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u64,
    name: RegistryName,
    #[serde(default, deserialize_with = "optional_object")]
    log: Option<LogFields>,
    #[serde(default)]
    keys: Vec<PublicKey>,
    #[serde(default)]
    auth_required: bool,
    #[serde(default)]
    api: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct LogFields {
    origin: String,
    key: String,
}

impl Config {
    /// Reads `config.json`. Fields that this version does not know are ignored.
    pub fn parse(text: &str, requirement: LogRequirement) -> Result<Self, ConfigError> {
        if text.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLarge { bytes: text.len() });
        }
        // The version decides what the other fields mean, so it is looked at alone and first.
        match parse_object(text).map_err(ConfigError::Json)? {
            VersionOnly { version: 0 } => return Err(ConfigError::NoVersion),
            VersionOnly { version: FORMAT_VERSION } => {}
            VersionOnly { version: found } => return Err(ConfigError::NewerVersion { found }),
        }
        let file: File = parse_object(text).map_err(ConfigError::Json)?;
        if let Some(value) = file.api.as_ref().filter(|api| !api.ends_with('/')) {
            return Err(ConfigError::Api { value: value.clone() });
        }
        Ok(Self {
            log: log_key(&file.name, file.log, requirement)?,
            name: file.name,
            keys: file.keys,
            auth_required: file.auth_required,
            api: file.api,
        })
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let log = self.log.as_ref().map(|key| LogFields { origin: key.name().to_owned(), key: key.to_string() });
        let file = File {
            version: FORMAT_VERSION,
            name: self.name.clone(),
            log,
            keys: self.keys.clone(),
            auth_required: self.auth_required,
            api: self.api.clone(),
        };
        serde_json::to_string(&file).expect("the file has text keys and whole numbers only") + "\n"
    }

    /// The waiver, if the registry has no log and [`Config::parse`] was told that the user puts up with it.
    pub fn log_waiver(&self) -> Option<LogWaiver> {
        self.log.is_none().then_some(LogWaiver(()))
    }

    /// Checks that the event keys are those that the log states in its checkpoint.
    ///
    /// # Errors
    /// They are others: whoever serves the file changed it, for the log's key binds them.
    pub fn check_keys(&self, checkpoint: &Checkpoint) -> Result<(), OtherKeysError> {
        let (stated, found) = (checkpoint.keys(), keys_digest(&self.keys));
        if stated == found { Ok(()) } else { Err(OtherKeysError { stated, found, keys: self.keys.clone() }) }
    }

    /// Whether everybody can sign this log's checkpoints, because the key's private half is published with the source.
    pub fn has_development_log_key(&self) -> bool {
        self.log.as_ref().is_some_and(|key| key.public().is_development())
    }
}

fn log_key(
    name: &RegistryName,
    log: Option<LogFields>,
    requirement: LogRequirement,
) -> Result<Option<NoteKey>, ConfigError> {
    let Some(LogFields { origin, key }) = log else {
        return match requirement {
            LogRequirement::Required => Err(ConfigError::MissingLogKey { name: name.clone() }),
            LogRequirement::WaivedByUser => Ok(None),
        };
    };
    let key: NoteKey = key.parse().map_err(|source| ConfigError::LogKey { name: name.clone(), source })?;
    if key.name() != origin {
        return Err(ConfigError::Origin { origin, key: key.name().to_owned() });
    }
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SecretKey;

    fn config() -> Config {
        let key = SecretKey::from_seed(&[1; 32]).public();
        Config {
            name: "example".parse().expect("a name"),
            log: Some(NoteKey::new("registry.example.com/log", key).expect("a name")),
            keys: vec![key],
            auth_required: false,
            api: Some("api/v1/".to_owned()),
        }
    }

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, LogRequirement::Required)
    }

    #[test]
    fn a_config_comes_back_as_it_was_written() {
        assert_eq!(parse(&config().to_text()).expect("just written"), config());
    }

    #[test]
    fn config_and_log_are_objects() {
        let whole = r#"[1,"example",null,[],false,null]"#;
        assert!(matches!(Config::parse(whole, LogRequirement::WaivedByUser), Err(ConfigError::Json(_))));
        let key = config().log.expect("it has a log");
        let log = format!(r#"{{"version":1,"name":"example","log":["{}","{key}"]}}"#, key.name());
        assert!(matches!(parse(&log), Err(ConfigError::Json(_))));
    }

    #[test]
    fn an_index_of_the_future_is_refused_by_its_version_whatever_else_it_holds() {
        let error = parse(r#"{"version":2,"name":7}"#).expect_err("version 2");
        assert!(matches!(error, ConfigError::NewerVersion { found: 2 }), "{error}");
        assert!(matches!(parse(r#"{"version":0}"#), Err(ConfigError::NoVersion)));
    }

    #[test]
    fn a_registry_without_a_log_key_is_refused_unless_the_user_waives_the_log() {
        let text = r#"{"version":1,"name":"example","log":null,"unknown":true}"#;
        assert!(matches!(parse(text), Err(ConfigError::MissingLogKey { .. })));
        let config = Config::parse(text, LogRequirement::WaivedByUser).expect("waived");
        assert_eq!(config.log, None);
    }

    #[test]
    fn a_log_key_must_fit_its_origin_and_its_own_number() {
        let text = config().to_text();
        let moved = text.replace(r#""origin":"registry"#, r#""origin":"other"#);
        assert!(matches!(parse(&moved), Err(ConfigError::Origin { .. })));
        let renamed = text.replace("registry.example.com", "registry.example.org");
        assert!(matches!(parse(&renamed), Err(ConfigError::LogKey { source: NoteKeyError::Id { .. }, .. })));
    }

    #[test]
    fn event_keys_count_only_as_the_log_states_them() {
        let signer = crate::log::NoteSigner::new("example.org/log", SecretKey::from_seed(&[1; 32])).expect("a name");
        let root = crate::log::leaf_hash(b"a leaf");
        let states = |keys: &[PublicKey]| Checkpoint::sign(1, root, keys_digest(keys), &signer);
        let (none, other) = (Config { keys: Vec::new(), ..config() }, SecretKey::from_seed(&[2; 32]).public());
        assert_eq!(config().check_keys(&states(&config().keys)), Ok(()));
        assert_eq!(none.check_keys(&states(&[])), Ok(()));
        for (config, stated) in [(config(), vec![]), (none, config().keys), (config(), vec![other])] {
            let error = config.check_keys(&states(&stated)).expect_err("they differ");
            assert_eq!((error.stated, error.found), (keys_digest(&stated), keys_digest(&config.keys)));
        }
    }

    #[test]
    fn a_repeated_field_is_refused() {
        let text = config().to_text().replace(r#"{"version":1"#, r#"{"version":1,"extra":1,"extra":2"#);
        assert!(matches!(parse(&text), Err(ConfigError::Json(_))));
    }
}
