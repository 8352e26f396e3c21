//! What a workflow may use that is not its own: programs, environment variables, addresses of private networks.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use reqwest::Url;
use serde_json::Value;

/// Whether a name is covered by what the user wrote.
type Covers = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What the user lets workflows use; by default nothing.
pub struct Allowed {
    programs: Covers,
    variables: Covers,
    private_networks: Vec<IpNet>,
    /// Hosts and ports that whoever starts the run named.
    given: Mutex<Vec<(String, u16)>>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            programs: Box::new(|_| false),
            variables: Box::new(|_| false),
            private_networks: Vec::new(),
            given: Mutex::default(),
        }
    }
}

impl Allowed {
    /// The same with the programs that `covers` says.
    #[must_use]
    pub fn with_programs(self, covers: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { programs: Box::new(covers), ..self }
    }

    /// The same with the environment variables that `covers` says.
    #[must_use]
    pub fn with_variables(self, covers: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { variables: Box::new(covers), ..self }
    }

    /// The same with private networks that data may lead requests to.
    #[must_use]
    pub fn with_private_networks(self, private_networks: Vec<IpNet>) -> Self {
        Self { private_networks, ..self }
    }

    /// Takes the URLs in a run's input for chosen by whoever starts the run: the input itself, or a field of it. What lies deeper
    /// is data.
    pub fn give(&self, input: &Value) {
        let fields = input.as_object().into_iter().flat_map(serde_json::Map::values);
        let urls = fields.chain([input]).filter_map(Value::as_str).filter(|text| text.starts_with("http"));
        let places: Vec<(String, u16)> =
            urls.filter_map(|text| Url::parse(text).ok()).flat_map(|url| places(&url)).collect();
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = places;
    }

    /// Whether whoever starts the run named a host and port.
    pub fn is_given(&self, host: &str, port: u16) -> bool {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.iter().any(|place| place.0 == host && place.1 == port)
    }

    /// Whether `exec` may start a program, as the node names it.
    pub fn may_execute(&self, program: &str) -> bool {
        (self.programs)(program)
    }

    /// Whether templates may read an environment variable.
    pub fn may_read(&self, variable: &str) -> bool {
        (self.variables)(variable)
    }

    /// Whether data may lead a request to a private address.
    pub fn may_reach(&self, address: IpAddr) -> bool {
        self.private_networks.iter().any(|network| network.contains(&address))
    }

    /// The value of an environment variable, or why there is none.
    pub fn variable(&self, name: &str) -> Result<String, String> {
        if !self.may_read(name) {
            return Err(not_allowed(name));
        }
        std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("the environment variable `{name}` is not set"),
            std::env::VarError::NotUnicode(_) => format!("the environment variable `{name}` is no UTF-8 text"),
        })
    }
}

/// The host and port of a URL, and where its server usually moves those that come unencrypted.
pub(super) fn places(url: &Url) -> Vec<(String, u16)> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Vec::new() };
    let encrypted = (port == 80).then_some(443);
    std::iter::once(port).chain(encrypted).map(|port| (host.to_owned(), port)).collect()
}

/// How a refused variable is called.
pub fn not_allowed(variable: &str) -> String {
    let shown = variable.escape_debug();
    format!(
        "templates may not read the environment variable `{shown}`: `plugins.security.allow_env` in pocket.yaml does not list it"
    )
}
