//! What stands in a `trust.yaml`: an organisation's rules for all its users' projects.

use std::collections::{BTreeMap, BTreeSet};

use pocket_index::log::WitnessDemand;
use pocket_index::manifest::Runtime;
use pocket_index::name::PluginName;
use pocket_index::pattern::NamePattern;
use pocket_index::permissions::Word;
use pocket_index::signature::PublicKey;

use super::manifest_read::{Read, age, keys, url, witnesses, word_list};
use super::yaml::{self, Field, ManifestError, Yaml};

/// The version of the format that this program reads.
const VERSION: &str = "1";

/// A `trust.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustFile {
    /// The registries that may be used; none allows all.
    pub registries: Option<Vec<AllowedRegistry>>,
    /// Who must have signed plugins of such names.
    pub publishers: BTreeMap<NamePattern, Publishers>,
    /// Who must have seen the checkpoints of registries that say nothing of their own.
    pub witnesses: Option<WitnessDemand>,
    /// How old a version must be before it is picked, in seconds.
    pub min_release_age: u64,
    /// Runtimes that no plugin may need.
    pub denied_runtimes: BTreeSet<Runtime>,
    /// Permissions that no plugin may ask for.
    pub denied_permissions: BTreeSet<Word>,
}

/// A registry that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedRegistry {
    /// Where it is; `bundled` for the one that is compiled in.
    pub url: String,
    /// The key of its log; none only for the bundled one.
    pub key: Option<String>,
    /// Who must have seen its checkpoints.
    pub witnesses: Option<WitnessDemand>,
}

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publishers {
    /// The keys that count.
    pub keys: Vec<PublicKey>,
    /// How many of them must have signed.
    pub min_signatures: usize,
}

impl TrustFile {
    /// Reads the text of a `trust.yaml`. An empty one is an error: it would look like rules and be none.
    ///
    /// # Errors
    /// The text is not YAML, has no `version: 1`, or a key or value that this program does not know.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let missing = "`version: 1` is missing";
        let Some(root) = yaml::parse(text)? else {
            return Err(ManifestError { line: 1, column: 1, message: missing.to_owned() });
        };
        let root = Field { path: String::new(), node: &root };
        if !matches!(root.node.value, Yaml::Map(_)) {
            return Err(ManifestError::at(root.node, "expected a mapping with `version: 1`"));
        }
        let fields = root.keys(&["version", "registries", "publishers", "witnesses", "min_release_age", "denied"])?;
        let version = fields.get("version").ok_or_else(|| ManifestError::at(root.node, missing))?;
        let found: String = version.parsed()?;
        if found != VERSION {
            return Err(version.error(format!("this program reads version {VERSION}, found {}", found.escape_debug())));
        }
        let denied = fields.get("denied").map(|field| field.keys(&["runtimes", "permissions"])).transpose()?;
        let denied = denied.unwrap_or_default();
        let runtimes: Option<Vec<Runtime>> =
            denied.get("runtimes").map(|field| field.list(Field::parsed)).transpose()?;
        Ok(Self {
            registries: fields.get("registries").map(|field| field.list(registry)).transpose()?,
            publishers: fields.get("publishers").map(|field| field.named(publishers)).transpose()?.unwrap_or_default(),
            witnesses: fields.get("witnesses").map(witnesses).transpose()?,
            min_release_age: fields.get("min_release_age").map(age).transpose()?.unwrap_or(0),
            denied_runtimes: runtimes.into_iter().flatten().collect(),
            denied_permissions: denied.get("permissions").map(word_list).transpose()?.unwrap_or_default(),
        })
    }

    /// Who must have signed a plugin of this name. Of several patterns the one with the most letters counts, alone.
    pub fn publishers_of(&self, name: &PluginName) -> Option<&Publishers> {
        let fitting = self.publishers.iter().filter(|(pattern, _)| pattern.matches(name));
        fitting.max_by_key(|(pattern, _)| pattern.letters()).map(|(_, publishers)| publishers)
    }
}

