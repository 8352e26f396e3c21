//! Somebody who publishes small Lua plugins.

use super::{Outcome, Sandbox, TestRegistry};

/// A home with a key, that publishes to one registry.
pub struct Author {
    sandbox: Sandbox,
}

impl Author {
    pub fn of(registry: &TestRegistry) -> Self {
        Self::at(registry.url())
    }

    /// Somebody who publishes to the registry at `url`.
    pub fn at(url: &str) -> Self {
        let sandbox = Sandbox::with_registry(url);
        sandbox.pocket(&["key", "new"]).success();
        Self { sandbox }
    }

    /// Runs `pocket` as this person.
    pub fn pocket(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.pocket(arguments)
    }

    /// Publishes a plugin with one node type that is named like it. `more` are further lines of its manifest.
    pub fn publish(&self, name: &str, version: &str, more: &str) {
        self.try_publish(name, version, more).success();
    }

    /// The same, however it ends.
    pub fn try_publish(&self, name: &str, version: &str, more: &str) -> Outcome {
        let folder = format!("{name}-{version}");
        let manifest = format!(
            "name: {name}\nversion: {version}\ndescription: {name}\nruntime: lua\nbinary: main.lua\nnodes: [{{type: {name}}}]\n{more}\n"
        );
        self.sandbox.write(&format!("{folder}/manifest.yaml"), &manifest);
        self.sandbox.write(
            &format!("{folder}/main.lua"),
            &format!("function process() return {{version = '{version}'}} end\n"),
        );
        self.sandbox.pocket(&["plugin", "publish", &folder])
    }
}
