//! What was typed after `plugin install`: a name, a repository, a URL, or a path.

use std::path::PathBuf;

use pocket_index::digest::Digest;
use pocket_index::name::PluginName;
use pocket_index::repository::Repository;
use reqwest::Url;
use semver::VersionReq;

use super::OpsError;
use crate::registry::forge::Wanted;

/// The forge that is known without configuration.
pub const GITHUB: &str = "github.com";

/// What a single file that is a plugin ends with.
const PLUGIN_FILES: [&str; 5] = [".lua", ".wasm", ".so", ".dylib", ".dll"];
const ARCHIVE: &str = ".tar.gz";

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
    /// A release on a forge: `github.com/owner/repo`, `github.com/owner/repo@^1.2`,
    /// `https://github.com/owner/repo/releases/latest`; each also with `#sha256=…`.
    Release {
        /// The repository.
        repository: Repository,
        /// Which release; none keeps what is locked, and takes the latest where nothing is.
        wanted: Option<Wanted>,
        /// The digests that its archives may have; empty if none was given.
        digests: Vec<Digest>,
    },
    /// An archive at a URL: `https://example.com/x-1.0.0.tar.gz#sha256=…`.
    Url {
        /// Where it is, without the digest.
        url: Url,
        /// What its bytes must have.
        digest: Option<Digest>,
    },
    /// On this machine: an archive, a folder with a manifest, or a single file that is a plugin.
    File(PathBuf),
}

impl Source {
    /// Reads what was typed. What starts with a host is a repository; what has a `/` otherwise is a path.
    pub fn parse(given: &str) -> Result<Self, OpsError> {
        let error = |reason: String| OpsError::Source { given: hide_credentials(given), reason };
        if given.starts_with("https://") || given.starts_with("http://") {
            return parse_url(given).map_err(error);
        }
        if let Some(source) = parse_repository(given) {
            return source.map_err(error);
        }
        if looks_like_a_path(given) {
            return Ok(Self::File(PathBuf::from(given)));
        }
        let (name, requirement) = match given.split_once('@') {
            Some((name, requirement)) => (name, Some(parse_requirement(requirement).map_err(error)?)),
            None => (given, None),
        };
        let name = name.parse().map_err(|cause| {
            error(format!("{cause}; or give `github.com/owner/repo`, a URL, or the path of an archive, folder or file"))
        })?;
        Ok(Self::Registry { name, requirement })
    }
}

fn looks_like_a_path(given: &str) -> bool {
    let is_file = || PLUGIN_FILES.iter().any(|end| given.ends_with(end));
    given.contains(['/', '\\']) || given == "." || given == ".." || given.ends_with(ARCHIVE) || is_file()
}

/// A whole version means exactly that one, as in `cargo install name@1.2.0`.
fn parse_requirement(text: &str) -> Result<VersionReq, String> {
    let exact = text.parse::<semver::Version>().is_ok();
    let text = if exact { format!("={text}") } else { text.to_owned() };
    text.parse()
        .map_err(|cause| format!("`{text}` is no version requirement: {cause}; expected `1.2.0`, `^1.2`, `>=1, <3`"))
}

/// `host/owner/repo[@version][#sha256=…]`; none if it has another shape, such as a path's.
fn parse_repository(given: &str) -> Option<Result<Source, String>> {
    let (rest, fragment) = given.split_once('#').map_or((given, None), |(rest, fragment)| (rest, Some(fragment)));
    let (place, version) = rest.split_once('@').map_or((rest, None), |(place, version)| (place, Some(version)));
    if place.ends_with(ARCHIVE) || PLUGIN_FILES.iter().any(|end| place.ends_with(end)) {
        return None;
    }
    let repository = place.parse().ok()?;
    let source = || {
        let wanted = version.map(|version| parse_requirement(version).map(Wanted::Version)).transpose()?;
        let digests = fragment.map(parse_digests).transpose()?.unwrap_or_default();
        Ok(Source::Release { repository, wanted, digests })
    };
    Some(source())
}

fn parse_url(given: &str) -> Result<Source, String> {
    let mut url = Url::parse(given).map_err(|cause| format!("{cause}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "user names and passwords do not belong in what is written to pocket.yaml and pocket.lock".to_owned()
        );
    }
    let digests = url.fragment().map(parse_digests).transpose()?.unwrap_or_default();
    url.set_fragment(None);
    if let Some((repository, wanted)) = release_page(&url)
        && (repository.host() == GITHUB || wanted.is_some())
    {
        return Ok(Source::Release { repository, wanted, digests });
    }
    if PLUGIN_FILES.iter().any(|end| url.path().ends_with(end)) {
        return Err(
            "only archives (`.tar.gz`) come from a URL; download the file and install it by its path".to_owned()
        );
    }
    match digests[..] {
        [] => Ok(Source::Url { url, digest: None }),
        [digest] => Ok(Source::Url { url, digest: Some(digest) }),
        [..] => Err("an archive has one digest".to_owned()),
    }
}

