//! What to do next about a registry's server, and about witnesses.

use pocket_registry::TokenError;
use pocket_registry::witness::{Refusal, WitnessFolderError};

use super::place_hint;

pub(super) fn server_hint(error: &pocket_registry::RegistryError) -> Option<String> {
    use pocket_registry::RegistryError as Server;
    Some(match error {
        Server::Listen { .. } => "another program may listen there; `--addr 127.0.0.1:0` takes a free port".to_owned(),
        Server::Exposed { .. } => {
            "give it --tls-cert and --tls-key, or put a proxy with TLS in front of it and give --behind-proxy"
                .to_owned()
        }
        Server::Busy { .. } => "other servers write to the same bucket; try again".to_owned(),
        Server::NoCopy { .. } => "nothing that was copied is used; report it to who runs that registry".to_owned(),
        Server::Token(TokenError::None { .. } | TokenError::Several { .. }) => {
            "`pocket registry token list` shows them".to_owned()
        }
        Server::Exists { .. } => "name another file".to_owned(),
        Server::Witnesses { .. } => "name each witness with --witness URL=KEY, or lower --witness-quorum".to_owned(),
        Server::InUse { .. } => {
            "stop that server, or name another folder; a running server signs its checkpoint anew by itself".to_owned()
        }
        Server::ClockBehind { .. } => "set the clock of this machine; nothing was signed".to_owned(),
        Server::NoEventKey { .. } => {
            "put that key into `keys` of its `config.json`; its users are told of it".to_owned()
        }
        _ => return None,
    })
}

pub(super) fn witness_hint(error: &WitnessFolderError) -> Option<String> {
    Some(match error {
        WitnessFolderError::None { path } => {
            format!("`pocket witness init --dir {} --name NAME` makes one", path.display())
        }
        WitnessFolderError::Exists { .. } => "a witness's key is never replaced: name another folder".to_owned(),
        WitnessFolderError::StateGone { .. } | WitnessFolderError::Damaged { .. } => {
            "restore it from a backup that is as new as the last cosignature, or retire this witness and its key"
                .to_owned()
        }
        WitnessFolderError::OtherKey { .. } => "if the log was set up anew, it needs a name of its own".to_owned(),
        WitnessFolderError::NoLog { .. } => "`pocket witness log list` shows those that there are".to_owned(),
        WitnessFolderError::DevelopmentKey { .. } => "the registry must make a key of its own".to_owned(),
        WitnessFolderError::Io { source, .. } => return place_hint(source),
        WitnessFolderError::Name(_) => return None,
    })
}

pub(super) fn refusal_hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::UnknownLog { .. } => {
            "`pocket witness log add KEY` takes it: `log` in the registry's `config.json` is the key".to_owned()
        }
        Refusal::Smaller { .. } | Refusal::Forked { .. } | Refusal::Unproved { .. } => {
            "ask the registry, and show what is kept to those who use it".to_owned()
        }
        Refusal::Failed(error) => return witness_hint(error),
        _ => return None,
    })
}
