//! What a forge answers, as far as it matters here.

use pocket_index::archive::archive_file_name;
use pocket_index::digest::Digest;
use pocket_index::name::{PluginName, Target};
use reqwest::Url;
use semver::{Op, Version, VersionReq};
use serde::Deserialize;

use super::ForgeError;

/// A release that is no draft.
#[derive(Debug, Clone)]
pub struct ForgeRelease {
    /// Its tag.
    pub tag: String,
    /// The version that the tag names, if it names one.
    pub version: Option<Version>,
    /// Its files.
    pub assets: Vec<Asset>,
    is_prerelease: bool,
}

/// A file of a release.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its name.
    pub name: String,
    /// Where everybody finds it.
    pub url: Url,
    /// Its bytes, as the forge says.
    pub size: u64,
    /// Its digest, where the forge says one. The forge's word, and no evidence: who changes the file changes this too.
    pub digest: Option<Digest>,
    /// Where it is for those who have a token.
    pub(super) api_url: Option<Url>,
}

#[derive(Deserialize)]
struct ReleaseJson {
    tag_name: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
    #[serde(default)]
    assets: Vec<AssetJson>,
}

#[derive(Deserialize)]
struct AssetJson {
    name: String,
    browser_download_url: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    digest: Option<String>,
}

impl ForgeRelease {
    /// Whether it is meant for everybody.
    pub fn is_final(&self) -> bool {
        !self.is_prerelease && self.version.as_ref().is_none_or(|version| version.pre.is_empty())
    }

    /// Whether it has an archive of this plugin in the tag's version.
    pub fn has_archive_of(&self, plugin: &PluginName) -> bool {
        self.archives().iter().any(|(name, ..)| name == plugin)
    }

    /// The assets that are archives of the tag's version, by their names: `<name>-<version>[-<target>].tar.gz`.
    pub fn archives(&self) -> Vec<(PluginName, Target, &Asset)> {
        let Some(version) = &self.version else { return Vec::new() };
        let archive = |asset| archive_of(version, asset).map(|(name, target)| (name, target, asset));
        self.assets.iter().filter_map(archive).collect()
    }

    /// The asset of that name.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }
}

fn archive_of(version: &Version, asset: &Asset) -> Option<(PluginName, Target)> {
    let stem = asset.name.strip_suffix(".tar.gz")?;
    let (name, rest) = stem.split_once(&format!("-{version}"))?;
    let name: PluginName = name.parse().ok()?;
    let target = match rest {
        "" => Target::any(),
        rest => rest.strip_prefix('-')?.parse().ok()?,
    };
    (archive_file_name(&name, version, &target) == asset.name).then_some((name, target))
}

/// The version that a tag names: `v1.2.0`, `1.2.0`, `redis-v1.2.0`, `redis/1.2.0`.
pub fn version_of_tag(tag: &str) -> Option<Version> {
    let starts = tag.match_indices(['/', '-', '_', '@']).map(|(at, _)| at + 1);
    let mut rests = std::iter::once(0).chain(starts).map(|start| &tag[start..]);
    rests.find_map(|rest| rest.strip_prefix('v').unwrap_or(rest).parse().ok())
}

/// The one version that a requirement of the form `=1.2.3` takes.
pub(super) fn exactly(requirement: &VersionReq) -> Option<Version> {
    let [only] = requirement.comparators.as_slice() else { return None };
    let (Op::Exact, Some(minor), Some(patch)) = (only.op, only.minor, only.patch) else { return None };
    Some(Version { pre: only.pre.clone(), ..Version::new(only.major, minor, patch) })
}

/// One release.
pub(super) fn release(url: &Url, body: &[u8]) -> Result<ForgeRelease, ForgeError> {
    let malformed = |source| ForgeError::Malformed { url: url.to_string(), source };
    read(serde_json::from_slice(body).map_err(malformed)?)
}

