//! `${NAME}` and `${NAME:-default}` in settings.

use serde_json::Value;

/// Why a setting's variables cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A variable is not set.
    #[error("`{key}` needs the environment variable `{name}`, which is not set")]
    Unset {
        /// The setting.
        key: String,
        /// The variable.
        name: String,
    },
    /// What stands between the braces is not a name. It is not shown: it may be part of a secret.
    #[error(
        "`{key}` has a `${{` without a variable: expected `${{NAME}}` or `${{NAME:-default}}`; write `$$` for a dollar sign"
    )]
    Malformed {
        /// The setting.
        key: String,
    },
}

impl ExpandError {
    /// The setting, as keys from the file's root.
    pub fn key(&self) -> &str {
        match self {
            Self::Unset { key, .. } | Self::Malformed { key } => key,
        }
    }
}

/// Replaces variables in every text of `value`; `$$` stands for a dollar sign. A replaced text stays a text. `key` names the
/// setting in errors.
///
/// # Errors
/// A variable is not set and has no default, or is not well formed.
pub fn expand(value: &Value, key: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Value, ExpandError> {
    Ok(match value {
        Value::String(text) => Value::String(expand_text(text, key, env)?),
        Value::Array(items) => {
            let item = |(number, item)| expand(item, &format!("{key}[{number}]"), env);
            Value::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => {
            let entry =
                |(name, value): (&String, &Value)| Ok((name.clone(), expand(value, &format!("{key}.{name}"), env)?));
            Value::Object(entries.iter().map(entry).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn expand_text(text: &str, key: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(braced) = after.strip_prefix('{') {
            let malformed = || ExpandError::Malformed { key: key.to_owned() };
            let (inside, after) = braced.split_once('}').ok_or_else(malformed)?;
            let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, text)| (name, Some(text)));
            if !is_name(name) {
                return Err(malformed());
            }
            // As in a shell, `:-` also stands in for a variable that is set to nothing.
            let set = env(name).filter(|value| default.is_none() || !value.is_empty());
            let unset = || ExpandError::Unset { key: key.to_owned(), name: name.to_owned() };
            expanded.push_str(&set.or_else(|| default.map(str::to_owned)).ok_or_else(unset)?);
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let env = |name: &str| match name {
            "HOME" => Some("/home/me".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand_text(text, "k", &env).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_are_replaced_and_dollar_signs_kept() {
        assert_eq!(expanded("${HOME}/x ${HOME}"), Ok("/home/me/x /home/me".to_owned()));
        assert_eq!(expanded("${NONE:-a b}${EMPTY:-c}[${EMPTY}]"), Ok("a bc[]".to_owned()));
        assert_eq!(expanded("$5 $$ $${HOME} $"), Ok("$5 $ ${HOME} $".to_owned()));
    }

    #[test]
    fn what_is_missing_or_malformed_is_named_with_its_key() {
        insta::assert_snapshot!(expanded("${NONE}").unwrap_err(), @"`k` needs the environment variable `NONE`, which is not set");
        let malformed =
            "`k` has a `${` without a variable: expected `${NAME}` or `${NAME:-default}`; write `$$` for a dollar sign";
        assert_eq!(expanded("${hunter2-}").unwrap_err(), malformed);
        assert_eq!(expanded("${HOME").unwrap_err(), malformed);
    }
}
