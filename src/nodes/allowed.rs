//! What a workflow may use that is not its own: programs, environment variables, addresses of private networks.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether a name is covered by what the user wrote.
type Covers = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What the user lets workflows use; by default nothing.
pub struct Allowed {
    programs: Covers,
    variables: Covers,
    private_networks: Vec<IpNet>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { programs: Box::new(|_| false), variables: Box::new(|_| false), private_networks: Vec::new() }
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

/// How a refused variable is called.
pub fn not_allowed(variable: &str) -> String {
    let shown = variable.escape_debug();
    format!(
        "templates may not read the environment variable `{shown}`: `plugins.security.allow_env` in pocket.yaml does not list it"
    )
}
