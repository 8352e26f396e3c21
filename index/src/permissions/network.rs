//! Where a plugin may connect to: `host:port` patterns, with places for the plugin's own settings.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde_json::{Map, Value};

use super::PermissionError;

const EXPECTED: &str = "`host:port`, `*.host:port`, `[v6 address]:port` or settings in braces such as `{host}:{port}`; the port is 1 to 65535";

/// An entry of `http` or `network`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkPattern {
    /// The host's side.
    pub host: Host,
    /// The port's side.
    pub port: Port,
}

/// The host's side of a [`NetworkPattern`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// This name or address, in lower case; a v6 address in its canonical form without brackets.
    Exact(String),
    /// Every name below this one, however deep, and not the name itself.
    Below(String),
    /// What the plugin's setting of this name says.
    Setting(String),
}

/// The port's side of a [`NetworkPattern`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// This port.
    Exact(u16),
    /// What the plugin's setting of this name says.
    Setting(String),
}

/// A place for a setting that could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The setting has no value.
    #[error("`{pattern}` needs the setting `{setting}`, which has no value")]
    Missing {
        /// The pattern as it is written.
        pattern: String,
        /// The setting.
        setting: String,
    },
    /// The setting's value is no host, or no port. The value is not shown: it may be a secret.
    #[error("`{pattern}` needs the setting `{setting}` to be {expected}")]
    Unfit {
        /// The pattern as it is written.
        pattern: String,
        /// The setting.
        setting: String,
        /// What its value must be.
        expected: &'static str,
    },
}

impl NetworkPattern {
    /// Whether a connection to `host` and `port` fits. Names are compared without case and without a final dot. A pattern
    /// with an unfilled place fits nothing.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let Some(host) = canonical_host(host) else { return false };
        let host_fits = match &self.host {
            Host::Exact(exact) => *exact == host,
            // The dot belongs to the comparison: `*.example.com` must not fit `evil-example.com`.
            Host::Below(parent) => {
                host.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Host::Setting(_) => false,
        };
        host_fits && self.port == Port::Exact(port)
    }

    /// The same pattern with every `{setting}` replaced by its value: for the host a name or an address (never a `*`),
    /// for the port a whole number or its digits.
    ///
    /// # Errors
    /// Names the setting that has no value, or an unfit one.
    pub fn resolve(&self, settings: &Map<String, Value>) -> Result<Self, ResolveError> {
        let host = match &self.host {
            Host::Setting(name) => self.resolve_host(name, settings)?,
            known => known.clone(),
        };
        let port = match &self.port {
            Port::Setting(name) => self.resolve_port(name, settings)?,
            known => known.clone(),
        };
        Ok(Self { host, port })
    }

    /// The names of the settings that stand in braces.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        let host = match &self.host {
            Host::Setting(name) => Some(name.as_str()),
            Host::Exact(_) | Host::Below(_) => None,
        };
        let port = match &self.port {
            Port::Setting(name) => Some(name.as_str()),
            Port::Exact(_) => None,
        };
        host.into_iter().chain(port)
    }

    fn resolve_host(&self, setting: &str, settings: &Map<String, Value>) -> Result<Host, ResolveError> {
        let value = self.value_of(setting, settings)?;
        let host = value.as_str().and_then(canonical_host).map(Host::Exact);
        host.ok_or_else(|| self.unfit(setting, "a host name or an address"))
    }

    fn resolve_port(&self, setting: &str, settings: &Map<String, Value>) -> Result<Port, ResolveError> {
        let value = self.value_of(setting, settings)?;
        let port = match value {
            Value::Number(number) => parse_port(&number.to_string()),
            Value::String(text) => parse_port(text),
            _ => None,
        };
        port.map(Port::Exact).ok_or_else(|| self.unfit(setting, "a port from 1 to 65535"))
    }

    fn value_of<'a>(&self, setting: &str, settings: &'a Map<String, Value>) -> Result<&'a Value, ResolveError> {
        let value = settings.get(setting).filter(|value| !value.is_null());
        value.ok_or_else(|| ResolveError::Missing { pattern: self.to_string(), setting: setting.to_owned() })
    }

    fn unfit(&self, setting: &str, expected: &'static str) -> ResolveError {
        ResolveError::Unfit { pattern: self.to_string(), setting: setting.to_owned(), expected }
    }
}

impl FromStr for NetworkPattern {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let error = || PermissionError::new("network permission", text, EXPECTED);
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let host = if let Some(name) = braced(host) {
            Host::Setting(name.to_owned())
        } else if let Some(parent) = host.strip_prefix("*.") {
            // An address has nothing below it.
            let name = canonical_host(parent).filter(|name| name.parse::<IpAddr>().is_err());
            Host::Below(name.ok_or_else(error)?)
        } else {
            Host::Exact(bracketed_or_plain(host).ok_or_else(error)?)
        };
        let port = match braced(port) {
            Some(name) => Port::Setting(name.to_owned()),
            None => Port::Exact(parse_port(port).ok_or_else(error)?),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for NetworkPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Exact(address) if address.contains(':') => write!(f, "[{address}]")?,
            Host::Exact(name) => f.write_str(name)?,
            Host::Below(parent) => write!(f, "*.{parent}")?,
            Host::Setting(setting) => write!(f, "{{{setting}}}")?,
        }
        match &self.port {
            Port::Exact(port) => write!(f, ":{port}"),
            Port::Setting(setting) => write!(f, ":{{{setting}}}"),
        }
    }
}

