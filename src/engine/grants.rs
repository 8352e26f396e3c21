//! What a plugin may do: what its manifest asks for **and** the user granted.
//!
//! Every refusal is a [`CallError`] of kind `denied`, in the same words in all runtimes, and says which of the two is missing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
pub use pocket_index::permissions::Word;
use pocket_index::permissions::{
    Access, FilesystemPattern, Host, NetworkPattern, PermissionError, Permissions, Port, ResolveError,
};
use serde_json::{Map, Value};

use super::error::{CallError, CallErrorKind};

/// Why grants cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The manifest asks for something that is not written as it must be.
    #[error("{0}")]
    Asked(#[from] PermissionError),
    /// A host or port is to come from a setting that does not fit.
    #[error("{0}")]
    Setting(#[from] ResolveError),
}

impl From<GrantError> for CallError {
    fn from(error: GrantError) -> Self {
        Self::load(error.to_string())
    }
}

/// The words that a user granted to one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantedWords(BTreeSet<Word>);

impl GrantedWords {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything that a manifest can ask for.
    pub fn all() -> Self {
        Self(Word::ALL.into())
    }

    /// These words.
    pub fn of(words: impl IntoIterator<Item = Word>) -> Self {
        Self(words.into_iter().collect())
    }

    /// Whether `word` was granted.
    pub fn has(&self, word: Word) -> bool {
        self.0.contains(&word)
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = Word> + '_ {
        self.0.iter().copied()
    }
}

/// Which private addresses a granted host may lead to. A name in a manifest says nothing of where it leads: its owner can point
/// it at the user's router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Those that the user grants with `plugins.security.private_networks`.
    Configured,
    /// This machine's too: the permission says `localhost`.
    Loopback,
    /// All: the permission shows the address itself, or the user wrote the host into a setting.
    Any,
}

/// A host that the manifest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AskedHost {
    pattern: NetworkPattern,
    /// The setting that the host comes from.
    setting: Option<String>,
    reach: Reach,
}

impl AskedHost {
    fn new(text: &str, settings: &Map<String, Value>) -> Result<Self, GrantError> {
        let written: NetworkPattern = text.parse()?;
        let pattern = written.resolve(settings)?;
        Ok(match written.host {
            Host::Setting(setting) => Self { pattern, setting: Some(setting), reach: Reach::Any },
            host => Self { pattern, setting: None, reach: reach_of(&host) },
        })
    }
}

/// How far a host that the manifest shows leads.
fn reach_of(host: &Host) -> Reach {
    match host {
        Host::Exact(name) if name.parse::<IpAddr>().is_ok() => Reach::Any,
        Host::Exact(name) if name == "localhost" => Reach::Loopback,
        _ => Reach::Configured,
    }
}

/// What a plugin may do: asked **and** granted. What was asked stays known, for the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    asked_env: Vec<String>,
    asked_http: Vec<AskedHost>,
    asked_network: Vec<AskedHost>,
    asked_folders: Vec<FilesystemPattern>,
    granted: GrantedWords,
    private_networks: Vec<IpNet>,
    base: PathBuf,
}

impl Grants {
    /// From what the manifest asks, what the user granted, and the plugin's settings, whose values stand for `{host}` and
    /// `{port}`.
    pub fn new(asked: &Permissions, granted: &GrantedWords, settings: &Map<String, Value>) -> Result<Self, GrantError> {
        Ok(Self {
            asked_env: asked.env.clone(),
            asked_http: hosts(&asked.http, settings)?,
            asked_network: hosts(&asked.network, settings)?,
            asked_folders: asked.filesystem.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            granted: granted.clone(),
            private_networks: Vec::new(),
            base: PathBuf::from("."),
        })
    }

