//! `graph`: the picture of a workflow.

use std::path::Path;

use super::catalog::{Catalog, workflow_settings};
use super::look::LookError;
use super::run::{Notice, PlannedRun, document_error, offered_to};
use super::{OpsError, Workspace, offered};
use crate::workflow::drawing::{self, PictureFormat, Trace};
use crate::workflow::{Document, Found, NodeCatalog as _, Plan, Undemanding};

/// Draws a workflow. It need not be able to run here: node types that nobody provides are drawn as they are written.
///
/// # Errors
/// Everything that is wrong with the document, at once.
pub fn draw(
    workspace: &Workspace,
    path: &Path,
    format: PictureFormat,
    notify: &dyn Fn(Notice),
) -> Result<String, OpsError> {
    let document = Document::read(path).map_err(document_error)?;
    let (from_workflow, _) = workflow_settings(&document);
    let offered = offered_to(workspace, &document).unwrap_or_else(|error| {
        notify(Notice::Warning(format!("the plugins here are not known: {}", super::run::reason(&error))));
        offered::Offered::default()
    });
    let catalog = Catalog::new(workspace, &offered, &[], &from_workflow, None, notify)?;
    for node_type in document.node_types() {
        let is_unknown = crate::nodes::built_in(node_type).is_none();
        if is_unknown && matches!(catalog.find(node_type), Found::Nothing) {
            notify(Notice::Warning(format!("there is no node type `{node_type}` here; it is drawn as it is written")));
        }
    }
    let plan = Plan::new(&document, &Undemanding(&catalog))?;
    Ok(drawing::draw(&plan, None, format).map_err(LookError::from)?)
}

/// Draws what a run did, to a file of this name.
///
/// # Errors
/// The picture cannot be drawn or written.
pub fn draw_run(planned: &PlannedRun, trace: &Trace, path: &Path) -> Result<(), OpsError> {
    let picture = drawing::draw(planned.plan(), Some(trace), format_of(path)?).map_err(LookError::from)?;
    write(path, &picture)
}

/// The format of a picture's file.
///
/// # Errors
/// Its ending stands for none.
pub fn format_of(path: &Path) -> Result<PictureFormat, OpsError> {
    PictureFormat::of_file(path).ok_or_else(|| LookError::NoPicture { path: path.to_owned() }.into())
}

/// Writes a picture.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, picture: &str) -> Result<(), OpsError> {
    std::fs::write(path, picture).map_err(OpsError::io("write", path))
}