fn braced(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.is_empty())
}

/// In a pattern a v6 address stands in brackets, so that its last colon is not taken for the port's.
fn bracketed_or_plain(host: &str) -> Option<String> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|address| address.to_string()),
        None => canonical_host(host).filter(|host| !host.contains(':')),
    }
}

/// A host in the one form that is compared: addresses as the standard library prints them, names in lower case without
/// the final dot. None for what is neither.
fn canonical_host(host: &str) -> Option<String> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // `1.2.3` and `0x7f.1` are addresses to some resolvers and names to others: the last label must not start like a number.
    let ends_like_a_name =
        name.rsplit('.').next().is_some_and(|label| !label.starts_with(|c: char| c.is_ascii_digit()));
    (name.len() <= 253 && name.split('.').all(label_fits) && ends_like_a_name).then_some(name)
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pattern(text: &str) -> NetworkPattern {
        text.parse().expect(text)
    }

    #[test]
    fn an_exact_pattern_fits_one_host_and_one_port() {
        let api = pattern("API.example.com:443");
        assert!(api.matches("api.EXAMPLE.com.", 443));
        for (host, port) in [("api.example.com", 80), ("x.api.example.com", 443), ("example.com", 443), ("", 443)] {
            assert!(!api.matches(host, port), "{host}:{port}");
        }
    }

    #[test]
    fn a_star_fits_every_name_below_and_nothing_beside() {
        let below = pattern("*.example.com:443");
        assert!(below.matches("a.example.com", 443) && below.matches("a.b.example.com", 443));
        for host in ["example.com", "evil-example.com", "a.example.com.evil.org", ".example.com", "*.example.com"] {
            assert!(!below.matches(host, 443), "{host}");
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let v6 = pattern("[0:0::1]:6379");
        assert_eq!(v6.to_string(), "[::1]:6379");
        assert!(v6.matches("::1", 6379) && v6.matches("[::1]", 6379) && !v6.matches("::2", 6379));
        assert!(pattern("127.0.0.1:80").matches("127.0.0.1", 80));
    }

    #[test]
    fn settings_fill_the_places() {
        let open = pattern("{host}:{port}");
        assert_eq!(open.settings().collect::<Vec<_>>(), ["host", "port"]);
        assert!(!open.matches("db.example.com", 6379));
        for port in [json!(6379), json!("6379")] {
            let settings = json!({"host": "db.example.com", "port": port});
            let filled = open.resolve(settings.as_object().expect("an object")).expect("both are set");
            assert_eq!(filled, pattern("db.example.com:6379"));
        }
    }

    #[test]
    fn an_unfit_setting_opens_nothing() {
        let open = pattern("{host}:{port}");
        let resolve = |settings: Value| {
            open.resolve(settings.as_object().expect("an object")).expect_err("it does not fit").to_string()
        };
        insta::assert_snapshot!(resolve(json!({"host": "*.example.com", "port": 1})), @"`{host}:{port}` needs the setting `host` to be a host name or an address");
        insta::assert_snapshot!(resolve(json!({"host": "a b", "port": 1})), @"`{host}:{port}` needs the setting `host` to be a host name or an address");
        insta::assert_snapshot!(resolve(json!({"host": "a.example", "port": 0})), @"`{host}:{port}` needs the setting `port` to be a port from 1 to 65535");
        insta::assert_snapshot!(resolve(json!({"host": "a.example", "port": 1.5})), @"`{host}:{port}` needs the setting `port` to be a port from 1 to 65535");
        insta::assert_snapshot!(resolve(json!({"host": "a.example", "port": null})), @"`{host}:{port}` needs the setting `port`, which has no value");
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            "",
            "example.com",
            "example.com:",
            ":443",
            "example.com:0",
            "example.com:65536",
            "example.com:+80",
            "example.com:080",
            "*:443",
            "*.:443",
            "a.*.com:443",
            "*.*.com:443",
            "https://example.com:443",
            "example.com/x:443",
            "a b:1",
            "a..b:1",
            "::1:80",
            "[::1:80",
            "[127.0.0.1]:80",
            "*.127.0.0.1:80",
            "1.2.3:80",
            "0x7f.1:80",
            "{}:1",
            "x{host}:1",
            "é.com:1",
        ] {
            assert!(bad.parse::<NetworkPattern>().is_err(), "{bad}");
        }
        insta::assert_snapshot!("example.com".parse::<NetworkPattern>().expect_err("no port"), @"`example.com` is no network permission: expected `host:port`, `*.host:port`, `[v6 address]:port` or settings in braces such as `{host}:{port}`; the port is 1 to 65535");
    }
}
