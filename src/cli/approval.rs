//! Who says yes to permissions (`--yes`, or the person at the terminal) and to bytes that nobody vouches for (the person).

use std::io::{BufRead as _, Write as _};

use crate::ops::OpsError;
use crate::ops::install::{Approver, Ask, Consent, Unvouched};
use crate::ops::recovery::Notice;

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

    /// `--yes` grants permissions; bytes that nobody vouches for are another question.
    fn trust_once(&self, unvouched: &Unvouched) -> Result<Consent, OpsError> {
        let (Self::Given(output) | Self::Asked(output)) = self;
        if !output.can_ask() {
            return Ok(Consent::NobodyThere);
        }
        output.notice(&format!("nobody vouches for {}:", unvouched.source));
        unvouched.archives.iter().for_each(|(file, digest)| output.notice(&format!("  {digest}  {file}")));
        let answer = question("Trust these bytes, this once? pocket.lock will say so. [y/N] ")?;
        Ok(if is_yes(&answer) { Consent::Given } else { Consent::Refused })
    }

    /// `--yes` grants permissions; who signs is another question. The warning that says all about it was shown before.
    fn accept_owners(&self, notice: &Notice) -> Result<Consent, OpsError> {
        let (Self::Given(output) | Self::Asked(output)) = self;
        if !output.can_ask() {
            return Ok(Consent::NobodyThere);
        }
        let answer = question(&format!("Take `{}` from its new owners? [y/N] ", notice.name))?;
        Ok(if is_yes(&answer) { Consent::Given } else { Consent::Refused })
    }
}

/// What somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// There is nobody to ask.
    NobodyThere,
}

/// Asks the person at the terminal whether a release that was shown is to be signed.
pub fn ask_to_sign(output: &Output) -> Result<Answer, OpsError> {
    if !output.can_ask() {
        return Ok(Answer::NobodyThere);
    }
    let answer = question("Sign it? What you sign is published as yours. [y/N] ")?;
    Ok(if is_yes(&answer) { Answer::Yes } else { Answer::No })
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
