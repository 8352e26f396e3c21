//! `pocket nodes`.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::arguments::NodesCommand;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::nodes::{self, NodeInfo};
use crate::ops::{OpsError, Scope, Workspace};

pub fn run(command: &NodesCommand, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    match command {
        NodesCommand::List { shelf } => {
            let listed = nodes::list(&workspace, shelf.category.as_deref())?;
            let documents: Vec<Value> = listed.iter().map(NodeInfo::entry).collect();
            output.result(&documents, || {
                table(["TYPE", "CATEGORY", "FROM", "DESCRIPTION"], &listed.iter().map(row).collect::<Vec<_>>())
            });
        }
        NodesCommand::Info { name } => {
            let node = nodes::info(&workspace, name)?;
            output.result(&node.document(), || text(&node));
        }
        NodesCommand::Docs { shelf, out } => {
            let page = nodes::page(&nodes::list(&workspace, shelf.category.as_deref())?);
            match out {
                Some(path) => write(path, &page, output)?,
                None => output.result(&json!({ "page": page }), || page.clone()),
            }
        }
    }
    Ok(())
}

fn write(path: &Path, page: &str, output: &Output) -> Result<(), OpsError> {
    std::fs::write(path, page).map_err(OpsError::io("write", path))?;
    output.step("Wrote", format!("`{}`", path.display()));
    output.result(&json!({ "page": page }), String::new);
    Ok(())
}

fn row(node: &NodeInfo) -> [String; 4] {
    let from = node.plugin.as_ref().map_or_else(|| "-".to_owned(), |(plugin, _)| plugin.clone());
    [node.node_type.clone(), node.category.clone(), from, first_sentence(&node.description)]
}

/// As much as a line of a table holds.
fn first_sentence(description: &str) -> String {
    let end = description.find(". ").map_or(description.len(), |at| at + 1);
    let sentence = description[..end].trim_end_matches('.');
    match sentence.char_indices().nth(76) {
        Some((at, _)) => format!("{}…", sentence[..at].trim_end()),
        None => sentence.to_owned(),
    }
}

/// The page's section is what a person wants too.
fn text(node: &NodeInfo) -> String {
    let page = nodes::page(std::slice::from_ref(node));
    page.split_once("\n## ").map_or_else(|| page.clone(), |(_, section)| section.to_owned())
}
