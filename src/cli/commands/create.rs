//! `pocket plugin create`.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::arguments::{self, CreateArguments};
use crate::cli::output::Output;
use crate::ops::create::{self, Create, Created, Language};
use crate::ops::{OpsError, Scope, Workspace};

pub fn run(arguments: &CreateArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let language = arguments.lang.map(|language| match language {
        arguments::Language::Go => Language::Go,
        arguments::Language::Rust => Language::Rust,
        arguments::Language::C => Language::C,
        arguments::Language::Zig => Language::Zig,
        arguments::Language::AssemblyScript => Language::AssemblyScript,
        arguments::Language::Lua => Language::Lua,
    });
    let (name, runtime, folder) = (arguments.name.clone(), arguments.runtime, PathBuf::new());
    let created = create::create(&workspace, &Create { name, runtime, language, folder })?;
    output.step("Created", format!("`{}`: {}", created.folder.display(), created.files.join(", ")));
    let document = json!({
        "folder": created.folder,
        "language": created.language.word(),
        "files": created.files,
        "next": created.next,
    });
    output.result(&document, || text(&created));
    Ok(())
}

fn text(created: &Created) -> String {
    let lines: String = created.next.iter().map(|line| format!("  {line}\n")).collect();
    format!("next:\n  cd {}\n{lines}", created.folder.display())
}
