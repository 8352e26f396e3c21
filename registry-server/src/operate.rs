//! What an operator does to a registry besides serving it, as a command: `pocket-registry` and `pocket registry` have the same.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pocket_index::log::NoteKey;
use pocket_index::name::PluginName;
use reqwest::Url;
use serde_json::{Value, json};

use crate::accounts::{self, TokenCommand};
use crate::arguments::PlaceArguments;
use crate::config::{DEFAULT_RECOVERY_DELAY, Seed, Witnesses};
use crate::copy::{self, Copied, LeftOut, Secret, Wanted};
use crate::gc::{self, Removed};
use crate::writer::Relisted;
use crate::{Registry, RegistryError};

/// A command.
#[derive(Debug, Subcommand)]
pub enum Operation {
    /// Make a new registry, and its key
    Init(InitArguments),
    /// Copy a registry into a folder that a web server can serve, all of it or some plugins, with every proof; again to bring it up to
    /// date. Plugins that do not fit together are left out and named, and the command fails
    Mirror(MirrorArguments),
    /// Copy a registry into one file, to be carried where there is no network. Plugins that do not fit together are left out and
    /// named, and the command fails
    Export(ExportArguments),
    /// Unpack what `export` wrote into a folder that a web server can serve, and check all of it
    Import(ImportArguments),
    /// Copy a registry, while it is served, into a folder from which it can be served again; of a folder with its private key
    Backup(BackupArguments),
    /// Remove what nothing names any more: archives of publishes that failed, begun tiles that are full by now, staged releases that
    /// waited too long. Nothing younger than
    /// a day is touched, and the registry may be served meanwhile
    Gc(GcArguments),
    /// Make, list and revoke the tokens that a server asks for
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make the search list anew from the plugins' files; no server may use the folder meanwhile
    Relist(RelistArguments),
}

/// What [`Operation::Init`] is told.
#[derive(Debug, Args)]
pub struct InitArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Start with the plugins of the bundled registry
    #[arg(long)]
    with_bundled: bool,
    /// Nobody reads it without a token: neither index nor archives, API or pages. Of one that is there, too
    #[arg(long)]
    private: bool,
}

/// What [`Operation::Mirror`] is told.
#[derive(Debug, Args)]
pub struct MirrorArguments {
    #[command(flatten)]
    from: FromArguments,
    /// The folder; what an earlier copy left there must be the beginning of the same log
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// Only this plugin; may be given several times
    #[arg(long, value_name = "NAME")]
    plugin: Vec<PluginName>,
    /// The key that the log must have
    #[arg(long, value_name = "KEY")]
    log_key: Option<NoteKey>,
}

/// What [`Operation::Export`] is told.
#[derive(Debug, Args)]
pub struct ExportArguments {
    #[command(flatten)]
    from: FromArguments,
    /// The file; it must not exist
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// Only this plugin; may be given several times
    #[arg(long, value_name = "NAME")]
    plugin: Vec<PluginName>,
}

/// What [`Operation::Import`] is told.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The file
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// The folder
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// The key that the log must have
    #[arg(long, value_name = "KEY")]
    log_key: Option<NoteKey>,
}

/// What [`Operation::Backup`] is told.
#[derive(Debug, Args)]
pub struct BackupArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// The folder
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
}

/// What [`Operation::Gc`] is told.
#[derive(Debug, Args)]
pub struct GcArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Only tell
    #[arg(long)]
    dry_run: bool,
}

/// What [`Operation::Relist`] is told.
#[derive(Debug, Args)]
pub struct RelistArguments {
    #[command(flatten)]
    place: PlaceArguments,
}

/// What is copied.
#[derive(Debug, Args)]
pub struct FromArguments {
    /// A registry or copy that a web server serves; POCKET_TOKEN holds the token for a private one
    #[arg(long, value_name = "URL", conflicts_with_all = ["dir", "bucket"])]
    from: Option<Url>,
    #[command(flatten)]
    place: PlaceArguments,
}

/// What was done: for people and for programs.
#[derive(Debug)]
pub struct Done {
    /// A sentence.
    pub told: String,
    /// The same as JSON.
    pub document: Value,
    /// How much of it was done.
    pub outcome: Outcome,
}

/// How much of a command was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All.
    Whole,
    /// All but what does not fit together: the command fails.
    Partial,
}

impl Done {
    /// All of it was done.
    pub(crate) fn whole(told: String, document: Value) -> Self {
        Self { told, document, outcome: Outcome::Whole }
    }
}