fn registry(field: &Field<'_>) -> Read<AllowedRegistry> {
    let fields = field.keys(&["url", "key", "witnesses"])?;
    let address = fields.get("url").ok_or_else(|| field.error("`url` is missing"))?;
    let key = fields.get("key").map(Field::text).transpose()?.map(str::to_owned);
    let witnesses = fields.get("witnesses").map(witnesses).transpose()?;
    match (address.text()?, key) {
        ("bundled", _) if witnesses.is_some() => {
            Err(field.error("`witnesses` does not go with `bundled`, which is compiled in"))
        }
        ("bundled", None) => Ok(AllowedRegistry { url: "bundled".to_owned(), key: None, witnesses }),
        ("bundled", Some(_)) => Err(field.error("`key` does not go with `bundled`, which is compiled in")),
        (_, None) => Err(field.error("`key` is missing: the key of the registry's log, as its `config.json` shows it")),
        (_, key) => Ok(AllowedRegistry { url: url(address)?, key, witnesses }),
    }
}

fn publishers(field: &Field<'_>) -> Read<Publishers> {
    let fields = field.keys(&["keys", "min_signatures"])?;
    let listed = fields.get("keys").ok_or_else(|| field.error("`keys` is missing"))?;
    let mut keys = keys(listed)?;
    keys.sort();
    keys.dedup();
    let Some(minimum) = fields.get("min_signatures") else { return Ok(Publishers { keys, min_signatures: 1 }) };
    let min_signatures: usize = minimum.parsed()?;
    if min_signatures == 0 || min_signatures > keys.len() {
        return Err(minimum.error(format!("expected 1 to {}, the number of keys, found {min_signatures}", keys.len())));
    }
    Ok(Publishers { keys, min_signatures })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ed25519:e3c69950f147144e98d529f7623f4b5135c8fd5673f33aed4b9ae9f1b640c1b4";

    fn error(text: &str) -> String {
        TrustFile::parse(text).expect_err("it is refused").to_string()
    }

    #[test]
    fn every_key_is_read() {
        let text = format!(
            "version: 1\nregistries:\n  - {{url: bundled}}\n  - {{url: \"https://corp.example.com/\", key: corp+1+A}}\n\
             publishers:\n  '*': {{keys: [\"{KEY}\"]}}\n  acme-*: {{keys: [\"{KEY}\"], min_signatures: 1}}\n\
             min_release_age: 7d\ndenied: {{runtimes: [native], permissions: [write_files]}}\n"
        );
        let file = TrustFile::parse(&text).expect("it is well-formed");
        assert_eq!(file.registries.as_ref().map(Vec::len), Some(2));
        assert_eq!(file.min_release_age, 7 * 86_400);
        assert_eq!(file.denied_runtimes, [Runtime::Native].into());
        assert_eq!(file.denied_permissions, [Word::WriteFiles].into());
        let name = "acme-geo".parse().expect("a name");
        assert_eq!(file.publishers_of(&name), file.publishers.get(&"acme-*".parse().expect("a pattern")));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let found = [
            error("# nothing\n"),
            error("registries: []\n"),
            error("version: 2\n"),
            error("version: 1\nregistry: []\n"),
            error("version: 1\nregistries:\n  - url: https://example.com/\n"),
            error(&format!("version: 1\npublishers:\n  a*: {{keys: [\"{KEY}\", \"{KEY}\"], min_signatures: 2}}\n")),
            error("version: 1\npublishers:\n  a*: {keys: []}\n"),
            error("version: 1\ndenied: {permissions: [everything]}\n"),
        ];
        insta::assert_snapshot!(found.join("\n"), @"
        line 1, column 1: `version: 1` is missing
        line 1, column 1: `version: 1` is missing
        line 1, column 10: `version`: this program reads version 1, found 2
        line 2, column 1: unknown key `registry`; known are `version`, `registries`, `publishers`, `witnesses`, `min_release_age`, `denied`
        line 3, column 5: `registries[0]`: `key` is missing: the key of the registry's log, as its `config.json` shows it
        line 3, column 184: `publishers.a*.min_signatures`: expected 1 to 1, the number of keys, found 2
        line 3, column 14: `publishers.a*.keys`: expected at least one public key
        line 2, column 24: `denied.permissions[0]`: `everything` is not one of `read_env`, `http_client`, `network_access`, `read_files`, `write_files`
        ");
    }
}
