//! What `plugins.security` lets workflows use that is not theirs: programs, environment variables.

use super::manifest_read::Read;
use super::yaml::{Field, Yaml};

/// What workflows may use of something that has names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowance {
    /// All of it: `true`.
    Any,
    /// What is listed: `[git, "./tools/*"]`; nothing with `false` or an empty list. A `*` at the end stands for any rest.
    Listed(Vec<String>),
}

impl Allowance {
    /// Nothing.
    pub const NOTHING: Self = Self::Listed(Vec::new());

    /// Whether it covers a name.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(entries) => entries.iter().any(|entry| match entry.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => entry == name,
            }),
        }
    }

    pub(super) fn read(field: &Field<'_>) -> Read<Self> {
        match &field.node.value {
            Yaml::Bool(true) => Ok(Self::Any),
            Yaml::Bool(false) => Ok(Self::NOTHING),
            Yaml::List(_) => Ok(Self::Listed(field.list(entry)?)),
            _ => Err(field.error("expected a list of names, or `true` for any and `false` for none")),
        }
    }
}

/// One name. A star anywhere else would look as if it meant something.
fn entry(field: &Field<'_>) -> Read<String> {
    let text = field.text()?;
    match text.find('*') {
        Some(0) => Err(field.error("`*` alone would be any: write `true` instead of the list if that is meant")),
        Some(at) if at + 1 < text.len() => {
            Err(field.error(format!("`{}`: a `*` can only stand at the end", text.escape_debug())))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ProjectManifest;
    use super::*;

    fn read(value: &str) -> Result<Option<Allowance>, String> {
        let text = format!("plugins: {{security: {{allow_exec: {value}}}}}");
        let manifest = ProjectManifest::parse(&text).map_err(|error| error.to_string())?;
        Ok(manifest.plugins.security.allow_exec)
    }

    #[test]
    fn a_list_covers_its_names_and_what_starts_as_an_entry_with_a_star() {
        let allowance = read("[git, \"./tools/*\"]").unwrap().unwrap();
        let covered = ["git", "gitk", "/usr/bin/git", "./tools/x", "tools/x"].map(|name| allowance.covers(name));
        assert_eq!(covered, [true, false, false, true, false]);
    }

    #[test]
    fn a_word_covers_everything_or_nothing() {
        assert!(read("true").unwrap().unwrap().covers("rm"));
        assert!(!read("false").unwrap().unwrap().covers("rm"));
        assert!(!read("[]").unwrap().unwrap().covers("rm"));
    }

    #[test]
    fn stars_that_would_mean_nothing_are_refused() {
        let messages = ["[\"*\"]", "[\"a*b\"]", "git", "[\"\"]"].map(|value| read(value).unwrap_err());
        insta::assert_snapshot!(messages.join("\n"), @"
        line 1, column 35: `plugins.security.allow_exec[0]`: `*` alone would be any: write `true` instead of the list if that is meant
        line 1, column 35: `plugins.security.allow_exec[0]`: `a*b`: a `*` can only stand at the end
        line 1, column 34: `plugins.security.allow_exec`: expected a list of names, or `true` for any and `false` for none
        line 1, column 35: `plugins.security.allow_exec[0]`: expected text, found an empty one
        ");
    }
}
