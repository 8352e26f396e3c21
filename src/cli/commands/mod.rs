//! One file a verb.

mod announce;
mod approve;
mod audit;
mod cache;
mod check;
mod create;
#[cfg(feature = "registry")]
mod demo;
mod info;
mod install;
mod key;
mod list;
mod load;
mod login;
mod metrics;
mod nodes;
mod outdated;
mod pack;
mod permissions;
mod profile;
mod publish;
#[cfg(feature = "registry")]
mod registry;
mod run;
mod runs;
mod scripts;
mod search;
mod tree;
mod trial;
mod uninstall;
mod vendor;
mod verify;
mod why;
#[cfg(feature = "registry")]
mod witness;
mod workflow;

use std::process::ExitCode;

use pocket_index::signature::SecretKey;

use crate::home::keys;
use crate::ops::{OpsError, Reach, Workspace};
use crate::registry::Network;

use super::approval::Approval;
use super::arguments::{Cli, Command, PluginCommand, RegistryArguments, ScopeArguments};
use super::output::Output;
use super::passphrase::Passphrases;

use announce::Withdrawing;

/// Runs the verb that was typed.
pub fn run(cli: Cli, output: &Output) -> Result<ExitCode, OpsError> {
    let done = match cli.command {
        Command::Run(arguments) => run::run(&arguments, output),
        Command::Workflow(command) => return workflow::run(&command, output),
        Command::Graph(arguments) => workflow::graph(&arguments, output),
        Command::Runs(command) => runs::run(&command, output),
        Command::Plugin(command) => return plugin(command, output),
        Command::Nodes(command) => nodes::run(&command, output),
        Command::Scripts(command) => return scripts::run(&command, output),
        Command::Key(command) => key::run(&command, output),
        #[cfg(feature = "registry")]
        Command::Registry(command) => return registry::run(command, output),
        #[cfg(feature = "registry")]
        Command::Witness(command) => witness::run(command, output),
        #[cfg(feature = "registry")]
        Command::Demo(arguments) => demo::run(&arguments, output),
        Command::Worker => return Ok(crate::nodes::run_worker()),
        Command::PluginHost => return Ok(crate::engine::native::run_host()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn plugin(command: PluginCommand, output: &Output) -> Result<ExitCode, OpsError> {
    let done = match command {
        PluginCommand::Install(arguments) => install::run(&arguments, output),
        PluginCommand::Uninstall(arguments) => uninstall::run(&arguments, output),
        PluginCommand::Update(arguments) => install::update(&arguments, output),
        PluginCommand::Lock(arguments) => install::lock(&arguments, output),
        PluginCommand::Outdated(arguments) => return outdated::run(&arguments, output),
        PluginCommand::Tree(arguments) => tree::run(&arguments, output),
        PluginCommand::Why { name, scope } => why::run(&name, scope, output),
        PluginCommand::Vendor { folder, registry } => vendor::run(&folder, &registry, output),
        PluginCommand::Audit(arguments) => return audit::run(&arguments, output),
        PluginCommand::Cache(command) => cache::run(command, output),
        PluginCommand::List { scope } => list::run(scope, output),
        PluginCommand::Check { path } => return check::run(&path, output),
        PluginCommand::Create(arguments) => create::run(&arguments, output),
        PluginCommand::Test(arguments) => return trial::test(&arguments, output),
        PluginCommand::Bench(arguments) => trial::bench(&arguments, output),
        PluginCommand::Profile(arguments) => profile::run(&arguments, output),
        PluginCommand::Load(arguments) => load::run(&arguments, output),
        PluginCommand::Unload(arguments) => load::unload(&arguments, output),
        PluginCommand::Info(arguments) => info::run(&arguments, output),
        PluginCommand::Metrics(arguments) => metrics::run(&arguments, output),
        PluginCommand::Permissions { name, registry } => permissions::run(&name, &registry, output),
        PluginCommand::Search(arguments) => search::run(&arguments, output),
        PluginCommand::Categories { registry } => search::categories(&registry, output),
        PluginCommand::Popular(arguments) => search::popular(&arguments, output),
        PluginCommand::Pack(arguments) => pack::run(&arguments, output),
        PluginCommand::Publish(arguments) => publish::run(&arguments, output),
        PluginCommand::Staged { registry } => approve::staged(&registry, output),
        PluginCommand::Approve(arguments) => approve::approve(&arguments, output),
        PluginCommand::Reject(arguments) => approve::reject(&arguments, output),
        PluginCommand::Login(arguments) => login::login(&arguments, output),
        PluginCommand::Logout { registry } => login::logout(&registry, output),
        PluginCommand::Yank(arguments) => announce::withdraw(Withdrawing::Yank, &arguments, output),
        PluginCommand::Unyank(arguments) => announce::withdraw(Withdrawing::Unyank, &arguments, output),
        PluginCommand::Revoke(arguments) => announce::withdraw(Withdrawing::Revoke, &arguments, output),
        PluginCommand::Deprecate(arguments) => announce::deprecate(&arguments, output),
        PluginCommand::Owner(command) => announce::owner(&command, output),
        PluginCommand::Verify { subject, registry } => verify::run(subject.as_deref(), &registry, output),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// What the registry options say.
fn reach(arguments: &RegistryArguments) -> Reach {
    let network = if arguments.offline { Network::Offline } else { Network::Online };
    Reach { registry: arguments.registry.clone(), network }
}

/// Who says yes to permissions: `--yes` did, or the person at the terminal is asked.
fn approval(is_given: bool, output: &Output) -> Approval<'_> {
    if is_given { Approval::Given(output) } else { Approval::Asked(output) }
}

/// The nearest project's files or the user's own, with the right to change them.
fn open_to_change(scope: ScopeArguments, output: &Output) -> Result<Workspace, OpsError> {
    Workspace::open_to_change(scope.scope(), &|| output.step("Waiting", "another process changes the same project"))
}

/// The private keys of these names.
fn secrets(workspace: &Workspace, names: &[String], output: &Output) -> Result<Vec<SecretKey>, OpsError> {
    let passphrases = Passphrases::new(output);
    let load = |name: &String| keys::load(workspace.home(), name, &|name| passphrases.of_key(name));
    Ok(names.iter().map(load).collect::<Result<_, _>>()?)
}

/// The nearest project's files or the user's own, to look at.
fn open_to_read(scope: ScopeArguments) -> Result<Workspace, OpsError> {
    Workspace::open(scope.scope())
}

/// The same for a verb that looks at registries, and tells what a person should know of them: also where it failed.
fn look<T>(
    workspace: &Workspace,
    output: &Output,
    verb: impl Future<Output = Result<T, OpsError>>,
) -> Result<T, OpsError> {
    let done = block_on(verb);
    workspace.notices().iter().for_each(|notice| output.warning(notice.to_string()));
    done
}

/// Runs a verb that waits for the network, on this thread.
fn block_on<T>(verb: impl Future<Output = Result<T, OpsError>>) -> Result<T, OpsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| OpsError::Runtime { source })?.block_on(verb)
}
