//! The pages as Chromium shows them. The pictures go to `target/screenshots`, to be looked at.

use std::path::Path;
use std::process::Command;

use super::server::{Running, installed, run};

#[test]
fn pages_are_accessible_in_every_look_and_need_neither_mouse_nor_scripts() {
    let folder = installed("browser");
    let server = Running::start();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    run(Command::new("node").arg(folder.join("check.mjs")).arg(&server.url).arg(pictures));
}