/// A page of releases, without drafts: only those who may write see them, and they change.
pub(super) fn releases(url: &Url, body: &[u8]) -> Result<Vec<ForgeRelease>, ForgeError> {
    let malformed = |source| ForgeError::Malformed { url: url.to_string(), source };
    let all: Vec<ReleaseJson> = serde_json::from_slice(body).map_err(malformed)?;
    all.into_iter().filter(|release| !release.draft).map(read).collect()
}

fn read(json: ReleaseJson) -> Result<ForgeRelease, ForgeError> {
    if json.draft {
        return Err(ForgeError::Draft { tag: json.tag_name });
    }
    Ok(ForgeRelease {
        version: version_of_tag(&json.tag_name),
        is_prerelease: json.prerelease,
        assets: json.assets.into_iter().map(asset).collect::<Result<_, _>>()?,
        tag: json.tag_name,
    })
}

fn asset(json: AssetJson) -> Result<Asset, ForgeError> {
    let AssetJson { name, browser_download_url, url, size, digest } = json;
    // Other algorithms cannot be checked here; the evidence that is demanded does not rest on this one either.
    let digest = match digest.filter(|digest| digest.starts_with("sha256:")) {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| ForgeError::Digest { asset: name.clone(), found: text })?),
    };
    let address = |text: &str| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let place = address(&browser_download_url)
        .ok_or_else(|| ForgeError::Address { asset: name.clone(), found: browser_download_url })?;
    Ok(Asset { name, url: place, size, digest, api_url: url.as_deref().and_then(address) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_their_versions_in_every_usual_way() {
        for (tag, version) in [
            ("v1.2.0", "1.2.0"),
            ("1.2.0", "1.2.0"),
            ("v2.0.0-rc.1", "2.0.0-rc.1"),
            ("redis-cache-v1.2.0", "1.2.0"),
            ("redis/v1.2.0-beta.2", "1.2.0-beta.2"),
            ("redis@1.2.0", "1.2.0"),
        ] {
            assert_eq!(version_of_tag(tag), Some(version.parse().expect("a version")), "{tag}");
        }
        for tag in ["stable", "v1", "1.2", "", "release-"] {
            assert_eq!(version_of_tag(tag), None, "{tag}");
        }
    }

    #[test]
    fn archives_are_told_by_their_names() {
        let asset = |name: &str| Asset {
            name: name.to_owned(),
            url: "https://example.com/".parse().expect("a URL"),
            size: 1,
            digest: None,
            api_url: None,
        };
        let names = [
            "geo-1.0.0.tar.gz",
            "geo-1.0.0-x86_64-unknown-linux-gnu.tar.gz",
            "geo-1.0.0-aarch64-apple-darwin.tar.gz",
            "geo-1.0.1.tar.gz",
            "geo-1.0.0.zip",
            "Geo-1.0.0.tar.gz",
            "checksums.txt",
        ];
        let release = ForgeRelease {
            tag: "v1.0.0".to_owned(),
            version: Some(Version::new(1, 0, 0)),
            assets: names.map(asset).to_vec(),
            is_prerelease: false,
        };
        let found: Vec<_> =
            release.archives().into_iter().map(|(name, target, _)| format!("{name} {target}")).collect();
        assert_eq!(found, ["geo any", "geo x86_64-unknown-linux-gnu", "geo aarch64-apple-darwin"]);
    }

    #[test]
    fn a_digest_that_is_none_is_an_error_and_not_ignored() {
        let body = |digest: &str| {
            format!(
                r#"{{"tag_name":"v1.0.0","assets":[{{"name":"a","browser_download_url":"https://example.com/a","digest":{digest}}}]}}"#
            )
        };
        let url = "https://example.com/".parse().expect("a URL");
        assert!(matches!(release(&url, body("\"sha256:12\"").as_bytes()), Err(ForgeError::Digest { .. })));
        assert!(release(&url, body("null").as_bytes()).is_ok());
        assert!(release(&url, body("\"md5:1\"").as_bytes()).is_ok());
    }
}
