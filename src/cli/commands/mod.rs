//! One file a verb.

#[cfg(feature = "registry")]
mod demo;
mod info;
mod install;
mod key;
mod list;
mod pack;
mod publish;
#[cfg(feature = "registry")]
mod registry;
mod run;
mod search;
mod uninstall;
mod verify;

use std::process::ExitCode;

use crate::ops::{OpsError, Reach};
use crate::registry::Network;

use super::arguments::{Cli, Command, PluginCommand, RegistryArguments};
use super::output::Output;

/// Runs the verb that was typed.
pub fn run(cli: Cli, output: &Output) -> Result<ExitCode, OpsError> {
    let done = match cli.command {
        Command::Run(arguments) => run::run(&arguments, output),
        Command::Plugin(command) => plugin(command, output),
        Command::Key(command) => key::run(&command, output),
        #[cfg(feature = "registry")]
        Command::Registry(command) => registry::run(command, output),
        #[cfg(feature = "registry")]
        Command::Demo(arguments) => demo::run(&arguments, output),
        Command::PluginHost => return Ok(crate::engine::native::run_host()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn plugin(command: PluginCommand, output: &Output) -> Result<(), OpsError> {
    match command {
        PluginCommand::Install(arguments) => install::run(&arguments, output),
        PluginCommand::Uninstall(arguments) => uninstall::run(&arguments, output),
        PluginCommand::List => list::run(output),
        PluginCommand::Info { name, registry } => info::run(&name, &registry, output),
        PluginCommand::Search { words, registry } => search::run(&words, &registry, output),
        PluginCommand::Pack(arguments) => pack::run(&arguments, output),
        PluginCommand::Publish(arguments) => publish::run(&arguments, output),
        PluginCommand::Verify { subject, registry } => verify::run(&subject, &registry, output),
    }
}

/// What the registry options say.
fn reach(arguments: &RegistryArguments) -> Reach {
    let network = if arguments.offline { Network::Offline } else { Network::Online };
    Reach { registry: arguments.registry.clone(), network }
}

/// Runs a verb that waits for the network, on this thread.
fn block_on<T>(verb: impl Future<Output = Result<T, OpsError>>) -> Result<T, OpsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| OpsError::Runtime { source })?.block_on(verb)
}