impl Operation {
    /// Does it.
    ///
    /// # Errors
    /// Why not.
    pub async fn run(self) -> Result<Done, RegistryError> {
        match self {
            Self::Init(InitArguments { place, with_bundled, private }) => {
                let readers = if private { Readers::TokenHolders } else { Readers::AsBefore };
                init(&place, if with_bundled { Seed::Bundled } else { Seed::Empty }, readers).await
            }
            Self::Token(command) => accounts::run(command).await,
            Self::Mirror(MirrorArguments { from, to, plugin, log_key }) => {
                copied("copied", &to, &copy::mirror(&from.from()?, &to, &wanted(plugin), log_key.as_ref()).await?)
            }
            Self::Export(ExportArguments { from, to, plugin }) => {
                copied("exported", &to, &copy::export(&from.from()?, &to, &wanted(plugin)).await?)
            }
            Self::Import(ImportArguments { from, to, log_key }) => {
                copied("imported", &to, &copy::import(&from, &to, log_key.as_ref()).await?)
            }
            Self::Backup(BackupArguments { place, to }) => {
                copied("copied", &to, &copy::backup(&source(&place)?, &to).await?)
            }
            Self::Gc(GcArguments { place, dry_run }) => {
                let mode = if dry_run { gc::Mode::Tell } else { gc::Mode::Remove };
                Ok(removed(&gc::collect(&source(&place)?, mode).await?, mode))
            }
            Self::Relist(RelistArguments { place }) => relist(&source(&place)?).await,
        }
    }
}

/// Who may read a registry that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// Everybody of a new one; of one that is there, whoever could before.
    AsBefore,
    /// Who has a token.
    TokenHolders,
}

async fn init(place: &PlaceArguments, seed: Seed, readers: Readers) -> Result<Done, RegistryError> {
    let source = place.source(seed)?.ok_or(RegistryError::NoPlace)?;
    let registry = Registry::open(&source, DEFAULT_RECOVERY_DELAY).await?;
    if readers == Readers::TokenHolders {
        registry.make_private().await?;
    }
    let (place, key) = (registry.place(), registry.key());
    let fingerprint = key.public().fingerprint().to_string();
    Ok(Done::whole(
        format!("the registry at {place} is signed by {key}, fingerprint {fingerprint}\n"),
        json!({ "place": place, "key": key.to_string(), "fingerprint": fingerprint }),
    ))
}

async fn relist(source: &crate::Source) -> Result<Done, RegistryError> {
    let registry = Registry::open_existing_at(source, &Witnesses::default()).await?;
    let Relisted { listed, unreadable } = registry.write().await.relist().await?;
    Ok(Done::whole(
        format!("the search list has {listed} plugins; the files of {unreadable} cannot be read\n"),
        json!({ "listed": listed, "unreadable": unreadable }),
    ))
}

impl FromArguments {
    fn from(self) -> Result<copy::From, RegistryError> {
        match self.from {
            Some(url) => Ok(copy::From::Url(url, Secret::of_variable("POCKET_TOKEN")?)),
            None => source(&self.place).map(copy::From::Place),
        }
    }
}

fn source(place: &PlaceArguments) -> Result<crate::Source, RegistryError> {
    place.source(Seed::Empty)?.ok_or(RegistryError::NoPlace)
}

fn wanted(plugins: Vec<PluginName>) -> Wanted {
    if plugins.is_empty() { Wanted::All } else { Wanted::Named(plugins) }
}

fn copied(verb: &str, to: &std::path::Path, copied: &Copied) -> Result<Done, RegistryError> {
    let Copied { events, plugins, of, archives, bytes, key, left_out } = copied;
    let mut told = format!(
        "{verb} to {}: a log of {events} events, {plugins} of its {of} plugins, {archives} new archives of {bytes} bytes, signed by {key}\n",
        to.display()
    );
    if !left_out.is_empty() {
        told.push_str(&format!("{} plugins do not fit together:\n", left_out.len()));
        left_out.iter().for_each(|one| told.push_str(&format!("  {one}\n")));
    }
    let document = |one: &LeftOut| json!({ "name": one.name, "copy": one.before.code(), "reason": one.reason });
    Ok(Done {
        told,
        document: json!({
            "to": to, "events": events, "plugins": plugins, "of": of, "archives": archives, "bytes": bytes,
            "key": key.to_string(), "left_out": left_out.iter().map(document).collect::<Vec<_>>(),
        }),
        outcome: if left_out.is_empty() { Outcome::Whole } else { Outcome::Partial },
    })
}

fn removed(removed: &Removed, mode: gc::Mode) -> Done {
    let Removed { archives, tiles, lists, temporary, staged, bytes } = removed;
    let verb = if mode == gc::Mode::Tell { "would remove" } else { "removed" };
    Done::whole(
        format!(
            "{verb} {archives} archives, {tiles} begun tiles and bundles, {lists} old search lists, {temporary} temporary files, \
             {staged} files of staged releases: {bytes} bytes\n"
        ),
        json!({ "archives": archives, "tiles": tiles, "lists": lists, "staged": staged, "temporary": temporary, "bytes": bytes }),
    )
}
