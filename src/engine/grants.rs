//! What a plugin may do: what its manifest asks for **and** the user granted.
//!
//! Every refusal is a [`CallError`] of kind `denied`, in the same words in all runtimes, and says which of the two is missing.

use std::collections::BTreeSet;

pub use pocket_index::permissions::Word;
use pocket_index::permissions::{
    Access, FilesystemPattern, NetworkPattern, PermissionError, Permissions, ResolveError,
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

/// What a plugin may do: asked **and** granted. What was asked stays known, for the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    asked_env: Vec<String>,
    asked_http: Vec<NetworkPattern>,
    asked_network: Vec<NetworkPattern>,
    asked_folders: Vec<FilesystemPattern>,
    granted: GrantedWords,
}

impl Grants {
    /// From what the manifest asks, what the user granted, and the plugin's settings, whose values stand for `{host}` and
    /// `{port}`.
    pub fn new(asked: &Permissions, granted: &GrantedWords, settings: &Map<String, Value>) -> Result<Self, GrantError> {
        Ok(Self {
            asked_env: asked.env.clone(),
            asked_http: patterns(&asked.http, settings)?,
            asked_network: patterns(&asked.network, settings)?,
            asked_folders: asked.filesystem.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            granted: granted.clone(),
        })
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
    pub fn http(&self) -> &[NetworkPattern] {
        self.when(Word::HttpClient, &self.asked_http)
    }

    /// The hosts and ports that stream connections may go to.
    pub fn network(&self) -> &[NetworkPattern] {
        self.when(Word::NetworkAccess, &self.asked_network)
    }

    /// The folders that may be used, each in its direction.
    pub fn folders(&self) -> impl Iterator<Item = &FilesystemPattern> + '_ {
        self.asked_folders.iter().filter(|folder| {
            self.granted.has(match folder.access {
                Access::Read => Word::ReadFiles,
                Access::Write => Word::WriteFiles,
            })
        })
    }

    /// Whether the environment variable `name` may be read.
    pub fn check_env(&self, name: &str) -> Result<(), CallError> {
        self.check(Word::ReadEnv, name, self.asked_env.iter().any(|asked| asked == name))
    }

    /// Whether an HTTP request may go to `host`:`port`.
    pub fn check_http(&self, host: &str, port: u16) -> Result<(), CallError> {
        let asked = self.asked_http.iter().any(|pattern| pattern.matches(host, port));
        self.check(Word::HttpClient, &format!("{host}:{port}"), asked)
    }

    /// Whether a stream connection may go to `host`:`port`.
    pub fn check_network(&self, host: &str, port: u16) -> Result<(), CallError> {
        let asked = self.asked_network.iter().any(|pattern| pattern.matches(host, port));
        self.check(Word::NetworkAccess, &format!("{host}:{port}"), asked)
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

fn denied(message: String) -> CallError {
    CallError::new(CallErrorKind::Denied, message)
}

fn patterns(texts: &[String], settings: &Map<String, Value>) -> Result<Vec<NetworkPattern>, GrantError> {
    texts.iter().map(|text| Ok(text.parse::<NetworkPattern>()?.resolve(settings)?)).collect()
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
        assert!(grants.env().is_empty() && grants.network().is_empty());
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
        assert_eq!(grants(&[Word::NetworkAccess]).check_network("redis.local", 6379), Ok(()));
        let error = Grants::new(&asked(), &GrantedWords::all(), &Map::new()).expect_err("host is not set");
        assert_eq!(error.to_string(), "`{host}:{port}` needs the setting `host`, which has no value");
    }

    #[test]
    fn folders_have_a_direction_that_is_granted_by_itself() {
        let grants = grants(&[Word::ReadFiles]);
        let folders: Vec<_> = grants.folders().map(FilesystemPattern::to_string).collect();
        assert_eq!(folders, ["read:./data"]);
    }
}
