//! Somebody who publishes small Lua plugins.

use super::{Outcome, Sandbox, TestRegistry};

/// A home, usually with a key, that publishes to one registry.
pub struct Author {
    sandbox: Sandbox,
}

impl Author {
    pub fn of(registry: &TestRegistry) -> Self {
        Self::at(registry.url())
    }

    /// Somebody who publishes to the registry at `url`.
    pub fn at(url: &str) -> Self {
        let author = Self::without_key(url);
        author.sandbox.pocket(&["key", "new"]).success();
        author
    }

    /// Somebody who cannot sign.
    pub fn without_key(url: &str) -> Self {
        Self { sandbox: Sandbox::with_registry(url) }
    }

    /// Keeps a token for a registry.
    pub fn login(&self, url: &str, token: &str) {
        self.sandbox.pocket_with_input(&["plugin", "login", "--registry", url, "--token-stdin"], token).success();
    }

    /// Sets an environment variable for every command.
    pub fn set(&mut self, name: &str, value: &str) {
        self.sandbox.set(name, value);
    }

    /// Runs `pocket` as this person.
    pub fn pocket(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.pocket(arguments)
    }

    /// The same at a terminal, at which this person types `input`.
    pub fn at_a_terminal(&self, arguments: &[&str], input: &str) -> Outcome {
        self.sandbox.pocket_at_a_terminal(arguments, input)
    }

    /// Publishes a plugin with one node type that is named like it. `more` are further lines of its manifest.
    pub fn publish(&self, name: &str, version: &str, more: &str) {
        self.try_publish(name, version, more).success();
    }

    /// The same, however it ends.
    pub fn try_publish(&self, name: &str, version: &str, more: &str) -> Outcome {
        self.prepare(name, version, more);
        self.sandbox.pocket(&["plugin", "publish", &format!("{name}-{version}")])
    }

    /// Writes such a plugin into the folder `<name>-<version>`.
    pub fn prepare(&self, name: &str, version: &str, more: &str) {
        let folder = format!("{name}-{version}");
        let manifest = format!(
            "name: {name}\nversion: {version}\ndescription: {name}\nruntime: lua\nbinary: main.lua\nnodes: [{{type: {name}}}]\n{more}\n"
        );
        self.sandbox.write(&format!("{folder}/manifest.yaml"), &manifest);
        self.sandbox.write(
            &format!("{folder}/main.lua"),
            &format!("function process() return {{version = '{version}'}} end\n"),
        );
    }
}
