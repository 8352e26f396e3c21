//! What a WebAssembly file says of itself without being run: its imports, its exports, and which permissions these need.
//!
//! A plugin cannot use what it does not import, so its imports are checked against its manifest before anything is installed.

mod component;
mod core;
mod need;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use pocket_index::permissions::{Permissions, Word};

pub use need::Need;

/// The type that `run` must have.
pub const RUN_TYPE: &str =
    "func(node: string, config: string, input: string, context: string) -> result<string, string>";

/// What a WebAssembly file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What kind of file it is.
    pub kind: Kind,
    /// What it needs of its host, sorted by name. Interfaces that it imports for their types alone are among them.
    pub imports: Vec<Import>,
    /// What it offers, sorted by name.
    pub exports: Vec<Export>,
    /// Whether it is a plugin.
    pub run: Run,
}

/// A kind of WebAssembly file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A component.
    Component,
    /// A core module, which is wrapped into a component when it is loaded.
    CoreModule,
}

/// Something that a file needs of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The interface or module, such as `wasi:http/types@0.2.4` or `wasi_snapshot_preview1`.
    pub name: String,
    /// The functions that are used of it, sorted.
    pub functions: Vec<String>,
    /// What that takes.
    pub need: Need,
}

/// Something that a file offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
}

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// A function.
    Function,
    /// An interface, a memory, a type.
    Other,
}

/// How the export stands that every plugin has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It is there, with its type.
    Fits,
    /// It is there with another type.
    OtherType,
    /// It is not there.
    Missing,
}

/// An import that a manifest does not ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnaskedImport {
    /// It takes a permission that the manifest does not list.
    #[error("it imports `{import}`, which takes `permissions.{}` in its manifest", word.field())]
    Permission {
        /// The import.
        import: String,
        /// The permission.
        word: Word,
    },
    /// No plugin is given it, whatever its manifest says.
    #[error("it imports `{import}`, which plugins are not given")]
    NotGiven {
        /// The import.
        import: String,
    },
}

/// Why a file says nothing.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It does not start as WebAssembly does.
    #[error("the file is no WebAssembly: it does not start with `\\0asm`")]
    Other,
    /// It starts as WebAssembly and does not go on like it.
    #[error("the file is no valid WebAssembly: {0}")]
    Invalid(String),
}

/// Reads a component or a core module. Nothing of it runs.
///
/// # Errors
/// The file is no WebAssembly, or a broken one.
pub fn wasm(bytes: &[u8]) -> Result<Inspection, InspectError> {
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => core::inspect(bytes),
        [b'\0', b'a', b's', b'm', ..] => component::inspect(bytes),
        _ => Err(InspectError::Other),
    }
}

impl Inspection {
    /// Whether it is built for WASI preview 1.
    pub fn is_preview1(&self) -> bool {
        self.imports.iter().any(|import| import.name == need::PREVIEW1)
    }

    /// The permissions without which the file cannot do what it was built for.
    pub fn words(&self) -> BTreeSet<Word> {
        let taken = |import: &Import| match import.need {
            Need::Permission(word) => Some(word),
            _ => None,
        };
        self.imports.iter().filter_map(taken).collect()
    }

    /// The imports that a manifest with these permissions does not ask for.
    pub fn unasked(&self, asked: &Permissions) -> Vec<UnaskedImport> {
        let unasked = |found: &Import| {
            let import = found.name.clone();
            match found.need {
                Need::Permission(word) if !is_asked(asked, word) => Some(UnaskedImport::Permission { import, word }),
                Need::NotGiven => Some(UnaskedImport::NotGiven { import }),
                _ => None,
            }
        };
        self.imports.iter().filter_map(unasked).collect()
    }
}

fn is_asked(asked: &Permissions, word: Word) -> bool {
    let folders = |access: &str| asked.filesystem.iter().any(|folder| folder.starts_with(access));
    match word {
        Word::ReadEnv => !asked.env.is_empty(),
        Word::HttpClient => !asked.http.is_empty(),
        Word::NetworkAccess => !asked.network.is_empty(),
        Word::ReadFiles => folders("read:"),
        Word::WriteFiles => folders("write:"),
    }
}
