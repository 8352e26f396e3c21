//! A repository on a forge, as `pocket.yaml` and the lock write it: `github.com/owner/repository`.

use std::fmt;
use std::str::FromStr;

/// 253 bytes: the longest name that DNS has.
const MAX_HOST_BYTES: usize = 253;
/// 100 bytes, as on GitHub.
const MAX_PART_BYTES: usize = 100;

/// A repository: the forge's host (perhaps with a port), the owner and the repository's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    /// Three parts that hold no `/`.
    text: String,
}

/// Why a text names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `host/owner/repository`, such as `github.com/example/plugin`")]
pub struct RepositoryError;

impl Repository {
    /// The forge, in lower case: `github.com`, `git.example.com:3000`.
    pub fn host(&self) -> &str {
        self.parts().0
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        self.parts().1
    }

    /// Its name there.
    pub fn name(&self) -> &str {
        self.parts().2
    }

    fn parts(&self) -> (&str, &str, &str) {
        let (host, rest) = self.text.split_once('/').expect("a repository has three parts");
        let (owner, name) = rest.split_once('/').expect("a repository has three parts");
        (host, owner, name)
    }

    /// What it is remembered by: forges do not tell apart names that differ in case alone.
    pub fn identity(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl FromStr for Repository {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [host, owner, name] = parts[..] else { return Err(RepositoryError) };
        let name = name.strip_suffix(".git").unwrap_or(name);
        if !is_host(host) || !is_part(owner) || !is_part(name) {
            return Err(RepositoryError);
        }
        Ok(Self { text: format!("{}/{owner}/{name}", host.to_ascii_lowercase()) })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// A domain with a dot in it, or anything with a port: a bare word is no host, it may be a folder.
fn is_host(text: &str) -> bool {
    let (domain, port) = text.split_once(':').map_or((text, None), |(domain, port)| (domain, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let has_port = port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    domain.len() <= MAX_HOST_BYTES
        && domain.split('.').all(is_label)
        && (port.is_none() || has_port)
        && (domain.contains('.') || has_port)
}

/// One segment of a URL's path that no forge reads as anything else.
fn is_part(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= MAX_PART_BYTES && !text.starts_with('.') && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_read_as_they_print() {
        for (given, shown) in [
            ("github.com/example/pocket-plugin-redis", "github.com/example/pocket-plugin-redis"),
            ("GitHub.com/Example/x.y_z.git", "github.com/Example/x.y_z"),
            ("127.0.0.1:3000/a/b", "127.0.0.1:3000/a/b"),
            ("localhost:3000/a/b", "localhost:3000/a/b"),
        ] {
            assert_eq!(given.parse::<Repository>().expect("a repository").to_string(), shown);
        }
    }

    #[test]
    fn names_that_differ_in_case_alone_are_one_repository() {
        let identity = |text: &str| text.parse::<Repository>().expect("a repository").identity();
        assert_eq!(identity("github.com/Example/X"), identity("github.com/example/x"));
    }

    #[test]
    fn what_could_leave_its_place_in_a_url_is_no_repository() {
        let bad = [
            "",
            "a/b/c",
            "github.com",
            "github.com/a",
            "github.com/a/b/c",
            "github.com//b",
            "github.com/../b",
            "github.com/a/.",
            "github.com/a/b?c",
            "github.com/a/b#c",
            "github.com/a/%2e%2e",
            "user@github.com/a/b",
            "github.com:0/a/b",
            "-.com/a/b",
            "./a/b",
            "../a/b",
            "github.com/a/b c",
            "github.com/a/.git",
        ];
        for text in bad {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }
}
