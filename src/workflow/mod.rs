//! Workflows: documents, plans and runs.

pub mod template;
