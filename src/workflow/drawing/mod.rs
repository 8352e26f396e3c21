//! Pictures of workflows, and of what a run did with them: SVG, HTML, Mermaid and DOT.
//!
//! ```text
//! Plan, Trace --picture--> boxes and arrows --layout--> places --svg, html--> text
//!                                           --mermaid, dot--> text, laid out by other programs
//! ```
//!
//! Pictures are text that says the same each time, and do nothing: no script, no link, nothing from elsewhere, whatever nodes
//! are called.

mod dot;
mod html;
mod layout;
mod mermaid;
mod picture;
mod svg;
mod text;
mod trace;

use std::path::Path;

use super::plan::Plan;
use picture::Picture;

pub use trace::Trace;

/// What a picture is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    /// Scalable vector graphics, for light and dark surroundings.
    Svg,
    /// A page with the picture and a table of the nodes.
    Html,
    /// A Mermaid flowchart, which GitHub and others draw.
    Mermaid,
    /// Graphviz.
    Dot,
}

impl PictureFormat {
    /// The format that a file's ending stands for.
    pub fn of_file(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "svg" => Self::Svg,
            "html" | "htm" => Self::Html,
            "mmd" | "mermaid" => Self::Mermaid,
            "dot" | "gv" => Self::Dot,
            _ => return None,
        })
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrawingError {
    /// It would be too large to be laid out, and to be read.
    #[error("a workflow of {nodes} nodes makes a picture of more than {} boxes and bends", layout::MAX_ITEMS)]
    TooLarge {
        /// How many nodes there are.
        nodes: usize,
    },
}

/// Draws a plan, and what a run did with it.
///
/// # Errors
/// There is too much to be laid out; Mermaid and DOT are laid out by others, and always possible.
pub fn draw(plan: &Plan, trace: Option<&Trace>, format: PictureFormat) -> Result<String, DrawingError> {
    let picture = Picture::new(plan, trace);
    let too_large = || DrawingError::TooLarge { nodes: plan.nodes.len() };
    match format {
        PictureFormat::Svg => svg::draw(&picture).ok_or_else(too_large),
        PictureFormat::Html => html::draw(&picture).ok_or_else(too_large),
        PictureFormat::Mermaid => Ok(mermaid::draw(&picture)),
        PictureFormat::Dot => Ok(dot::draw(&picture)),
    }
}

#[cfg(test)]
mod tests;
