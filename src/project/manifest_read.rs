//! Reads `pocket.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use pocket_index::age::parse_age;
use pocket_index::log::WitnessDemand;
use pocket_index::name::PluginName;
use pocket_index::permissions::{Word, parse_memory};
use pocket_index::repository::Repository;
use pocket_index::signature::PublicKey;
use semver::VersionReq;
use serde_json::{Map, Value};

use super::allowance::Allowance;
use super::limits::LimitSettings;
use super::manifest::{
    Autoload, Dependency, DependencySource, ForgeSettings, LogLevel, PluginSettings, ProjectManifest, RegistrySettings,
    Security, Signing,
};
use super::yaml::{self, Field, ManifestError, Yaml};

pub(super) type Read<T> = Result<T, ManifestError>;

const LOG_LEVELS: [(&str, LogLevel); 6] = [
    ("off", LogLevel::Off),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

impl LogLevel {
    /// The level that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        LOG_LEVELS.into_iter().find(|(known, _)| *known == word).map(|(_, level)| level)
    }
}

impl ProjectManifest {
    /// Reads the text of a `pocket.yaml`; an empty one sets nothing.
    ///
    /// # Errors
    /// The text is not YAML, or a key or value is not one that Pocket knows.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let Some(root) = yaml::parse(text)? else { return Ok(Self::default()) };
        let root = Field { path: String::new(), node: &root };
        if !matches!(root.node.value, Yaml::Map(_)) {
            return Err(ManifestError::at(
                root.node,
                "expected a mapping with `plugins`, `registries`, `forges`, `trust_key` or `log_level`",
            ));
        }
        let fields = root.keys(&["plugins", "registries", "forges", "trust_key", "log_level"])?;
        Ok(Self {
            plugins: fields.get("plugins").map(plugins).transpose()?.unwrap_or_default(),
            registries: fields.get("registries").map(|field| field.named(registry)).transpose()?.unwrap_or_default(),
            forges: fields.get("forges").map(forges).transpose()?.unwrap_or_default(),
            trust_key: fields.get("trust_key").map(Field::parsed).transpose()?,
            log_level: fields.get("log_level").map(|field| field.word(&LOG_LEVELS)).transpose()?,
        })
    }
}

fn plugins(field: &Field<'_>) -> Read<PluginSettings> {
    let known = ["directories", "autoload", "targets", "vendor", "dependencies", "config", "limits", "security"];
    let fields = field.keys(&known)?;
    let folder = |field: &Field<'_>| field.text().map(str::to_owned);
    let autoload = |field: &Field<'_>| Ok(if field.flag()? { Autoload::On } else { Autoload::Off });
    Ok(PluginSettings {
        directories: fields.get("directories").map(|field| field.list(folder)).transpose()?,
        autoload: fields.get("autoload").map(autoload).transpose()?,
        targets: fields.get("targets").map(|field| field.list(Field::parsed)).transpose()?.unwrap_or_default(),
        vendor: fields.get("vendor").map(folder).transpose()?,
        dependencies: fields.get("dependencies").map(|field| field.named(dependency)).transpose()?.unwrap_or_default(),
        config: fields.get("config").map(|field| field.named(settings)).transpose()?.unwrap_or_default(),
        limits: fields.get("limits").map(LimitSettings::read).transpose()?.unwrap_or_default(),
        security: fields.get("security").map(security).transpose()?.unwrap_or_default(),
    })
}

fn dependency(field: &Field<'_>) -> Read<Dependency> {
    match &field.node.value {
        Yaml::Text(_) | Yaml::Number(_) => Ok(Dependency::new(field.parsed()?)),
        Yaml::Map(_) => detailed_dependency(field),
        _ => Err(field
            .error("expected a requirement such as `^1.2`, or a mapping with `version`, `release`, `url` or `path`")),
    }
}

fn detailed_dependency(field: &Field<'_>) -> Read<Dependency> {
    let fields = field.keys(&["version", "registry", "release", "url", "path", "sha256"])?;
    let sources: Vec<_> =
        ["registry", "release", "url", "path"].into_iter().filter(|key| fields.contains_key(key)).collect();
    if let [first, second, ..] = sources[..] {
        return Err(field.error(format!("`{first}` and `{second}` exclude each other")));
    }
    if let Some(digest) = fields.get("sha256").filter(|_| !fields.contains_key("url")) {
        return Err(digest.error("goes with `url` only: an index or the lock says the digest otherwise"));
    }
    let requirement = fields.get("version").map(Field::parsed).transpose()?;
    let source = match (fields.get("url"), fields.get("path")) {
        (Some(address), _) => {
            DependencySource::Url { url: url(address)?, sha256: fields.get("sha256").map(Field::parsed).transpose()? }
        }
        (_, Some(path)) => DependencySource::Path(path.text()?.to_owned()),
        _ if fields.contains_key("release") => DependencySource::Release(fields["release"].parsed()?),
        _ => DependencySource::Registry(fields.get("registry").map(Field::parsed).transpose()?),
    };
    match (requirement, &source) {
        (Some(requirement), _) => Ok(Dependency { requirement, source }),
        (None, DependencySource::Registry(_)) => Err(field.error("`version` is missing; `*` takes any")),
        (None, _) => Ok(Dependency { requirement: VersionReq::STAR, source }),
    }
}