/// What a forge's page shows: a repository (`/owner/repo`, `/owner/repo/releases`), its latest release
/// (`…/releases/latest`), or one by its tag (`…/releases/tag/v1.2.0`).
pub fn release_page(url: &Url) -> Option<(Repository, Option<Wanted>)> {
    let host = url.host_str()?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let segments: Vec<&str> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    let (repository, rest) = segments.split_at_checked(2)?;
    let repository = format!("{host}/{}/{}", repository[0], repository[1]).parse().ok()?;
    match rest {
        [] | ["releases"] => Some((repository, None)),
        ["releases", "latest"] => Some((repository, Some(Wanted::Latest))),
        ["releases", "tag", tag @ ..] if !tag.is_empty() => {
            Some((repository, Some(Wanted::Tag(unescaped(&tag.join("/"))?))))
        }
        _ => None,
    }
}

/// The text with `%2F` and the like replaced; none if that is no text.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// `sha256=<hex>`, or several separated by commas: one for each target's archive.
fn parse_digests(fragment: &str) -> Result<Vec<Digest>, String> {
    let all = fragment.strip_prefix("sha256=").ok_or("after `#` only `sha256=<64 hex digits>` can stand")?;
    all.split(',').map(|hex| format!("sha256:{hex}").parse().map_err(|cause| format!("{cause}"))).collect()
}

fn hide_credentials(given: &str) -> String {
    match given.split_once("://") {
        Some((scheme, rest)) if rest.split('/').next().is_some_and(|authority| authority.contains('@')) => {
            let (_, rest) = rest.split_once('@').unwrap_or(("", rest));
            format!("{scheme}://…@{rest}")
        }
        _ => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Source {
        Source::parse(text).expect(text)
    }

    fn release(repository: &str, wanted: Option<Wanted>) -> Source {
        Source::Release { repository: repository.parse().expect("a repository"), wanted, digests: Vec::new() }
    }

    #[test]
    fn names_urls_and_files_are_told_apart() {
        let registry = |name: &str, requirement: Option<&str>| Source::Registry {
            name: name.parse().expect("a valid name"),
            requirement: requirement.map(|text| text.parse().expect("a valid requirement")),
        };
        assert_eq!(parse("redis-cache"), registry("redis-cache", None));
        assert_eq!(parse("redis-cache@1.2.0"), registry("redis-cache", Some("=1.2.0")));
        assert_eq!(parse("redis-cache@^1.2"), registry("redis-cache", Some("^1.2")));
        for path in
            ["./a.tar.gz", "a-1.0.0.tar.gz", "x.lua", ".", "../x", "plugins/x", "a.b/c/d.lua", "./github.com/a/b"]
        {
            assert_eq!(parse(path), Source::File(path.into()));
        }
        let hex = "0".repeat(64);
        let Source::Url { url, digest } = parse(&format!("https://example.com/x.tar.gz#sha256={hex}")) else {
            panic!("a URL was given");
        };
        assert_eq!(url.as_str(), "https://example.com/x.tar.gz");
        assert_eq!(digest.map(|digest| digest.hex()), Some(hex));
    }

    #[test]
    fn every_way_to_name_a_release_is_read() {
        let version = |text: &str| Some(Wanted::Version(text.parse().expect("a valid requirement")));
        let tag = |text: &str| Some(Wanted::Tag(text.to_owned()));
        for (text, wanted) in [
            ("github.com/owner/repo", None),
            ("github.com/owner/repo@1.2.0", version("=1.2.0")),
            ("github.com/owner/repo@^1.2", version("^1.2")),
            ("https://github.com/owner/repo", None),
            ("https://github.com/owner/repo.git", None),
            ("https://github.com/owner/repo/releases", None),
            ("https://github.com/owner/repo/releases/latest", Some(Wanted::Latest)),
            ("https://github.com/owner/repo/releases/tag/v1.2.0", tag("v1.2.0")),
            ("https://github.com/owner/repo/releases/tag/redis%2Fv1.2.0", tag("redis/v1.2.0")),
        ] {
            assert_eq!(parse(text), release("github.com/owner/repo", wanted), "{text}");
        }
        let elsewhere = parse("http://git.example.com:3000/owner/repo/releases/latest");
        assert_eq!(elsewhere, release("git.example.com:3000/owner/repo", Some(Wanted::Latest)));
        let asset = parse("https://github.com/owner/repo/releases/download/v1.2.0/redis-1.2.0.tar.gz");
        assert!(matches!(asset, Source::Url { .. }));
    }

    #[test]
    fn a_release_can_come_with_a_digest_for_each_of_its_archives() {
        let (one, other) = ("1".repeat(64), "2".repeat(64));
        let given = format!("github.com/owner/repo@1.2.0#sha256={one},{other}");
        let Source::Release { digests, .. } = parse(&given) else { panic!("a repository was given") };
        assert_eq!(digests.iter().map(Digest::hex).collect::<Vec<_>>(), [one, other]);
    }

    #[test]
    fn what_names_nothing_is_refused_with_what_is_expected() {
        for bad in [
            "Redis",
            "redis@one",
            "",
            "https://example.com/x#md5=1",
            "https://example.com/x#sha256=1",
            "github.com/owner/repo@one",
            "github.com/owner/repo#sha256=12",
            "https://example.com/x.lua",
        ] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = Source::parse("https://me:hunter2@example.com/x.tar.gz").expect_err("it holds a password");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
