//! What was typed after `plugin install`: a name, a URL, or a file.

use std::path::PathBuf;

use pocket_index::digest::Digest;
use pocket_index::name::PluginName;
use reqwest::Url;
use semver::VersionReq;

use super::OpsError;

/// One thing to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A plugin of a registry: `redis-cache`, `redis-cache@1.2.0`, `redis-cache@^1.2`.
    Registry {
        /// The plugin.
        name: PluginName,
        /// The versions that will do; none takes the newest.
        requirement: Option<VersionReq>,
    },
    /// An archive at a URL: `https://example.com/x-1.0.0.tar.gz#sha256=…`.
    Url {
        /// Where it is, without the digest.
        url: Url,
        /// What its bytes must have.
        digest: Option<Digest>,
    },
    /// An archive on this machine.
    File(PathBuf),
}

impl Source {
    /// Reads what was typed. A path is what exists, or looks like one.
    pub fn parse(given: &str) -> Result<Self, OpsError> {
        let error = |reason: String| OpsError::Source { given: given.to_owned(), reason };
        if given.starts_with("https://") || given.starts_with("http://") {
            return parse_url(given).map_err(error);
        }
        if looks_like_a_path(given) {
            return Ok(Self::File(PathBuf::from(given)));
        }
        let (name, requirement) = match given.split_once('@') {
            Some((name, requirement)) => (name, Some(parse_requirement(requirement).map_err(error)?)),
            None => (given, None),
        };
        let name = name.parse().map_err(|cause| error(format!("{cause}; or give a URL or the path of an archive")))?;
        Ok(Self::Registry { name, requirement })
    }
}

fn looks_like_a_path(given: &str) -> bool {
    given.contains('/') || given.ends_with(".tar.gz")
}

/// A whole version means exactly that one, as in `cargo install name@1.2.0`.
fn parse_requirement(text: &str) -> Result<VersionReq, String> {
    let exact = text.parse::<semver::Version>().is_ok();
    let text = if exact { format!("={text}") } else { text.to_owned() };
    text.parse()
        .map_err(|cause| format!("`{text}` is no version requirement: {cause}; expected `1.2.0`, `^1.2`, `>=1, <3`"))
}

fn parse_url(given: &str) -> Result<Source, String> {
    let mut url = Url::parse(given).map_err(|cause| format!("{cause}"))?;
    let digest = match url.fragment() {
        None => None,
        Some(fragment) => {
            let hex = fragment.strip_prefix("sha256=").ok_or("after `#` only `sha256=<64 hex digits>` can stand")?;
            Some(format!("sha256:{hex}").parse().map_err(|cause| format!("{cause}"))?)
        }
    };
    url.set_fragment(None);
    Ok(Source::Url { url, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_urls_and_files_are_told_apart() {
        let registry = |name: &str, requirement: Option<&str>| Source::Registry {
            name: name.parse().expect("a valid name"),
            requirement: requirement.map(|text| text.parse().expect("a valid requirement")),
        };
        let parse = |text| Source::parse(text).expect("it names a plugin");
        assert_eq!(parse("redis-cache"), registry("redis-cache", None));
        assert_eq!(parse("redis-cache@1.2.0"), registry("redis-cache", Some("=1.2.0")));
        assert_eq!(parse("redis-cache@^1.2"), registry("redis-cache", Some("^1.2")));
        assert_eq!(parse("./a.tar.gz"), Source::File("./a.tar.gz".into()));
        assert_eq!(parse("a-1.0.0.tar.gz"), Source::File("a-1.0.0.tar.gz".into()));
        let hex = "0".repeat(64);
        let Source::Url { url, digest } = parse(&format!("https://example.com/x.tar.gz#sha256={hex}")) else {
            panic!("a URL was given");
        };
        assert_eq!(url.as_str(), "https://example.com/x.tar.gz");
        assert_eq!(digest.map(|digest| digest.hex()), Some(hex));
    }

    #[test]
    fn what_names_nothing_is_refused_with_what_is_expected() {
        for bad in ["Redis", "redis@one", "", "https://example.com/x#md5=1", "https://example.com/x#sha256=1"] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }
}