pub(super) fn url(field: &Field<'_>) -> Read<String> {
    let text = field.text()?;
    match text.split_once("://") {
        Some(("http" | "https" | "file", rest)) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err(field.error("expected an address that starts with `https://`, `http://` or `file://`")),
    }
}

/// Reads a file of settings alone: a mapping, `${NAME}` not yet replaced.
///
/// # Errors
/// The text is not YAML, or no mapping.
pub fn read_settings(text: &str) -> Read<Map<String, Value>> {
    let Some(root) = yaml::parse(text)? else { return Ok(Map::new()) };
    if !matches!(root.value, Yaml::Map(_)) {
        return Err(ManifestError::at(&root, "expected a mapping with the plugin's settings"));
    }
    settings(&Field { path: String::new(), node: &root })
}

fn settings(field: &Field<'_>) -> Read<Map<String, Value>> {
    let entries = field.entries()?;
    Ok(entries.into_iter().map(|(key, field)| (key.value.clone(), field.node.value.to_json())).collect())
}

fn security(field: &Field<'_>) -> Read<Security> {
    let known = [
        "default_permissions",
        "permissions",
        "allow_exec",
        "allow_env",
        "unconfined",
        "denied_runtimes",
        "denied_permissions",
        "private_networks",
        "required_signers",
        "witnesses",
    ];
    let fields = field.keys(&known)?;
    let runtimes = |field: &Field<'_>| field.list(Field::parsed);
    let signers = |field: &Field<'_>| field.named(keys);
    Ok(Security {
        default_permissions: fields.get("default_permissions").map(permission_words).transpose()?,
        permissions: fields
            .get("permissions")
            .map(|field| field.named(permission_words))
            .transpose()?
            .unwrap_or_default(),
        allow_exec: fields.get("allow_exec").map(Allowance::read).transpose()?,
        allow_env: fields.get("allow_env").map(Allowance::read).transpose()?,
        unconfined: names(fields.get("unconfined"))?,
        denied_runtimes: fields
            .get("denied_runtimes")
            .map(runtimes)
            .transpose()?
            .unwrap_or_default()
            .into_iter()
            .collect(),
        denied_permissions: fields.get("denied_permissions").map(word_list).transpose()?.unwrap_or_default(),
        private_networks: fields.get("private_networks").map(|field| field.list(network)).transpose()?,
        required_signers: fields.get("required_signers").map(signers).transpose()?.unwrap_or_default(),
        witnesses: fields.get("witnesses").map(witnesses).transpose()?,
    })
}

/// `10.0.0.0/8`, or a single address.
fn network(field: &Field<'_>) -> Read<IpNet> {
    let text = field.text()?;
    let shown = text.escape_debug();
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    match network.map(|network: IpNet| (network, network.trunc())) {
        Ok((network, whole)) if network == whole => Ok(whole),
        // Who writes `10.0.0.5/8` means one address, or a network that does not start there.
        Ok((_, whole)) => Err(field.error(format!("`{shown}` is no network: expected an address alone, or `{whole}`"))),
        Err(_) => Err(field.error(format!("`{shown}` is no network: expected one such as `10.0.0.0/8` or `fd00::/8`"))),
    }
}

fn names(field: Option<&Field<'_>>) -> Read<BTreeSet<PluginName>> {
    let names: Option<Vec<PluginName>> = field.map(|field| field.list(Field::parsed)).transpose()?;
    Ok(names.unwrap_or_default().into_iter().collect())
}

/// At least one key.
pub(super) fn keys(field: &Field<'_>) -> Read<Vec<PublicKey>> {
    let keys: Vec<PublicKey> = field.list(Field::parsed)?;
    if keys.is_empty() { Err(field.error("expected at least one public key")) } else { Ok(keys) }
}

