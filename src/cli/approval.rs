//! Who says yes to permissions: `--yes`, or the person at the terminal.

use std::io::{BufRead as _, Write as _};

use crate::ops::OpsError;
use crate::ops::install::{Approver, Ask};

use super::output::Output;

/// Who says yes to permissions.
pub enum Approval<'a> {
    /// `--yes` did.
    Given(&'a Output),
    /// The person at the terminal does.
    Asked(&'a Output),
}

impl Approver for Approval<'_> {
    fn approve(&self, asks: &[Ask]) -> Result<(), OpsError> {
        match self {
            Self::Given(output) => {
                asks.iter().for_each(|ask| output.step("Granted", sentence(ask)));
                Ok(())
            }
            Self::Asked(output) => {
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
