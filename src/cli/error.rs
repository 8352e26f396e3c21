//! One table from errors to what a person reads: the sentence, its causes, the next step, the exit code.

mod accounts;
mod direct;
mod local;
mod runs;
#[cfg(feature = "registry")]
mod server;
mod shelf;

use std::io;

use pocket_index::archive::ArchiveError;
use pocket_index::verify::VerifyError;
#[cfg(feature = "registry")]
use pocket_registry::witness::Refusal;
use serde::Serialize;

use crate::engine::CallErrorKind;
use crate::engine::inspect::UnaskedImport;
use crate::home::HomeError;
use crate::ops::trial::TrialError;
use crate::ops::{LookError, OpsError, OrganisationError, PolicyError};
use crate::registry::{RegistryError, TransportError};
use crate::store::{Change, StoreError};
use crate::workflow::{Drawing, RunError, RunErrorKind};

/// An error as it is printed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// What could not be done.
    pub message: String,
    /// Why, from the outermost cause inwards.
    pub causes: Vec<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// A drawing of the place in a file, printed above the message.
    #[serde(skip)]
    pub drawing: Option<String>,
    /// The process's exit code.
    pub exit: u8,
}

/// Any error but those below.
const ERROR: u8 = 1;
pub(super) const WORKFLOW_INVALID: u8 = 3;
const RUN_FAILED: u8 = 4;
pub(super) const PLUGIN_ERROR: u8 = 5;
pub(super) const VERIFICATION_REFUSED: u8 = 6;

/// The error as it is printed.
pub fn describe(error: &OpsError, drawing_style: Drawing) -> Failure {
    let (mut message, causes) = sentences(error);
    let mut drawing = None;
    if let OpsError::Workflow(problems) = error {
        drawing = Some(format!("{}\n\n", problems.draw(drawing_style)));
        message = format!("the workflow cannot run: {}", count(problems.errors(), "problem"));
    }
    Failure { message, causes, hint: disk_hint(error).or_else(|| hint(error)), drawing, exit: exit_code(error) }
}

/// `1 problem`, `2 problems`.
pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The error's own sentence, then those of its causes. A cause that repeats the sentence before is left out.
fn sentences(error: &dyn std::error::Error) -> (String, Vec<String>) {
    let message = error.to_string();
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last().unwrap_or(&message) != &text {
            causes.push(text);
        }
        next = cause.source();
    }
    (message, causes)
}

fn exit_code(error: &OpsError) -> u8 {
    match error {
        OpsError::Workflow(_) | OpsError::Input { .. } => WORKFLOW_INVALID,
        OpsError::Run(error) if error.is_plugin_fault() => PLUGIN_ERROR,
        OpsError::Run(_) => RUN_FAILED,
        OpsError::Load { .. } | OpsError::Setting { .. } | OpsError::Trial(TrialError::Call { .. }) => PLUGIN_ERROR,
        OpsError::Archive { .. }
        | OpsError::Unverified { .. }
        | OpsError::NoEvidence { .. }
        | OpsError::MissingLink { .. }
        | OpsError::Revoked { .. }
        | OpsError::UnaskedImport { .. }
        | OpsError::Unapproved { .. }
        | OpsError::OtherOwners { .. }
        | OpsError::Policy(_)
        | OpsError::Organisation(_)
        | OpsError::UnsignedLock { .. }
        | OpsError::LockDiffers { .. } => VERIFICATION_REFUSED,
        OpsError::Origin(_) => VERIFICATION_REFUSED,
        OpsError::Local(error) => local::exit_code(error),
        OpsError::Runs(error) => runs::exit_code(error),
        OpsError::Script(error) => shelf::exit_code(error),
        #[cfg(feature = "registry")]
        OpsError::NotCosigned { source, .. } if !matches!(**source, Refusal::Failed(_)) => VERIFICATION_REFUSED,
        OpsError::Direct(error) if direct::is_refusal(error) => VERIFICATION_REFUSED,
        OpsError::Store(error) if is_refusal_of_files(error) => VERIFICATION_REFUSED,
        OpsError::Registry(error) if is_refusal(error) => VERIFICATION_REFUSED,
        #[cfg(feature = "registry")]
        OpsError::Server(pocket_registry::RegistryError::NoCopy { .. }) => VERIFICATION_REFUSED,
        _ => ERROR,
    }
}