    /// The same for settings of which those in `defaults` have the manifest's value: the user did not write them, so their hosts
    /// lead to private addresses no further than this machine.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &BTreeSet<String>) -> Self {
        for host in self.asked_http.iter_mut().chain(&mut self.asked_network) {
            if host.setting.as_ref().is_some_and(|setting| defaults.contains(setting)) {
                host.reach = match &host.pattern.host {
                    Host::Exact(name) if name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) => {
                        Reach::Loopback
                    }
                    Host::Exact(name) if name == "localhost" => Reach::Loopback,
                    _ => Reach::Configured,
                };
            }
        }
        self
    }

    /// The same with private networks that every granted host may lead to.
    #[must_use]
    pub fn with_private_networks(self, private_networks: Vec<IpNet>) -> Self {
        Self { private_networks, ..self }
    }

    /// The same with another folder from which relative paths start, those of the plugin and those of its manifest. Without it
    /// that is the current one.
    #[must_use]
    pub fn with_base(self, base: PathBuf) -> Self {
        Self { base, ..self }
    }

    /// The folder from which relative paths start.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Whether `pocket.yaml` grants the network of a private address.
    pub fn has_private(&self, address: IpAddr) -> bool {
        self.private_networks.iter().any(|network| network.contains(&address))
    }

    /// The environment variables that may be read.
    pub fn env(&self) -> &[String] {
        self.when(Word::ReadEnv, &self.asked_env)
    }

    /// Names and values of the environment variables that may be read and are set.
    pub fn env_values(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.env().iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
    }

    /// The hosts and ports that HTTP requests may go to.
    pub fn http(&self) -> impl Iterator<Item = &NetworkPattern> + '_ {
        self.when(Word::HttpClient, &self.asked_http).iter().map(|asked| &asked.pattern)
    }

    /// The hosts and ports that stream connections may go to.
    pub fn network(&self) -> impl Iterator<Item = &NetworkPattern> + '_ {
        self.when(Word::NetworkAccess, &self.asked_network).iter().map(|asked| &asked.pattern)
    }

    /// The folders that may be used, each in its direction.
    pub fn folders(&self) -> impl Iterator<Item = &FilesystemPattern> + '_ {
        self.asked_folders.iter().filter(|folder| self.granted.has(word_of(folder.access)))
    }

    /// What the manifest asks for under a word that was not granted, as it writes it.
    pub(super) fn withheld(&self, word: Word) -> Vec<String> {
        if self.granted.has(word) {
            return Vec::new();
        }
        let hosts = |asked: &[AskedHost]| asked.iter().map(|asked| asked.pattern.to_string()).collect();
        let folders = |access| self.asked_folders(access).map(FilesystemPattern::to_string).collect();
        match word {
            Word::ReadEnv => self.asked_env.clone(),
            Word::HttpClient => hosts(&self.asked_http),
            Word::NetworkAccess => hosts(&self.asked_network),
            Word::ReadFiles => folders(Access::Read),
            Word::WriteFiles => folders(Access::Write),
        }
    }

    /// Whether the environment variable `name` may be read.
    pub fn check_env(&self, name: &str) -> Result<(), CallError> {
        self.check(Word::ReadEnv, name, self.asked_env.iter().any(|asked| asked == name))
    }

    /// Whether an HTTP request may go to `host`:`port`, and how far that may lead.
    pub fn check_http(&self, host: &str, port: u16) -> Result<Reach, CallError> {
        self.check_host(Word::HttpClient, &self.asked_http, host, port)
    }

    /// Whether a stream connection may go to `host`:`port`, and how far that may lead.
    pub fn check_network(&self, host: &str, port: u16) -> Result<Reach, CallError> {
        self.check_host(Word::NetworkAccess, &self.asked_network, host, port)
    }

    /// Whether the addresses of `host` may be looked up: a stream connection may go to one of its ports.
    pub fn check_lookup(&self, host: &str) -> Result<Reach, CallError> {
        let matching = self.asked_network.iter().filter(|asked| match asked.pattern.port {
            Port::Exact(port) => asked.pattern.matches(host, port),
            Port::Setting(_) => false,
        });
        let reach = matching.map(|asked| asked.reach).max();
        self.check(Word::NetworkAccess, host, reach.is_some())?;
        Ok(reach.unwrap_or(Reach::Configured))
    }

    /// Whether a folder or file may be used; `asked` says whether the manifest asks for it.
    pub(super) fn check_path(&self, access: Access, path: &str, asked: bool) -> Result<(), CallError> {
        let direction = FilesystemPattern { access, path: path.to_owned() };
        self.check(word_of(access), &direction.to_string(), asked)
    }

    /// The folders and files that the manifest asks for, granted or not.
    pub(super) fn asked_folders(&self, access: Access) -> impl Iterator<Item = &FilesystemPattern> + '_ {
        self.asked_folders.iter().filter(move |folder| folder.access == access)
    }

    fn check_host(&self, word: Word, asked: &[AskedHost], host: &str, port: u16) -> Result<Reach, CallError> {
        let matching = asked.iter().filter(|asked| asked.pattern.matches(host, port));
        let reach = matching.map(|asked| asked.reach).max();
        self.check(word, &format!("{host}:{port}"), reach.is_some())?;
        Ok(reach.unwrap_or(Reach::Configured))
    }

    /// Whether the plugin may do anything that `word` stands for; `what` is what it would do it with.
    pub fn check_any(&self, word: Word, what: &str) -> Result<(), CallError> {
        let asked = match word {
            Word::ReadEnv => !self.asked_env.is_empty(),
            Word::HttpClient => !self.asked_http.is_empty(),
            Word::NetworkAccess => !self.asked_network.is_empty(),
            Word::ReadFiles => self.asked_folders.iter().any(|folder| folder.access == Access::Read),
            Word::WriteFiles => self.asked_folders.iter().any(|folder| folder.access == Access::Write),
        };
        self.check(word, what, asked)
    }

    fn when<'a, T>(&self, word: Word, asked: &'a [T]) -> &'a [T] {
        if self.granted.has(word) { asked } else { &[] }
    }

    fn check(&self, word: Word, what: &str, asked: bool) -> Result<(), CallError> {
        tracing::debug!(target: "pocket::plugin", permission = %word, what, asked, granted = self.granted.has(word), "checked");
        if !asked {
            Err(not_asked(word, what))
        } else if !self.granted.has(word) {
            Err(not_granted(word, what))
        } else {
            Ok(())
        }
    }
}

