//! Names: a type for each kind, so that one cannot be passed for another. A value exists only if it is valid.
//!
//! ```compile_fail
//! use pocket_index::name::{NodeType, PluginName};
//! fn install(_: &PluginName) {}
//! let node: NodeType = "redis-get".parse().unwrap();
//! install(&node); // a node type is no plugin name
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 64 bytes: long enough for any plugin seen, short enough for every file system and table.
pub const MAX_NAME_BYTES: usize = 64;

/// Windows opens these as devices whatever folder or extension they stand in.
pub(crate) const DEVICE_NAMES: [&str; 24] = [
    "con", "prn", "aux", "nul", "conin$", "conout$", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a {kind} cannot be empty")]
    Empty {
        /// Which kind of name was expected.
        kind: &'static str,
    },
    /// The text is longer than [`MAX_NAME_BYTES`].
    #[error("the {kind} `{}` has {bytes} bytes, at most {MAX_NAME_BYTES} are allowed", value.escape_debug())]
    TooLong {
        /// Which kind of name was expected.
        kind: &'static str,
        /// What was given.
        value: String,
        /// Its length.
        bytes: usize,
    },
    /// The text has another shape.
    #[error("`{}` is no {kind}: expected {expected}", value.escape_debug())]
    Shape {
        /// Which kind of name was expected.
        kind: &'static str,
        /// What was given.
        value: String,
        /// The shape in words.
        expected: &'static str,
    },
    /// The text names a Windows device.
    #[error("`{value}` cannot be a {kind}: Windows opens it as a device")]
    Device {
        /// Which kind of name was expected.
        kind: &'static str,
        /// What was given.
        value: String,
    },
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check_length($kind, text)?;
                $check($kind, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// A plugin's name: `[a-z][a-z0-9]*(-[a-z0-9]+)*`, 1 to 64 bytes, no Windows device name.
    PluginName,
    "plugin name",
    check_plugin
);
name_type!(
    /// A node type: the same shape as a plugin name, `_` allowed where `-` is.
    NodeType,
    "node type",
    check_node
);
name_type!(
    /// The name a user gives to a registry in the configuration: the same shape as a plugin name.
    RegistryName,
    "registry name",
    check_plugin
);
name_type!(
    /// What an archive runs on: a Rust target triple such as `x86_64-unknown-linux-gnu`, or `any`.
    Target,
    "target",
    check_target
);

impl Target {
    /// Lua and WebAssembly run everywhere.
    pub fn any() -> Self {
        Self("any".to_owned())
    }

    /// The machine that this program was compiled for.
    pub fn host() -> Self {
        let arch = std::env::consts::ARCH;
        let system = match std::env::consts::OS {
            "macos" => "apple-darwin".to_owned(),
            "windows" => "pc-windows-msvc".to_owned(),
            "linux" if cfg!(target_env = "musl") => "unknown-linux-musl".to_owned(),
            "linux" => "unknown-linux-gnu".to_owned(),
            other => format!("unknown-{other}"),
        };
        Self(format!("{arch}-{system}"))
    }

    /// Whether the archive runs everywhere.
    pub fn is_any(&self) -> bool {
        self.0 == "any"
    }
}

fn check_length(kind: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { kind, value: text.to_owned(), bytes: text.len() });
    }
    Ok(())
}

fn check_plugin(kind: &'static str, text: &str) -> Result<(), NameError> {
    let expected =
        "lower-case letters, digits and single hyphens, starting with a letter (`[a-z][a-z0-9]*(-[a-z0-9]+)*`)";
    check_words(kind, text, &['-'], expected)?;
    if DEVICE_NAMES.contains(&text) {
        return Err(NameError::Device { kind, value: text.to_owned() });
    }
    Ok(())
}

fn check_node(kind: &'static str, text: &str) -> Result<(), NameError> {
    let expected = "lower-case letters, digits, single hyphens or underscores, starting with a letter";
    check_words(kind, text, &['-', '_'], expected)
}

fn check_target(kind: &'static str, text: &str) -> Result<(), NameError> {
    let expected = "`any` or a target triple such as `x86_64-unknown-linux-gnu`";
    let parts = text.split('-').count();
    if text != "any" && !(2..=5).contains(&parts) {
        return Err(NameError::Shape { kind, value: text.to_owned(), expected });
    }
    check_words(kind, text, &['-', '_', '.'], expected)
}

/// Words of `[a-z0-9]+` joined by single separators, the first starting with a letter.
fn check_words(kind: &'static str, text: &str, separators: &[char], expected: &'static str) -> Result<(), NameError> {
    let starts_with_letter = text.starts_with(|c: char| c.is_ascii_lowercase());
    let words_are_whole = text
        .split(separators)
        .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    if starts_with_letter && words_are_whole {
        Ok(())
    } else {
        Err(NameError::Shape { kind, value: text.to_owned(), expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_names_have_one_shape() {
        for good in ["a", "redis-cache", "x2", "a-1-b", &"a".repeat(64)] {
            assert!(good.parse::<PluginName>().is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "../x", "é", "a b", "con", "lpt9", &"a".repeat(65)]
        {
            assert!(bad.parse::<PluginName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_escapes_control_characters() {
        let error = "a\u{1b}[31m".parse::<PluginName>().expect_err("a control character is refused");
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }

    #[test]
    fn this_machine_is_a_target() {
        let host = Target::host().to_string();
        assert!(host.parse::<Target>().is_ok(), "{host}");
    }

    #[test]
    fn targets_are_any_or_a_triple() {
        for good in ["any", "x86_64-unknown-linux-gnu", "aarch64-apple-darwin"] {
            assert!(good.parse::<Target>().is_ok(), "{good}");
        }
        for bad in ["all", "x86_64", "../../x", "X86-linux"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
