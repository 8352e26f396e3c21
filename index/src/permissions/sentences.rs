//! What permissions allow, in plain words: the same in a terminal and on a web page.

use super::{Permissions, Word};

/// One thing that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The word that grants it.
    pub word: Word,
    /// What is asked for, as the manifest writes it.
    pub what: String,
    /// What it allows, in plain words.
    pub sentence: String,
}

/// What the permissions allow, a sentence each. Limits a plugin sets itself are no permissions.
pub fn sentences(permissions: &Permissions) -> Vec<String> {
    entries(permissions).into_iter().map(|entry| entry.sentence).collect()
}

/// What the permissions allow, one by one.
pub fn entries(permissions: &Permissions) -> Vec<Entry> {
    let entry = |word, what: &String, sentence| Entry { word, what: what.clone(), sentence };
    let env = permissions.env.iter();
    let env = env.map(|name| entry(Word::ReadEnv, name, format!("may read the environment variable {name}")));
    let http = permissions.http.iter();
    let http = http.map(|place| entry(Word::HttpClient, place, format!("may send HTTP requests to {place}")));
    let network = permissions
        .network
        .iter()
        .map(|place| entry(Word::NetworkAccess, place, format!("may connect to {}", network_place(place))));
    let files = permissions.filesystem.iter().map(|what| match what.split_once(':') {
        Some(("write", folder)) => entry(Word::WriteFiles, what, format!("may write files in {folder}")),
        Some((_, folder)) => entry(Word::ReadFiles, what, format!("may read files in {folder}")),
        None => entry(Word::WriteFiles, what, format!("may use files: {what}")),
    });
    env.chain(http).chain(network).chain(files).collect()
}

/// `{host}:{port}` are the plugin's own settings, which only the user sets.
fn network_place(place: &str) -> String {
    if place.contains('{') { format!("{place}, as its settings say") } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_sentences() {
        let permissions = Permissions {
            env: vec!["HOME".to_owned()],
            http: vec!["api.example.com:443".to_owned()],
            network: vec!["{host}:{port}".to_owned()],
            filesystem: vec!["read:./data".to_owned(), "write:./out".to_owned()],
            memory: Some("64MB".to_owned()),
            timeout: None,
        };
        let expected = [
            "may read the environment variable HOME",
            "may send HTTP requests to api.example.com:443",
            "may connect to {host}:{port}, as its settings say",
            "may read files in ./data",
            "may write files in ./out",
        ];
        assert_eq!(sentences(&permissions), expected);
    }
}