/// Keys of witnesses, and how many of them must have cosigned. The number is not guessed.
pub(super) fn witnesses(field: &Field<'_>) -> Read<WitnessDemand> {
    let fields = field.keys(&["keys", "threshold"])?;
    let keys = fields.get("keys").ok_or_else(|| field.error("`keys` is missing"))?.list(Field::parsed)?;
    let missing = "`threshold` is missing: how many of the keys must have cosigned";
    let threshold = fields.get("threshold").ok_or_else(|| field.error(missing))?.parsed()?;
    WitnessDemand::new(keys, threshold).map_err(|error| field.error(error.to_string()))
}

/// A list of words.
pub(super) fn word_list(field: &Field<'_>) -> Read<BTreeSet<Word>> {
    let words = field.list(|item| item.word(&Word::ALL.map(|word| (word.as_str(), word))))?;
    Ok(words.into_iter().collect())
}

/// A list of words; `none` stands alone.
fn permission_words(field: &Field<'_>) -> Read<BTreeSet<Word>> {
    let mut words: Vec<(&str, Option<Word>)> = vec![("none", None)];
    words.extend(Word::ALL.map(|word| (word.as_str(), Some(word))));
    let listed = field.list(|item| item.word(&words))?;
    if listed.len() > 1 && listed.contains(&None) {
        return Err(field.error("`none` cannot stand beside other words"));
    }
    Ok(listed.into_iter().flatten().collect())
}

fn registry(field: &Field<'_>) -> Read<RegistrySettings> {
    if let Yaml::Text(_) = &field.node.value {
        return Ok(RegistrySettings {
            url: url(field)?,
            signing: Signing::OnFirstUse,
            min_release_age: None,
            max_age: None,
            max_unpacked: None,
        });
    }
    let fields = field.keys(&["url", "key", "unsigned", "min_release_age", "max_age", "max_unpacked"])?;
    let Some(address) = fields.get("url") else { return Err(field.error("`url` is missing")) };
    let unsigned = fields.get("unsigned").map(Field::flag).transpose()?.unwrap_or(false);
    let signing = match fields.get("key") {
        Some(key) if unsigned => return Err(key.error("`key` and `unsigned: true` exclude each other")),
        Some(key) => Signing::Key(key.text()?.to_owned()),
        None if unsigned => Signing::Unsigned,
        None => Signing::OnFirstUse,
    };
    Ok(RegistrySettings {
        url: url(address)?,
        signing,
        min_release_age: fields.get("min_release_age").map(age).transpose()?,
        max_age: fields.get("max_age").map(age).transpose()?,
        max_unpacked: fields.get("max_unpacked").map(bytes).transpose()?,
    })
}

/// A host and its API: `{api: URL}`, or the URL alone.
fn forges(field: &Field<'_>) -> Read<BTreeMap<String, ForgeSettings>> {
    let mut forges = BTreeMap::new();
    for (host, settings) in field.entries()? {
        // The host is what stands before the first `/` of a repository.
        if format!("{}/owner/repository", host.value).parse::<Repository>().is_err() {
            let message =
                format!("`{}`: `{}` is no host such as `git.example.com`", field.path, host.value.escape_debug());
            return Err(ManifestError::at(host, message));
        }
        let api = match &settings.node.value {
            Yaml::Text(_) => url(&settings)?,
            _ => match settings.keys(&["api"])?.get("api") {
                Some(api) => url(api)?,
                None => return Err(settings.error("`api` is missing")),
            },
        };
        forges.insert(host.value.to_ascii_lowercase(), ForgeSettings { api });
    }
    Ok(forges)
}

/// The line in which `plugins.dependencies` names a plugin, for messages about it.
pub(super) fn dependency_line(text: &str, name: &PluginName) -> Option<u64> {
    let root = yaml::parse(text).ok()??;
    let child = |node: &Field<'_>, key: &str| -> Option<u64> {
        node.entries().ok()?.into_iter().find(|(found, _)| found.value == key).map(|(found, _)| found.referenced.line())
    };
    let root = Field { path: String::new(), node: &root };
    let (_, plugins) = root.entries().ok()?.into_iter().find(|(key, _)| key.value == "plugins")?;
    let (_, dependencies) = plugins.entries().ok()?.into_iter().find(|(key, _)| key.value == "dependencies")?;
    child(&dependencies, name.as_str())
}

/// An amount of memory as manifests write it: `512MiB`.
fn bytes(field: &Field<'_>) -> Read<u64> {
    parse_memory(field.text()?).map_err(|_| field.error("expected a size such as `512MiB` or `1GB`"))
}

