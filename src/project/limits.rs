//! `plugins.limits`: what calls may use, for all plugins or for one.

use std::collections::BTreeMap;

use pocket_index::name::PluginName;

use super::yaml::{Field, ManifestError, Yaml};

/// The limits that can be set.
pub const LIMITS: [&str; 11] = [
    "timeout",
    "memory",
    "output",
    "log_lines",
    "log_bytes",
    "call_depth",
    "stack",
    "threads",
    "open_files",
    "host_call",
    "transfer",
];

/// `plugins.limits`, values as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitSettings {
    /// For all plugins, by limit.
    pub all: BTreeMap<String, String>,
    /// For single plugins: these win over those for all.
    pub plugins: BTreeMap<PluginName, BTreeMap<String, String>>,
}

impl LimitSettings {
    /// The value of a limit for a plugin, and its key below `plugins.limits`.
    pub fn get(&self, plugin: &PluginName, limit: &str) -> Option<(String, &str)> {
        let own = self.plugins.get(plugin).and_then(|limits| limits.get(limit));
        let own = own.map(|value| (format!("{plugin}.{limit}"), value.as_str()));
        own.or_else(|| self.all.get(limit).map(|value| (limit.to_owned(), value.as_str())))
    }

    /// Reads the mapping: a value is a limit, a mapping is a plugin's limits.
    pub(super) fn read(field: &Field<'_>) -> Result<Self, ManifestError> {
        let mut limits = Self::default();
        for (key, field) in field.entries()? {
            if let Yaml::Map(_) = field.node.value {
                let name = key.value.parse();
                let name = name.map_err(|error: pocket_index::name::NameError| {
                    ManifestError::at(key, format!("`plugins.limits`: {error}"))
                })?;
                let own = field.keys(&LIMITS)?;
                let own = own.into_iter().map(|(limit, field)| Ok((limit.to_owned(), value(&field)?)));
                limits.plugins.insert(name, own.collect::<Result<_, ManifestError>>()?);
            } else if LIMITS.contains(&key.value.as_str()) {
                limits.all.insert(key.value.clone(), value(&field)?);
            } else {
                let known = LIMITS.map(|limit| format!("`{limit}`")).join(", ");
                let message = format!("`plugins.limits.{}` is no limit: known are {known}", key.value.escape_debug());
                return Err(ManifestError::at(key, message));
            }
        }
        Ok(limits)
    }
}

fn value(field: &Field<'_>) -> Result<String, ManifestError> {
    match &field.node.value {
        Yaml::Number(number) => Ok(number.to_string()),
        _ => field.text().map(str::to_owned),
    }
}
