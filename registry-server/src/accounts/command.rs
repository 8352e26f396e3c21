//! `registry token`: an operator makes, lists and revokes tokens, also while servers run on the same files.

use clap::{Args, Subcommand};
use pocket_index::age::parse_age;
use pocket_index::pattern::NamePattern;
use pocket_index::time::UtcTime;
use serde_json::{Value, json};

use super::token::Wish;
use super::{Scope, TokenRecord, store};
use crate::arguments::PlaceArguments;
use crate::config::Seed;
use crate::operate::Done;
use crate::{RegistryError, checkpoint};

/// What is done about tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it: it cannot be shown again
    New(NewArguments),
    /// List the tokens, without their secrets
    List(PlaceArguments),
    /// Revoke a token; every server refuses it from then on
    Revoke(RevokeArguments),
}

/// Which token is revoked.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// Its id, or its name
    #[arg(value_name = "ID|NAME")]
    token: String,
    #[command(flatten)]
    place: PlaceArguments,
}

/// What a new token allows.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// What the token is called, for people: who has it, and what for
    name: String,
    /// What it allows; several are joined by commas
    #[arg(long, value_enum, value_delimiter = ',', required = true, value_name = "SCOPE")]
    scope: Vec<Scope>,
    /// About which plugins it may write; may be given several times
    #[arg(long, value_name = "PATTERN", default_value = "*")]
    plugin: Vec<NamePattern>,
    /// How long it is worth something, or `never`
    #[arg(long, value_name = "DELAY", default_value = "90d", value_parser = Lasting::parse)]
    expires: Lasting,
    #[command(flatten)]
    place: PlaceArguments,
}

/// How long a token is worth something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    /// So many seconds.
    For(u64),
    /// Until it is revoked.
    Forever,
}

impl Lasting {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Forever),
            text => parse_age(text)
                .filter(|seconds| *seconds > 0)
                .map(Self::For)
                .ok_or_else(|| "expected a time such as `90d` or `12h`, or `never`".to_owned()),
        }
    }
}

/// Does it.
pub(crate) async fn run(command: TokenCommand) -> Result<Done, RegistryError> {
    match command {
        TokenCommand::New(arguments) => make(arguments).await,
        TokenCommand::List(place) => list(&place).await,
        TokenCommand::Revoke(RevokeArguments { token, place }) => revoke(&token, &place).await,
    }
}

fn storage(place: &PlaceArguments) -> Result<Box<dyn crate::storage::Storage>, RegistryError> {
    let source = place.source(Seed::Empty)?.ok_or(RegistryError::NoPlace)?;
    crate::registry::storage_to_read(&source)
}

async fn make(arguments: NewArguments) -> Result<Done, RegistryError> {
    let NewArguments { name, scope, plugin, expires, place } = arguments;
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        let message = format!("`{}` is no name for a token: expected 1 to 100 bytes in one line", name.escape_debug());
        return Err(RegistryError::Setting { message });
    }
    let now = checkpoint::now()?;
    let expires = match expires {
        Lasting::For(seconds) => Some(now.saturating_add(seconds)),
        Lasting::Forever => None,
    };
    let wish = Wish { name, scopes: scope.into_iter().collect(), plugins: plugin, expires };
    let (text, record) = TokenRecord::make(wish, now)?;
    store::add(&*storage(&place)?, &record).await?;
    let mut document = document(&record);
    document["token"] = json!(text);
    // Nothing but the token, so that it can be handed on through a pipe.
    Ok(Done::whole(format!("{text}\n"), document))
}

async fn list(place: &PlaceArguments) -> Result<Done, RegistryError> {
    let records = store::all(&*storage(place)?).await?;
    let now = checkpoint::now()?;
    let told = records.iter().map(|record| told(record, now)).collect();
    Ok(Done::whole(told, records.iter().map(document).collect()))
}

async fn revoke(token: &str, place: &PlaceArguments) -> Result<Done, RegistryError> {
    let record = store::revoke(&*storage(place)?, token, checkpoint::now()?).await?;
    Ok(Done::whole(format!("revoked `{}` ({})\n", record.name, record.id), document(&record)))
}

fn document(record: &TokenRecord) -> Value {
    let time = |at: u64| UtcTime(at).to_string();
    json!({
        "id": record.id,
        "name": record.name,
        "scopes": record.scopes,
        "plugins": record.plugins,
        "created": time(record.created),
        "expires": record.expires.map(time),
        "revoked": record.revoked.map(time),
    })
}

fn told(record: &TokenRecord, now: u64) -> String {
    let words = |items: Vec<String>| items.join(",");
    let scopes = words(record.scopes.iter().map(ToString::to_string).collect());
    let plugins = words(record.plugins.iter().map(ToString::to_string).collect());
    let state = match (record.revoked, record.expires) {
        (Some(at), _) => format!("revoked {}", UtcTime(at)),
        (None, Some(at)) if record.is_expired(now) => format!("expired {}", UtcTime(at)),
        (None, Some(at)) => format!("expires {}", UtcTime(at)),
        (None, None) => "does not expire".to_owned(),
    };
    format!("{}  {scopes}  {plugins}  {state}  {}\n", record.id, record.name)
}

#[cfg(test)]
mod tests {
    use super::Lasting;

    #[test]
    fn a_token_lasts_for_a_while_or_until_it_is_revoked() {
        assert_eq!(Lasting::parse("90d"), Ok(Lasting::For(90 * 86_400)));
        assert_eq!(Lasting::parse("never"), Ok(Lasting::Forever));
        for bad in ["0", "", "soon", "-1d"] {
            assert!(Lasting::parse(bad).is_err(), "{bad}");
        }
    }
}
