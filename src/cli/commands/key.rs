//! `pocket key`.

use std::io::Read as _;
use std::path::Path;

use pocket_index::name::PluginName;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::arguments::KeyCommand;
use crate::cli::output::Output;
use crate::cli::passphrase::Passphrases;
use crate::cli::table::table;
use crate::home::keys::{self, KeyEntry, Protection};
use crate::home::{Home, HomeError, atomic, signers};
use crate::ops::{OpsError, organisation};
use crate::project::TrustFile;

pub fn run(command: &KeyCommand, output: &Output) -> Result<(), OpsError> {
    let home = Home::discover()?;
    let passphrases = Passphrases::new(output);
    match command {
        KeyCommand::New { name, passphrase } => {
            let passphrase = passphrase.then(|| passphrases.new_for(name.as_str())).transpose()?;
            let key = keys::create(&home, name, passphrase.as_ref().map(|text| text.as_str()))?;
            output.step("Made", format!("the key `{}` in {}", key.name, key.path.display()));
            show(&key, output);
        }
        KeyCommand::List => list(&home, output)?,
        KeyCommand::Show { name } => show(&keys::show(&home, name.as_str())?, output),
        KeyCommand::Export { name, public: true, .. } => show_public(&keys::show(&home, name.as_str())?, output),
        KeyCommand::Export { name, public: false, passphrase } => {
            let passphrase = passphrase.then(|| passphrases.new_for(name.as_str())).transpose()?;
            let passphrase = passphrase.as_ref().map(|text| text.as_str());
            let text = keys::export(&home, name.as_str(), passphrase, &|name| passphrases.of_key(name))?;
            output.result(&json!({ "name": name, "private": *text }), || text.to_string());
        }
        KeyCommand::Trust { key, pattern } => {
            signers::trust(&home, *key, pattern)?;
            trusted(&home, output)?;
        }
        KeyCommand::Revoke { key, reason } => {
            signers::revoke(&home, *key, reason)?;
            trusted(&home, output)?;
        }
        KeyCommand::Forget { key, pattern } => {
            if signers::forget(&home, *key, pattern.as_ref())? == 0 {
                output.warning(format!("nothing was said of the key {key}"));
            }
            trusted(&home, output)?;
        }
        KeyCommand::Trusted => trusted(&home, output)?,
        KeyCommand::Sign { file, key } => sign(&home, file, key, &passphrases, output)?,
        KeyCommand::Import { name, file, passphrase } => import(&home, name, file, *passphrase, &passphrases, output)?,
    }
    Ok(())
}

fn import(
    home: &Home,
    name: &PluginName,
    file: &Path,
    is_protected: bool,
    passphrases: &Passphrases<'_>,
    output: &Output,
) -> Result<(), OpsError> {
    let mut text = Zeroizing::new(String::new());
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|content| text = Zeroizing::new(content))
    };
    read.map_err(OpsError::io("read", file))?;
    let passphrase = is_protected.then(|| passphrases.new_for(name.as_str())).transpose()?;
    let passphrase = passphrase.as_ref().map(|text| text.as_str());
    let key = keys::import(home, name, &text, passphrase, &|name| passphrases.of_key(name))?;
    output.step("Imported", format!("the key `{}` to {}", key.name, key.path.display()));
    show(&key, output);
    Ok(())
}

fn show(key: &KeyEntry, output: &Output) {
    output.result(&document(key), || format!("{}\nfingerprint {}\n", key.public, key.public.fingerprint()));
}

fn show_public(key: &KeyEntry, output: &Output) {
    output.result(&document(key), || format!("{}\n", key.public));
}

fn list(home: &Home, output: &Output) -> Result<(), HomeError> {
    let keys = keys::list(home)?;
    let documents: Vec<_> = keys.iter().map(document).collect();
    output.result(&documents, || match keys.as_slice() {
        [] => "there are no keys; `pocket key new` makes one\n".to_owned(),
        keys => table(["NAME", "FINGERPRINT", "PROTECTED BY"], &keys.iter().map(row).collect::<Vec<_>>()),
    });
    Ok(())
}

/// Only a file that can be used is signed.
fn sign(
    home: &Home,
    file: &Path,
    key: &PluginName,
    passphrases: &Passphrases<'_>,
    output: &Output,
) -> Result<(), OpsError> {
    let text = std::fs::read_to_string(file).map_err(OpsError::io("read", file))?;
    TrustFile::parse(&text).map_err(|source| OpsError::Project { path: file.to_owned(), source })?;
    let secret = keys::load(home, key.as_str(), &|name| passphrases.of_key(name))?;
    let signature = secret.sign_event(organisation::DOMAIN, &text);
    let written = serde_json::to_string(&signature).expect("two texts are JSON") + "\n";
    let path = organisation::signature_path(file);
    atomic::replace_file(&path, written.as_bytes()).map_err(OpsError::io("write", &path))?;
    output.step("Signed", format!("{} with the key `{key}`", file.display()));
    let fingerprint = signature.key.fingerprint().to_string();
    let document = json!({ "file": file, "signature": path, "key": signature.key, "fingerprint": fingerprint });
    output.result(&document, || format!("{}\n", path.display()));
    Ok(())
}

/// What is known of publishers' keys.
fn trusted(home: &Home, output: &Output) -> Result<(), HomeError> {
    let known = signers::read(home)?;
    let revocation = |key| known.revocation(key).map(|revoked| revoked.reason.as_str());
    let trusted = known.trusted.iter().map(|one| {
        json!({ "key": one.key, "fingerprint": one.key.fingerprint().to_string(), "for": one.pattern, "revoked": revocation(one.key) })
    });
    let only_revoked = known.revoked.iter().filter(|one| !known.trusted.iter().any(|other| other.key == one.key));
    let revoked = only_revoked.map(|one| {
        json!({ "key": one.key, "fingerprint": one.key.fingerprint().to_string(), "for": null, "revoked": one.reason })
    });
    let documents: Vec<Value> = trusted.chain(revoked).collect();
    output.result(&documents, || match documents.as_slice() {
        [] => {
            "no publisher's key is trusted or revoked; `pocket key trust` and `pocket key revoke` do that\n".to_owned()
        }
        documents => table(["FINGERPRINT", "FOR", "STATUS"], &documents.iter().map(trusted_row).collect::<Vec<_>>()),
    });
    Ok(())
}

fn trusted_row(document: &Value) -> [String; 3] {
    let text = |field: &str| document[field].as_str().map(str::to_owned);
    let status = match text("revoked") {
        None => "trusted".to_owned(),
        Some(reason) if reason.is_empty() => "revoked".to_owned(),
        Some(reason) => format!("revoked: {reason}"),
    };
    [text("fingerprint").unwrap_or_default(), text("for").unwrap_or_else(|| "-".to_owned()), status]
}

fn row(key: &KeyEntry) -> [String; 3] {
    [key.name.clone(), key.public.fingerprint().to_string(), protection(key).to_owned()]
}

fn protection(key: &KeyEntry) -> &'static str {
    match key.protection {
        Protection::File => "file mode",
        Protection::Passphrase => "passphrase",
    }
}

fn document(key: &KeyEntry) -> serde_json::Value {
    json!({
        "name": key.name,
        "public": key.public,
        "fingerprint": key.public.fingerprint().to_string(),
        "protected_by": protection(key),
    })
}
