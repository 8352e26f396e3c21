//! Where tokens are kept: a file each, in the registry's storage, beside the static tree and never in it.
//!
//! It is read for each request that brings a token, so that a token that was revoked opens nothing any more, on any of the servers of a bucket.

use super::{Presented, TokenError, TokenRecord};
use crate::RegistryError;
use crate::storage::{Condition, Put, Storage, Stored};

/// What the paths of tokens start with.
const TOKENS: &str = "tokens/";

fn path_of(id: &str) -> String {
    format!("{TOKENS}{id}.json")
}

fn parse(path: &str, stored: &Stored) -> Result<TokenRecord, TokenError> {
    let damaged = |message: String| TokenError::Damaged { path: path.to_owned(), message };
    let record: TokenRecord = serde_json::from_slice(&stored.bytes).map_err(|error| damaged(error.to_string()))?;
    // A file under another name would be another token's word.
    if path_of(&record.id) != path {
        return Err(damaged(format!("it is of the token `{}`", record.id)));
    }
    Ok(record)
}

fn bytes_of(record: &TokenRecord) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(record).expect("a record has text keys only");
    bytes.push(b'\n');
    bytes
}

/// The token that was sent; none if there is no such token, whatever is wrong with it.
pub(crate) async fn find(storage: &dyn Storage, presented: &Presented) -> Result<Option<TokenRecord>, RegistryError> {
    let path = path_of(presented.id());
    let Some(stored) = storage.read(&path).await? else { return Ok(None) };
    Ok(Some(parse(&path, &stored)?).filter(|record| record.is(presented)))
}

/// Keeps a new token.
pub(super) async fn add(storage: &dyn Storage, record: &TokenRecord) -> Result<(), RegistryError> {
    match storage.put(&path_of(&record.id), bytes_of(record).into(), Condition::Absent).await? {
        Put::Done(_) => Ok(()),
        // Two tokens do not get the same 8 random bytes: it is the one that was written, and whose first answer got lost.
        Put::Refused => all(storage).await?.contains(record).then_some(()).ok_or_else(|| changed(record)),
    }
}

/// All tokens, the oldest first.
pub(super) async fn all(storage: &dyn Storage) -> Result<Vec<TokenRecord>, RegistryError> {
    let mut records = Vec::new();
    for entry in storage.list(TOKENS).await? {
        if let Some(stored) = storage.read(&entry.path).await? {
            records.push(parse(&entry.path, &stored)?);
        }
    }
    records.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
    Ok(records)
}

/// Revokes the token with this id or, if only one that is not revoked is called so, with this name. One that is revoked stays so.
pub(super) async fn revoke(storage: &dyn Storage, asked: &str, now: u64) -> Result<TokenRecord, RegistryError> {
    let records = all(storage).await?;
    let named: Vec<_> = match records.iter().find(|record| record.id == asked) {
        Some(record) => vec![record],
        None => records.iter().filter(|record| record.name == asked && record.revoked.is_none()).collect(),
    };
    let found = match named.as_slice() {
        [] => return Err(TokenError::None { asked: asked.to_owned() }.into()),
        [found] => *found,
        several => return Err(TokenError::Several { asked: asked.to_owned(), count: several.len() }.into()),
    };
    if found.revoked.is_some() {
        return Ok(found.clone());
    }
    let path = path_of(&found.id);
    let stored = storage.read(&path).await?.ok_or_else(|| changed(found))?;
    let mut revoked = parse(&path, &stored)?;
    revoked.revoked = Some(now);
    match storage.put(&path, bytes_of(&revoked).into(), Condition::Unchanged(stored.tag)).await? {
        Put::Done(_) => Ok(revoked),
        Put::Refused => {
            // Whoever was faster can only have revoked it as well, or it is our own write, whose answer got lost.
            let there = storage.read(&path).await?.ok_or_else(|| changed(found))?;
            Some(parse(&path, &there)?).filter(|record| record.revoked.is_some()).ok_or_else(|| changed(found))
        }
    }
}

/// Copies what is kept of all tokens.
pub(crate) async fn copy(from: &dyn Storage, to: &dyn Storage) -> Result<(), RegistryError> {
    for record in all(from).await? {
        to.put(&path_of(&record.id), bytes_of(&record).into(), Condition::Always).await?;
    }
    Ok(())
}

fn changed(record: &TokenRecord) -> RegistryError {
    TokenError::Changed { id: record.id.clone() }.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::super::token::Wish;
    use super::*;
    use crate::accounts::Scope;
    use crate::storage::Bucket;

    fn token(name: &str) -> (String, TokenRecord) {
        let plugins = vec!["*".parse().expect("a pattern")];
        let wish = Wish { name: name.to_owned(), scopes: [Scope::Publish].into(), plugins, expires: None };
        TokenRecord::make(wish, 7).expect("randomness")
    }

    #[tokio::test]
    async fn a_token_is_found_by_its_whole_text_alone_and_stays_revoked() {
        let storage = Bucket::of(Arc::new(InMemory::new()));
        let ((text, record), (_, other)) = (token("ci"), token("ci"));
        add(&storage, &record).await.expect("it is kept");
        add(&storage, &other).await.expect("it is kept");
        let presented = Presented::parse(&text).expect("a token");
        assert_eq!(find(&storage, &presented).await.expect("it is read"), Some(record.clone()));
        let forged = format!("{}0000", &text[..text.len() - 4]);
        let forged = Presented::parse(&forged).expect("it looks like one");
        assert_eq!(find(&storage, &forged).await.expect("it is read"), None);

        let several = revoke(&storage, "ci", 8).await.expect_err("which one?").to_string();
        assert!(several.contains("2 tokens are called `ci`"), "{several}");
        assert_eq!(revoke(&storage, &record.id, 8).await.expect("it is revoked").revoked, Some(8));
        assert_eq!(revoke(&storage, &record.id, 9).await.expect("again").revoked, Some(8));
        assert_eq!(revoke(&storage, "ci", 9).await.expect("only one is left").id, other.id);
        assert!(revoke(&storage, "ci", 9).await.expect_err("none is left").to_string().contains("no token `ci`"));
        assert!(find(&storage, &presented).await.expect("it is read").is_some_and(|found| found.revoked == Some(8)));
    }

    #[tokio::test]
    async fn a_damaged_file_opens_nothing_and_is_told() {
        let storage = Bucket::of(Arc::new(InMemory::new()));
        let ((text, record), (_, other)) = (token("ci"), token("other"));
        let presented = Presented::parse(&text).expect("a token");
        for damage in [b"{}".to_vec(), bytes_of(&other)] {
            storage.put(&path_of(&record.id), damage.into(), Condition::Always).await.expect("it is written");
            assert!(find(&storage, &presented).await.expect_err("damaged").to_string().contains("is damaged"));
        }
    }
}