fn is_refusal_of_files(error: &StoreError) -> bool {
    matches!(error, StoreError::Changed(_) | StoreError::Unverifiable { .. })
}

fn is_refusal(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::Refused { .. }
            | RegistryError::History { .. }
            | RegistryError::Archive { .. }
            | RegistryError::KeyChanged { .. }
            | RegistryError::NoProof { .. }
            // Its files have limits, which the format states.
            | RegistryError::Transport { source: TransportError::TooLarge { .. }, .. }
            | RegistryError::OtherView { .. }
            | RegistryError::Stale { .. }
            | RegistryError::Ahead { .. }
            | RegistryError::DevelopmentKey { .. }
            | RegistryError::Witnesses { .. }
    )
}

fn look_hint(error: &LookError) -> &'static str {
    match error {
        LookError::NoPicture { .. } => "name one that ends with .svg, .html, .mmd or .dot",
        LookError::Drawing(_) => "`--format dot` and `--format mermaid` are laid out by other programs",
        LookError::NoWorkflow { .. } => "a workflow is a .yaml, .yml or .json file with `nodes`",
    }
}

/// What helps against a disk that refuses, whatever was being written.
fn disk_hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let causes = std::iter::successors(Some(error), |error| error.source());
    let kinds = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    Some(match kinds.last()? {
        StorageFull | QuotaExceeded => {
            "make room (`pocket plugin cache clean` empties the cache) and try again; nothing was changed".to_owned()
        }
        ReadOnlyFilesystem => "name a folder that can be written with --dir or POCKET_HOME".to_owned(),
        _ => return None,
    })
}

