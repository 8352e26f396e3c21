//! A WebAssembly file: whether it is a plugin, what it imports, and whether its manifest asks for that.

use crate::engine::inspect::{self, Inspection, Kind, RUN_TYPE, Run, UnaskedImport};
use crate::ops::plugins::near;

use super::{Checked, Code};

/// Looks at what it needs and offers; nothing of it runs.
pub fn look(checked: &mut Checked, code: &Code<'_>) {
    let found = match inspect::wasm(code.bytes) {
        Ok(found) => found,
        Err(error) => {
            checked.problem(error.to_string(), "was it built, or downloaded to its end?".to_owned());
            return;
        }
    };
    checked.imports = found.imports.iter().map(|import| import.name.clone()).collect();
    checked.exports = found.exports.iter().map(|export| export.name.clone()).collect();
    run(checked, &found);
    imports(checked, &found);
}

fn run(checked: &mut Checked, found: &Inspection) {
    let expected = match found.kind {
        Kind::Component => format!("a component exports `run: {RUN_TYPE}`"),
        Kind::CoreModule => {
            "a core module exports `run` with eight `i32` and one `i32` as its result, and `cabi_realloc`".to_owned()
        }
    };
    match found.run {
        Run::Fits => checked.fine("it exports `run` as plugins do"),
        Run::OtherType => checked.problem("its export `run` has another type", expected),
        Run::Missing => {
            let close = near("run", checked.exports.iter().map(String::as_str));
            let found = close.first().map_or_else(String::new, |name| format!(", but `{name}`"));
            checked.problem(format!("it does not export `run`{found}"), expected);
        }
    }
}

/// Without a manifest nothing is asked for, so that what takes a permission is told.
fn imports(checked: &mut Checked, found: &Inspection) {
    let asked = checked.manifest.as_ref().map(|manifest| manifest.permissions.clone()).unwrap_or_default();
    let unasked = found.unasked(&asked);
    if unasked.is_empty() {
        checked.fine("it imports what its manifest asks for, and nothing else");
    }
    for import in unasked {
        let hint = match &import {
            UnaskedImport::Permission { word, .. } => {
                format!("list what it uses under `permissions.{}` in manifest.yaml", word.field())
            }
            UnaskedImport::NotGiven { .. } => "docs/plugins/wasm.md lists what plugins may import".to_owned(),
        };
        checked.problem(import.to_string(), hint);
    }
}