/// The refusal of something that the manifest does not list.
pub fn not_asked(word: Word, what: &str) -> CallError {
    let field = word.field();
    denied(format!("the plugin used {field} `{what}`, which its manifest does not ask for under `permissions.{field}`"))
}

/// The refusal of something that the manifest lists and the user did not grant.
pub fn not_granted(word: Word, what: &str) -> CallError {
    let field = word.field();
    denied(format!(
        "the plugin used {field} `{what}`, which its manifest asks for but the permission `{word}` was not granted"
    ))
}

/// The refusal of a granted host that leads to a private address.
pub fn not_public(word: Word, what: &str, address: IpAddr) -> CallError {
    let (field, network) = (word.field(), IpNet::from(address));
    denied(format!(
        "the plugin used {field} `{what}`, which leads to the private address {address}; \
         `plugins.security.private_networks: [{network}]` in pocket.yaml grants it"
    ))
}

fn word_of(access: Access) -> Word {
    match access {
        Access::Read => Word::ReadFiles,
        Access::Write => Word::WriteFiles,
    }
}

fn denied(message: String) -> CallError {
    CallError::new(CallErrorKind::Denied, message)
}

fn hosts(texts: &[String], settings: &Map<String, Value>) -> Result<Vec<AskedHost>, GrantError> {
    texts.iter().map(|text| AskedHost::new(text, settings)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> Permissions {
        Permissions {
            env: vec!["API_KEY".into()],
            http: vec!["api.example.com:443".into(), "*.example.org:443".into()],
            network: vec!["{host}:{port}".into()],
            filesystem: vec!["read:./data".into(), "write:./out".into()],
            ..Permissions::default()
        }
    }

    fn settings() -> Map<String, Value> {
        let settings = json!({"host": "Redis.local", "port": 6379});
        settings.as_object().expect("it is an object").clone()
    }

    fn grants(words: &[Word]) -> Grants {
        let words = GrantedWords::of(words.iter().copied());
        Grants::new(&asked(), &words, &settings()).expect("the permissions are well-formed")
    }

    #[test]
    fn an_action_needs_asking_and_granting_and_the_message_says_which_is_missing() {
        assert_eq!(grants(&[Word::ReadEnv]).check_env("API_KEY"), Ok(()));
        let message = |words: &[Word], name| grants(words).check_env(name).expect_err("it is refused").message;
        insta::assert_snapshot!(message(&[Word::ReadEnv], "HOME"), @"the plugin used env `HOME`, which its manifest does not ask for under `permissions.env`");
        insta::assert_snapshot!(message(&[], "API_KEY"), @"the plugin used env `API_KEY`, which its manifest asks for but the permission `read_env` was not granted");
    }

    #[test]
    fn without_a_word_nothing_is_granted() {
        let grants = grants(&[]);
        assert!(grants.env().is_empty() && grants.network().next().is_none());
        assert_eq!(grants.folders().count(), 0);
    }

    #[test]
    fn hosts_match_by_name_and_port_only() {
        let grants = grants(&[Word::HttpClient]);
        for (host, port, allowed) in [
            ("api.example.com", 443, true),
            ("API.Example.Com.", 443, true),
            ("api.example.com", 80, false),
            ("evil-api.example.com", 443, false),
            ("a.b.example.org", 443, true),
            ("example.org", 443, false),
            ("evilexample.org", 443, false),
        ] {
            assert_eq!(grants.check_http(host, port).is_ok(), allowed, "{host}:{port}");
        }
    }

    #[test]
    fn network_takes_the_plugins_own_settings() {
        assert_eq!(grants(&[Word::NetworkAccess]).check_network("redis.local", 6379), Ok(Reach::Any));
        let error = Grants::new(&asked(), &GrantedWords::all(), &Map::new()).expect_err("host is not set");
        assert_eq!(error.to_string(), "`{host}:{port}` needs the setting `host`, which has no value");
    }

    #[test]
    fn a_name_of_the_manifest_leads_less_far_than_what_the_user_wrote_or_saw() {
        let reach = |pattern: &str, defaults: &[&str]| {
            let asked = Permissions { network: vec![pattern.into()], ..Permissions::default() };
            let settings =
                json!({"name": "db.example.com", "here": "localhost", "near": "127.0.0.1", "far": "10.0.0.1"});
            let settings = settings.as_object().expect("it is an object");
            let grants = Grants::new(&asked, &GrantedWords::all(), settings).expect("it is well-formed");
            let grants = grants.with_defaults(&defaults.iter().map(|&name| name.to_owned()).collect());
            let host = pattern.trim_start_matches('{').split(['}', ':']).next().expect("there is a first part");
            let host = settings.get(host).and_then(Value::as_str).unwrap_or(host);
            grants.check_network(host, 1).expect("it is granted")
        };
        let shown = ["db.example.com:1", "localhost:1", "10.0.0.1:1"].map(|pattern| reach(pattern, &[]));
        assert_eq!(shown, [Reach::Configured, Reach::Loopback, Reach::Any]);
        let settings = ["{name}:1", "{here}:1", "{near}:1", "{far}:1"];
        assert_eq!(settings.map(|pattern| reach(pattern, &[])), [Reach::Any; 4]);
        let defaults = [Reach::Configured, Reach::Loopback, Reach::Loopback, Reach::Configured];
        assert_eq!(settings.map(|pattern| reach(pattern, &["name", "here", "near", "far"])), defaults);
    }

    #[test]
    fn folders_have_a_direction_that_is_granted_by_itself() {
        let grants = grants(&[Word::ReadFiles]);
        let folders: Vec<_> = grants.folders().map(FilesystemPattern::to_string).collect();
        assert_eq!(folders, ["read:./data"]);
    }
}