/// What to do next, where there is something that helps.
fn hint(error: &OpsError) -> Option<String> {
    match error {
        OpsError::Registry(error) => registry_hint(error),
        OpsError::Home(error) => home_hint(error),
        OpsError::Download { source, .. } => transport_hint(source),
        OpsError::Unverified { source, .. } if is_too_large(source) => Some(TAKE_LARGER.to_owned()),
        OpsError::MissingLink { .. } => Some("repeat the command once without --offline".to_owned()),
        OpsError::Archive { .. } | OpsError::Unverified { .. } => {
            Some("do not use this archive; tell whoever publishes it".to_owned())
        }
        OpsError::OtherVersion { .. } => Some("change `version` in its manifest".to_owned()),
        OpsError::Package { .. } => {
            Some("`pocket plugin pack FOLDER` makes an archive that registries take".to_owned())
        }
        OpsError::Account(error) => Some(accounts::hint(error)),
        OpsError::Publish(error) => accounts::publish_hint(error),
        OpsError::Direct(error) => direct::hint(error),
        OpsError::UnaskedImport { source, .. } => Some(import_hint(source)),
        OpsError::Local(error) => local::hint(error),
        OpsError::Nodes(error) => Some(shelf::nodes_hint(error)),
        OpsError::Script(error) => shelf::script_hint(error),
        OpsError::NothingCounted { near, .. } if !near.is_empty() => Some(format!("did you mean {}?", quoted(near))),
        OpsError::NoTemplate { .. } => Some(
            "there are templates for `--type lua`, `--type native --lang go|rust|c` and `--type wasm --lang rust|go|c|zig|assemblyscript`"
                .to_owned(),
        ),
        OpsError::Look(error) => Some(look_hint(error).to_owned()),
        OpsError::Trial(TrialError::NoExamples { .. }) => {
            Some("give --input FILE, or write `examples` below the node in manifest.yaml".to_owned())
        }
        OpsError::NothingCounted { .. } => Some("calls are counted by `pocket run`".to_owned()),
        OpsError::Origin(error) => Some(direct::origin_hint(error)),
        OpsError::LockDiffers { .. } => Some(
            "somebody edited pocket.lock, or the registry began another history; go back to a lock that was reviewed"
                .to_owned(),
        ),
        OpsError::UnsignedLock { .. } => Some("go back to a pocket.lock that was reviewed".to_owned()),
        OpsError::NoRegistry { name, .. } => {
            Some(format!("say where it is: `registries: {{{name}: \"https://…\"}}` in pocket.yaml"))
        }
        OpsError::NotApproved { .. } => {
            Some("read what they ask for above, then repeat the command with --yes".to_owned())
        }
        OpsError::Organisation(error) => Some(organisation_hint(error)),
        OpsError::Policy(error) => Some(policy_hint(error)),
        OpsError::Unapproved { name, .. } => Some(format!(
            "`pocket plugin permissions {name}` shows what was approved; `pocket plugin install` asks for the rest"
        )),
        OpsError::OtherOwners { name, .. } => Some(format!(
            "compare the fingerprints with what the publisher says elsewhere; `--accept-recovery {name}` takes the new ones"
        )),
        OpsError::LockStale { .. } => {
            Some("run `pocket plugin install` without --locked and commit pocket.lock".to_owned())
        }
        OpsError::NotVendored { folder, .. } => Some(format!("run `pocket plugin vendor {}`", folder.display())),
        OpsError::ForeignTarget { .. } => Some("name one with --dir FOLDER".to_owned()),
        OpsError::Imprecise { name, .. } => Some(format!(
            "`pocket plugin why {name}` shows what needs it; `pocket plugin info {name}` lists its versions"
        )),
        OpsError::NoPlugin { near, .. } if !near.is_empty() => Some(format!("did you mean {}?", quoted(near))),
        OpsError::NoPlugin { .. } => Some("`pocket plugin search WORD` lists what there is".to_owned()),
        OpsError::NotInstalled { .. } => Some("run `pocket plugin install`".to_owned()),
        OpsError::Store(error) => store_hint(error),
        OpsError::Io { source, .. } => place_hint(source),
        OpsError::Yanked { .. } => Some("install another version; only locks that hold it keep it".to_owned()),
        OpsError::Revoked { .. } => Some("install another version, and find out why this one was revoked".to_owned()),
        OpsError::Run(error) => run_hint(error),
        OpsError::Runs(error) => runs::hint(error),
        OpsError::FolderInUse { .. } => Some("name an empty or a new folder".to_owned()),
        #[cfg(feature = "registry")]
        OpsError::Server(error) => server::server_hint(error),
        #[cfg(feature = "registry")]
        OpsError::WitnessFolder(error) => server::witness_hint(error),
        #[cfg(feature = "registry")]
        OpsError::NotCosigned { source, .. } => server::refusal_hint(source),
        _ => None,
    }
}

fn import_hint(error: &UnaskedImport) -> String {
    match error {
        UnaskedImport::Permission { word, .. } => format!(
            "its author must list what it uses under `permissions.{}` in manifest.yaml; do not use it before",
            word.field()
        ),
        UnaskedImport::NotGiven { .. } => {
            "docs/plugins/wasm.md lists what plugins may import; ask its author for a build without this".to_owned()
        }
    }
}

fn organisation_hint(error: &OrganisationError) -> String {
    match error {
        OrganisationError::KeyOfProject { .. } => "take it out of the project's file".to_owned(),
        OrganisationError::Missing { .. } | OrganisationError::Unsigned { .. } => {
            "get it from your organisation; `pocket key sign trust.yaml` makes the signature".to_owned()
        }
        _ => "do not use it; ask whoever keeps your organisation's trust.yaml".to_owned(),
    }
}

