//! `pocket plugin cache`.

use serde_json::json;

use crate::cli::arguments::CacheCommand;
use crate::cli::error::count;
use crate::cli::output::Output;
use crate::home::Home;
use crate::ops::OpsError;
use crate::ops::cache::{self, Size};

pub fn run(command: CacheCommand, output: &Output) -> Result<(), OpsError> {
    let home = Home::discover()?;
    match command {
        CacheCommand::Dir => dir(&home, output),
        CacheCommand::Clean => clean(&home, output),
        CacheCommand::Verify => verify(&home, output),
    }
}

fn dir(home: &Home, output: &Output) -> Result<(), OpsError> {
    let (folder, size) = cache::size(home)?;
    let document = json!({ "folder": folder, "files": size.files, "bytes": size.bytes });
    output.result(&document, || format!("{}\n", folder.display()));
    Ok(())
}

fn clean(home: &Home, output: &Output) -> Result<(), OpsError> {
    let (folder, size) = cache::clean(home)?;
    output.step("Removed", shown(size));
    output.result(&json!({ "folder": folder, "files": size.files, "bytes": size.bytes }), String::new);
    Ok(())
}

fn verify(home: &Home, output: &Output) -> Result<(), OpsError> {
    let checked = cache::verify(home)?;
    for path in &checked.damaged {
        output.step("Removed", format!("{}, which was damaged", path.display()));
    }
    output.step("Verified", shown(checked.sound));
    let document = json!({ "files": checked.sound.files, "bytes": checked.sound.bytes, "damaged": checked.damaged });
    output.result(&document, String::new);
    Ok(())
}

fn shown(size: Size) -> String {
    format!(
        "{}, {}",
        count(usize::try_from(size.files).unwrap_or(usize::MAX), "file"),
        indicatif::HumanBytes(size.bytes)
    )
}
