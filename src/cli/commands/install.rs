//! `pocket plugin install`.

use std::io::{BufRead as _, Write as _};

use serde_json::json;

use crate::cli::arguments::InstallArguments;
use crate::cli::error::count;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::ops::install::{self, Approver, Ask, Consent, Locking, Report, Request, Unpacked, Unvouched};
use crate::ops::sources::Source;
use crate::ops::{OpsError, Scope, Workspace};
use crate::registry::Network;

use super::{block_on, reach};

pub fn run(arguments: &InstallArguments, output: &Output) -> Result<(), OpsError> {
    let scope = if arguments.global { Scope::User } else { Scope::Nearest };
    let workspace = Workspace::open(scope)?;
    let mut reach = reach(&arguments.registry);
    if arguments.frozen {
        reach.network = Network::Offline;
    }
    let locked = arguments.locked || arguments.frozen;
    let request = Request {
        sources: arguments.plugins.iter().map(|given| Source::parse(given)).collect::<Result<_, _>>()?,
        reach,
        locking: if locked { Locking::Locked } else { Locking::Update },
        folder: arguments.dir.clone(),
    };
    let approver = if arguments.yes { Answer::Yes(output) } else { Answer::Ask(output) };
    let progress = Progress::new(output);
    let report = block_on(install::install(&workspace, &request, &progress, &approver))?;
    show(&report, output);
    Ok(())
}

fn show(report: &Report, output: &Output) {
    let plugin = |(name, version, unpacked): &(_, _, Unpacked)| json!({ "name": name, "version": version, "unpacked": *unpacked == Unpacked::Now });
    let document = json!({ "lock": report.lock, "plugins": report.plugins.iter().map(plugin).collect::<Vec<_>>() });
    let new = report.plugins.iter().filter(|(.., unpacked)| *unpacked == Unpacked::Now).count();
    output.step("Finished", format!("{}, {new} new", count(report.plugins.len(), "plugin")));
    output.result(&document, String::new);
}

/// Who says yes to permissions.
enum Answer<'a> {
    /// `--yes` did.
    Yes(&'a Output),
    /// The person at the terminal does.
    Ask(&'a Output),
}

impl Approver for Answer<'_> {
    fn approve(&self, asks: &[Ask]) -> Result<(), OpsError> {
        match self {
            Self::Yes(output) => {
                asks.iter().for_each(|ask| output.step("Granted", sentence(ask)));
                Ok(())
            }
            Self::Ask(output) => {
                asks.iter().for_each(|ask| output.notice(&sentence(ask)));
                if !output.can_ask() {
                    return Err(OpsError::NotApproved {
                        plugins: asks.iter().map(|ask| format!("`{}`", ask.name)).collect(),
                    });
                }
                if is_yes(&question("Grant this? [y/N] ")?) { Ok(()) } else { Err(OpsError::Declined) }
            }
        }
    }

    /// `--yes` grants permissions; bytes that nobody vouches for are another question.
    fn trust_once(&self, unvouched: &Unvouched) -> Result<Consent, OpsError> {
        let (Self::Yes(output) | Self::Ask(output)) = self;
        if !output.can_ask() {
            return Ok(Consent::NobodyThere);
        }
        output.notice(&format!("nobody vouches for {}:", unvouched.source));
        unvouched.archives.iter().for_each(|(file, digest)| output.notice(&format!("  {digest}  {file}")));
        let answer = question("Trust these bytes, this once? pocket.lock will say so. [y/N] ")?;
        Ok(if is_yes(&answer) { Consent::Given } else { Consent::Refused })
    }
}

fn sentence(ask: &Ask) -> String {
    format!("`{}` {} {}", ask.name, ask.version, ask.sentences.join(", "))
}

fn question(text: &str) -> Result<String, OpsError> {
    let terminal = std::path::Path::new("terminal");
    let mut stderr = std::io::stderr();
    write!(stderr, "{text}").and_then(|()| stderr.flush()).map_err(OpsError::io("write to the", terminal))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(OpsError::io("read from the", terminal))?;
    Ok(answer)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