fn policy_hint(error: &PolicyError) -> String {
    match error {
        PolicyError::Revoked { .. } => "install a version that another key signed, or another plugin".to_owned(),
        PolicyError::Origin { .. } | PolicyError::Denied { .. } => {
            "ask whoever keeps your organisation's trust.yaml".to_owned()
        }
        PolicyError::RegistryKey { .. } => {
            "somebody may stand in for the registry; ask whoever keeps your organisation's trust.yaml".to_owned()
        }
        PolicyError::OtherSigners { .. } | PolicyError::Unsigned { .. } => {
            "compare the fingerprints with what the publisher says elsewhere before you trust another key".to_owned()
        }
    }
}

fn store_hint(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Changed(change) => {
            let Change { name, version, .. } = &**change;
            Some(format!(
                "the files were changed after they were installed; `pocket plugin install {name}@={version}` restores them"
            ))
        }
        StoreError::NotAFolder { .. } => Some("move it away, or name another folder with --dir".to_owned()),
        StoreError::Io { source, .. } => place_hint(source),
        StoreError::Unverifiable { .. } | StoreError::Manifest { .. } => None,
    }
}

/// What helps where the store's own folder is the trouble.
fn place_hint(error: &io::Error) -> Option<String> {
    Some(match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "give this user the right to write there, or name another folder with --dir or POCKET_HOME".to_owned()
        }
        io::ErrorKind::CrossesDevices => {
            "a plugin's folder must be on the same file system as its store: no mount, no link".to_owned()
        }
        _ => return None,
    })
}

fn registry_hint(error: &RegistryError) -> Option<String> {
    match error {
        RegistryError::Transport { source: TransportError::TooLarge { .. }, .. } => Some(REPORT.to_owned()),
        RegistryError::Transport { source, .. } => transport_hint(source),
        RegistryError::Download { source, .. } => transport_hint(source),
        RegistryError::Refused { .. } | RegistryError::History { .. } => Some(REPORT.to_owned()),
        RegistryError::NoProof { .. } => {
            Some("what nobody can check is not used; report it to whoever runs the registry".to_owned())
        }
        RegistryError::OtherView { .. } => Some(
            "ask others who use the registry what it shows them, and send them what is kept; nothing was changed"
                .to_owned(),
        ),
        RegistryError::KeyChanged { file, .. } => Some(match file {
            Some(file) => {
                format!("if the registry was set up anew and you trust it, remove `{}` and try again", file.display())
            }
            None => {
                "if the registry was set up anew and you trust it, put the new key into pocket.lock and pocket.yaml, \
                     wherever the old one stands"
                    .to_owned()
            }
        }),
        RegistryError::Witnesses { .. } => Some(
            "others may be shown another history: ask the registry and the witnesses; nothing was changed".to_owned(),
        ),
        RegistryError::Stale { .. } => Some(
            "somebody may keep newer releases and withdrawals from you: ask whoever runs it, who signs anew with `pocket registry \
             refresh`; --locked takes what is locked, and `max_age` of the registry in pocket.yaml allows more"
                .to_owned(),
        ),
        RegistryError::Ahead { .. } => {
            Some("set the clock of this machine; if it is right, tell whoever runs the registry".to_owned())
        }
        RegistryError::DevelopmentKey { .. } => Some("the registry must make a key of its own".to_owned()),
        RegistryError::ReadOnly { .. } => {
            Some("name a registry server: `pocket registry serve --dir FOLDER`, then `--registry http://…`".to_owned())
        }
        RegistryError::Archive { source, .. } => Some(archive_hint(source)),
        RegistryError::Memory { source, .. } => home_hint(source),
        RegistryError::PublishRefused { code, .. } => accounts::refused_hint(code),
    }
}

fn archive_hint(error: &VerifyError) -> String {
    match error {
        error if is_too_large(error) => TAKE_LARGER,
        VerifyError::NoArchive { .. } => "ask its author for an archive for this machine",
        VerifyError::Size { .. } | VerifyError::Longer { .. } | VerifyError::Digest { .. } => {
            "the file changed after it was published; report it to the registry before using it"
        }
        _ => "its publisher signed what cannot be used; choose another version, and tell publisher and registry",
    }
    .to_owned()
}