/// A whole number with a unit: `7d`, `12h`, `30m`, `45s`; `0` alone.
pub(super) fn age(field: &Field<'_>) -> Read<u64> {
    let expected = || field.error("expected an age such as `7d`, `12h`, `30m` or `0`");
    let text = match &field.node.value {
        Yaml::Number(number) => number.to_string(),
        _ => field.text()?.to_owned(),
    };
    parse_age(&text).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    const WHOLE: &str = r#"
plugins:
  directories: ["./plugins", "~/.pocket/plugins"]
  autoload: true
  targets: [x86_64-unknown-linux-gnu, aarch64-apple-darwin]
  vendor: ./vendor
  dependencies:
    geo: ^1.2          # the usual form
    redis-cache: { version: ">=1, <3", registry: corp }
    weather: { url: "https://example.com/weather.tar.gz", sha256: "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }
    local: { path: ./mine }
    redis: { release: github.com/example/pocket-plugin-redis, version: ^1.2 }
    pinned: 1.2
  config:
    redis-cache: { host: "${REDIS_HOST:-localhost}", port: 6379, tags: [a, "${NAME}"] }
  security:
    default_permissions: [read_env, http_client]
    permissions: { geo: [none], weather: [network_access] }
    allow_exec: false
    allow_env: [REGION, "APP_*"]
    denied_runtimes: [native]
    private_networks: [10.0.0.0/8, 192.168.1.7, "fd00::/8"]
registries:
  bundled: https://plugins.example.com
  corp: { url: "https://corp.example.com/index", unsigned: true, min_release_age: 7d, max_age: 36h, max_unpacked: 1GiB }
forges:
  git.example.com: { api: "https://git.example.com/api/v1" }
  Other.example.com:3000: http://other.example.com:3000/api
log_level: debug
"#;

    fn error(text: &str) -> String {
        ProjectManifest::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_key_is_read() {
        let manifest = ProjectManifest::parse(WHOLE).unwrap();
        let plugins = &manifest.plugins;
        assert_eq!(plugins.autoload, Some(Autoload::On));
        assert_eq!(plugins.targets, ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin"].map(|t| t.parse().unwrap()));
        assert_eq!(plugins.vendor.as_deref(), Some("./vendor"));
        assert_eq!(plugins.dependencies["geo"], Dependency::new("^1.2".parse().unwrap()));
        assert_eq!(plugins.dependencies["pinned"].requirement, "1.2".parse().unwrap());
        assert_eq!(
            plugins.dependencies["redis-cache"].source,
            DependencySource::Registry(Some("corp".parse().unwrap()))
        );
        assert_eq!(plugins.dependencies["local"].source, DependencySource::Path("./mine".to_owned()));
        assert!(matches!(&plugins.dependencies["weather"].source, DependencySource::Url { sha256: Some(_), .. }));
        let repository = "github.com/example/pocket-plugin-redis".parse().unwrap();
        assert_eq!(plugins.dependencies["redis"].source, DependencySource::Release(repository));
        assert_eq!(manifest.forges["git.example.com"].api, "https://git.example.com/api/v1");
        assert_eq!(manifest.forges["other.example.com:3000"].api, "http://other.example.com:3000/api");
        assert!(plugins.security.permissions["geo"].is_empty());
        assert_eq!(plugins.security.allow_exec, Some(Allowance::NOTHING));
        assert!(plugins.security.allow_env.as_ref().is_some_and(|env| env.covers("APP_KEY")));
        let networks = ["10.0.0.0/8", "192.168.1.7/32", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(plugins.security.private_networks, Some(networks));
        assert_eq!(manifest.registries["corp"].min_release_age, Some(7 * 86_400));
        assert_eq!(manifest.registries["corp"].max_age, Some(36 * 3_600));
        assert_eq!(manifest.registries["corp"].max_unpacked, Some(1 << 30));
        assert_eq!(manifest.registries["corp"].signing, Signing::Unsigned);
        assert_eq!(manifest.log_level, Some(LogLevel::Debug));
    }

    #[test]
    fn a_dependencys_line_is_known() {
        assert_eq!(dependency_line(WHOLE, &"local".parse().unwrap()), Some(11));
        assert_eq!(dependency_line(WHOLE, &"nowhere".parse().unwrap()), None);
    }

    #[test]
    fn settings_take_variables_when_they_are_used() {
        let manifest = ProjectManifest::parse(WHOLE).unwrap();
        let plugin = "redis-cache".parse().unwrap();
        let env = |name: &str| (name == "NAME").then(|| "b".to_owned());
        let config = manifest.plugin_config(&plugin, &env).unwrap();
        assert_eq!(Value::Object(config), json!({ "host": "localhost", "port": 6379, "tags": ["a", "b"] }));
        let missing = manifest.plugin_config(&plugin, &|_| None).unwrap_err();
        assert_snapshot!(missing, @"
        `plugins.config.redis-cache.tags[1]` needs the environment variable `NAME`, which is not set
        ");
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        for empty in ["", "\n", "# nothing\n", "---\n", "plugins:\n", "\u{feff}# marked\n"] {
            assert_eq!(ProjectManifest::parse(empty), Ok(ProjectManifest::default()), "{empty:?}");
        }
    }

    #[test]
    fn errors_name_place_key_and_what_was_expected() {
        let broken = [
            "plugin:\n  autoload: true",
            "plugins:\n  dependancies: {}",
            "plugins:\n  dependencies:\n    Geo: ^1",
            "plugins:\n  dependencies:\n    geo: ^^1",
            "plugins:\n  dependencies:\n    geo: [1]",
            "plugins:\n  dependencies:\n    geo: { registry: corp }",
            "plugins:\n  dependencies:\n    geo: { version: 1, url: x, path: y }",
            "plugins:\n  dependencies:\n    geo: ^1\n    geo: ^2",
            "plugins:\n  dependencies:\n    geo: { url: example.com }",
            "plugins:\n  dependencies:\n    geo: { release: example/geo, version: 1 }",
            "plugins:\n  autoload: maybe",
            "forges:\n  example: https://example.com",
            "forges:\n  git.example.com: { url: https://git.example.com }",
            "plugins:\n  security:\n    default_permissions: [none, read_env]",
            "plugins:\n  security:\n    permissions: { geo: [read_everything] }",
            "plugins:\n  security:\n    private_networks: [10.0.0.5/8]",
            "plugins:\n  security:\n    private_networks: [intranet]",
            "registries:\n  corp: { url: https://x.example, min_release_age: 7 }",
            "registries:\n  corp: { url: https://x.example, max_age: never }",
            "log_level: [",
            "- a\n- b",
        ];
        let all: Vec<_> = broken.iter().map(|text| error(text)).collect();
        assert_snapshot!(all.join("\n"), @"
        line 1, column 1: unknown key `plugin`; did you mean `plugins`?
        line 2, column 3: unknown key `dependancies` in `plugins`; did you mean `dependencies`?
        line 3, column 5: `plugins.dependencies`: `Geo` is no plugin name: expected lower-case letters, digits and single hyphens, starting with a letter (`[a-z][a-z0-9]*(-[a-z0-9]+)*`)
        line 3, column 10: `plugins.dependencies.geo`: `^^1`: unexpected character '^' while parsing major version number
        line 3, column 10: `plugins.dependencies.geo`: expected a requirement such as `^1.2`, or a mapping with `version`, `release`, `url` or `path`
        line 3, column 10: `plugins.dependencies.geo`: `version` is missing; `*` takes any
        line 3, column 10: `plugins.dependencies.geo`: `url` and `path` exclude each other
        line 4, column 5: the key `geo` is here a second time
        line 3, column 17: `plugins.dependencies.geo.url`: expected an address that starts with `https://`, `http://` or `file://`
        line 3, column 21: `plugins.dependencies.geo.release`: `example/geo`: expected `host/owner/repository`, such as `github.com/example/plugin`
        line 2, column 13: `plugins.autoload`: expected true or false, found text
        line 2, column 3: `forges`: `example` is no host such as `git.example.com`
        line 2, column 22: unknown key `url` in `forges.git.example.com`; known are `api`
        line 3, column 26: `plugins.security.default_permissions`: `none` cannot stand beside other words
        line 3, column 26: `plugins.security.permissions.geo[0]`: `read_everything` is not one of `none`, `read_env`, `http_client`, `network_access`, `read_files`, `write_files`
        line 3, column 24: `plugins.security.private_networks[0]`: `10.0.0.5/8` is no network: expected an address alone, or `10.0.0.0/8`
        line 3, column 24: `plugins.security.private_networks[0]`: `intranet` is no network: expected one such as `10.0.0.0/8` or `fd00::/8`
        line 2, column 52: `registries.corp.min_release_age`: expected an age such as `7d`, `12h`, `30m` or `0`
        line 2, column 44: `registries.corp.max_age`: expected an age such as `7d`, `12h`, `30m` or `0`
        line 1, column 12: unclosed bracket '['
        line 1, column 1: expected a mapping with `plugins`, `registries`, `forges`, `trust_key` or `log_level`
        ");
    }
}
