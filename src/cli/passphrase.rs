//! Passphrases: from `POCKET_KEY_PASSPHRASE`, else from the person at the terminal, unseen.

use zeroize::Zeroizing;

use crate::home::HomeError;

use super::output::Output;

const VARIABLE: &str = "POCKET_KEY_PASSPHRASE";

/// Where passphrases come from.
pub struct Passphrases<'a> {
    output: &'a Output,
}

impl<'a> Passphrases<'a> {
    /// Asks only where somebody can answer.
    pub fn new(output: &'a Output) -> Self {
        Self { output }
    }

    /// The passphrase of a key that has one.
    pub fn of_key(&self, name: &str) -> Result<Zeroizing<String>, HomeError> {
        self.read(name, &format!("passphrase of the key `{name}`: "))
    }

    /// A passphrase for a key that gets one. On a terminal it must be typed twice.
    pub fn new_for(&self, name: &str) -> Result<Zeroizing<String>, HomeError> {
        let first = self.read(name, &format!("new passphrase for the key `{name}`: "))?;
        if first.is_empty() {
            return Err(HomeError::EmptyPassphrase { name: name.to_owned() });
        }
        if std::env::var_os(VARIABLE).is_none() && *first != *self.read(name, "the same again: ")? {
            return Err(HomeError::OtherPassphrase { name: name.to_owned() });
        }
        Ok(first)
    }

    fn read(&self, name: &str, prompt: &str) -> Result<Zeroizing<String>, HomeError> {
        if let Ok(passphrase) = std::env::var(VARIABLE) {
            return Ok(Zeroizing::new(passphrase));
        }
        let nobody = || HomeError::NoPassphrase { name: name.to_owned() };
        if !self.output.can_ask() {
            return Err(nobody());
        }
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| nobody())
    }
}
