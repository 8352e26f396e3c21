//! Where a redirect may lead.

use reqwest::Url;
use reqwest::redirect::Policy;

/// More is a loop.
const MOST_REDIRECTS: usize = 10;

/// Redirects are followed as far as they may lead. `reqwest` leaves credentials behind where the host changes.
pub(super) fn followed() -> Policy {
    Policy::custom(|attempt| {
        let from = attempt.previous().last().cloned();
        match from.map_or(Ok(()), |from| check_redirect(&from, attempt.url())) {
            Err(reason) => attempt.error(reason),
            Ok(()) if attempt.previous().len() > MOST_REDIRECTS => attempt.error("there are too many redirects"),
            Ok(()) => attempt.follow(),
        }
    })
}

/// What came encrypted must not go on in the clear: somebody on the way could read and change it.
pub(super) fn check_redirect(from: &Url, to: &Url) -> Result<(), String> {
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(()),
        (from, to) => Err(format!("the redirect leads from `{from}:` to `{to}:`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_encryption_and_never_away_from_it() {
        let may = |from: &str, to: &str| {
            let url = |text: &str| Url::parse(text).expect("a URL");
            check_redirect(&url(from), &url(to)).is_ok()
        };
        assert!(may("http://a.example/", "https://b.example/"));
        assert!(may("https://a.example/", "https://b.example/"));
        assert!(may("http://a.example/", "http://b.example/"));
        assert!(!may("https://a.example/", "http://a.example/"));
        assert!(!may("http://a.example/", "file:///etc/passwd"));
    }
}
