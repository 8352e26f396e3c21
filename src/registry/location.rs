//! Where a registry is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;

/// Where a registry is. Two registries are the same only if their locations are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// Compiled into this program.
    Bundled,
    /// A folder: `file:///path`.
    Folder(PathBuf),
    /// A web server: `https://…/` or `http://…/`.
    Http(Url),
}

/// Why a text is no location.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is no registry: {reason}")]
pub struct LocationError {
    text: String,
    reason: String,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let error = |reason: String| LocationError { text: text.to_owned(), reason };
        if text == "bundled" {
            return Ok(Self::Bundled);
        }
        let mut url = Url::parse(text).map_err(|cause| {
            error(format!("{cause}; expected `https://…`, `file:///…`, `bundled` or a name from pocket.yaml"))
        })?;
        match url.scheme() {
            "file" => url.to_file_path().map(Self::Folder).map_err(|()| error("its path is not absolute".to_owned())),
            "http" | "https" => {
                if !url.path().ends_with('/') {
                    url.set_path(&format!("{}/", url.path()));
                }
                url.set_fragment(None);
                url.set_query(None);
                Ok(Self::Http(url))
            }
            scheme => Err(error(format!("`{scheme}:` is not known; expected `https:`, `http:` or `file:`"))),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("bundled"),
            Self::Folder(path) => match Url::from_file_path(path) {
                Ok(url) => write!(f, "{url}"),
                Err(()) => write!(f, "file://{}", path.display()),
            },
            Self::Http(url) => write!(f, "{}", without_credentials(url)),
        }
    }
}

/// The URL as it may be shown: a password in it is nobody's business.
pub fn without_credentials(url: &Url) -> Url {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot have credentials in the first place.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_read_as_they_print() {
        for (given, shown) in [
            ("bundled", "bundled"),
            ("https://example.com/plugins", "https://example.com/plugins/"),
            ("http://user:secret@127.0.0.1:8080/", "http://127.0.0.1:8080/"),
            ("file:///srv/registry", "file:///srv/registry"),
        ] {
            assert_eq!(given.parse::<Location>().expect("a location").to_string(), shown);
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_is_expected() {
        for bad in ["", "ftp://example.com/", "example", "file://relative/path"] {
            let error = bad.parse::<Location>().expect_err("no location").to_string();
            assert!(error.contains("is no registry"), "{error}");
        }
    }
}