const REPORT: &str =
    "the registry, or somebody between it and this machine, changed something; report it before using it";

const TAKE_LARGER: &str =
    "if you expect that much, `--max-unpacked SIZE`, or `max_unpacked` of the registry in pocket.yaml, allows it";

fn is_too_large(error: &VerifyError) -> bool {
    matches!(error, VerifyError::Archive(ArchiveError::Unpacked { .. }))
}

fn transport_hint(error: &TransportError) -> Option<String> {
    Some(match error {
        TransportError::Unreachable { source, .. } => unreachable_hint(source).to_owned(),
        TransportError::TimedOut { .. } | TransportError::Truncated { .. } => {
            "try again; nothing was changed".to_owned()
        }
        TransportError::NotFound { .. } => "check the address; a registry has a `config.json` at its root".to_owned(),
        TransportError::Client { .. } => {
            "SSL_CERT_FILE and SSL_CERT_DIR name the certificate authorities, HTTPS_PROXY and HTTP_PROXY the proxy"
                .to_owned()
        }
        TransportError::Io { source, .. } => return place_hint(source),
        TransportError::Status { status: 500.., .. } => {
            "the server has a trouble of its own; try again later".to_owned()
        }
        TransportError::Redirected { .. } => "give the address that it leads to, if you trust that".to_owned(),
        TransportError::Stalled { .. } => "publish again: what was taken already is not taken twice".to_owned(),
        TransportError::Denied { sent, .. } => accounts::denied_hint(*sent),
        TransportError::Offline { .. } => "repeat the command once without --offline".to_owned(),
        _ => return None,
    })
}

/// Certificates and proxies are named where one of them is at fault; otherwise it is the server.
fn unreachable_hint(error: &dyn std::error::Error) -> &'static str {
    let text = sentences(error).1.join(" ");
    if text.contains("certificate") {
        "SSL_CERT_FILE names a file with the certificate authorities to trust"
    } else if is_proxied() {
        "is the server running, and the address right? HTTP_PROXY, HTTPS_PROXY and NO_PROXY say which proxy is used"
    } else {
        "is the server running, and the address right?"
    }
}

fn is_proxied() -> bool {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn home_hint(error: &HomeError) -> Option<String> {
    Some(match error {
        HomeError::Io { source, .. } => return disk_hint(source),
        HomeError::None => "set POCKET_HOME to a folder".to_owned(),
        HomeError::NoPassphrase { .. } => "set POCKET_KEY_PASSPHRASE, or run the command on a terminal".to_owned(),
        HomeError::NoKey { name, .. } => format!("`pocket key new {name}` makes it"),
        HomeError::RevokedKey { path, .. } => {
            format!("if that was a mistake, take it out of `{}`", path.display())
        }
        HomeError::KeyExists { .. } => "choose another name; a key is never replaced".to_owned(),
        HomeError::TokensExposed { path, .. } => {
            format!("`chmod 600 {}`; if others had access, have the tokens revoked", path.display())
        }
        HomeError::KeyExposed { path, .. } => {
            format!("`chmod 600 {}`; if others had access, make a new key", path.display())
        }
        _ => return None,
    })
}

fn run_hint(error: &RunError) -> Option<String> {
    let RunErrorKind::Node(kind) = &error.kind else { return None };
    Some(match kind {
        CallErrorKind::Timeout => "raise the node's `timeout`, or add a connection with `when: error`".to_owned(),
        CallErrorKind::Denied => "`plugins.security` in pocket.yaml says what plugins and workflows may do".to_owned(),
        CallErrorKind::OutOfMemory if error.plugin.is_none() => "give the node less at once".to_owned(),
        CallErrorKind::Crashed | CallErrorKind::OutOfMemory => "tell the plugin's author".to_owned(),
        CallErrorKind::Retryable => {
            "add `retry: {max_attempts: 3}` to the node, or a connection with `when: error`".to_owned()
        }
        _ => return None,
    })
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}
