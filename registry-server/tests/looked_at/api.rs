//! The API against its own document.

use std::process::Command;

use super::server::{Running, cache, installed, run};

#[test]
fn the_api_answers_as_its_document_says() {
    let folder = installed("schemathesis");
    let server = Running::start();
    let program = cache("POCKET_SCHEMATHESIS", "pocket-schemathesis").join("venv/bin/schemathesis");
    let mut command = Command::new(program);
    command.arg("--config-file").arg(folder.join("schemathesis.toml"));
    command.args(["run", "--no-color", "--max-examples", "60", "--seed", "1"]);
    run(command.arg(format!("{}api/v1/openapi.json", server.url)).current_dir(std::env::temp_dir()));
}
