//! `pocket registry`.

use std::io::Write as _;

use pocket_registry::{Exposure, Options, Seed, Server, Source};

use crate::cli::arguments::RegistryCommand;
use crate::cli::output::Output;
use crate::ops::OpsError;

pub fn run(command: RegistryCommand, output: &Output) -> Result<(), OpsError> {
    let RegistryCommand::Serve { dir, with_bundled, addr, behind_proxy } = command;
    let seed = if with_bundled { Seed::Bundled } else { Seed::Empty };
    let source = dir.map_or(Source::Bundled, |path| Source::Folder { path, seed });
    let exposure = if behind_proxy { Exposure::BehindProxy } else { Exposure::Loopback };
    let options = Options { source, address: addr, exposure };
    pocket_registry::serve_until_stopped(&options, |server| announce(server, &options, output))?;
    Ok(())
}

/// The first line of the standard output says where it listens: scripts wait for it.
fn announce(server: &Server, options: &Options, output: &Output) {
    let mut stdout = std::io::stdout().lock();
    // A reader that went away does not stop the server.
    let _ = writeln!(stdout, "serving {}", server.url()).and_then(|()| stdout.flush());
    output.step("Key", server.registry().key().public().fingerprint().to_string());
    match &options.source {
        Source::Bundled => {
            output.step("Serving", "a copy of the bundled plugins; what is published is gone when it stops")
        }
        Source::Folder { .. } => {
            output.step("Serving", format!("`{}`; any web server can, too", server.registry().tree().display()))
        }
    }
}
