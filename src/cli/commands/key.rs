//! `pocket key`.

use serde_json::json;

use crate::cli::arguments::KeyCommand;
use crate::cli::output::Output;
use crate::home::keys::{self, KeyEntry};
use crate::home::{Home, HomeError};
use crate::ops::OpsError;

pub fn run(command: &KeyCommand, output: &Output) -> Result<(), OpsError> {
    let home = Home::discover()?;
    match command {
        KeyCommand::New { name } => {
            let key = keys::create(&home, name)?;
            output.step("Made", format!("the key `{}` in {}", key.name, key.path.display()));
            show(&key, output);
        }
        KeyCommand::List => list(&home, output)?,
    }
    Ok(())
}

fn show(key: &KeyEntry, output: &Output) {
    output.result(&document(key), || format!("{}\nfingerprint {}\n", key.public, key.public.fingerprint()));
}

fn list(home: &Home, output: &Output) -> Result<(), HomeError> {
    let keys = keys::list(home)?;
    let documents: Vec<_> = keys.iter().map(document).collect();
    output.result(&documents, || match keys.as_slice() {
        [] => "there are no keys; `pocket key new` makes one\n".to_owned(),
        keys => keys.iter().map(|key| format!("{}  {}\n", key.name, key.public.fingerprint())).collect(),
    });
    Ok(())
}

fn document(key: &KeyEntry) -> serde_json::Value {
    json!({ "name": key.name, "public": key.public, "fingerprint": key.public.fingerprint().to_string() })
}
