//! What a plugin remembers between its calls: a few texts by name, in the engine's process, for as long as the plugin is loaded.
//!
//! It needs no permission: no other plugin sees it, and nothing of it leaves the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::budget::Megabytes;
use crate::engine::error::{CallError, CallErrorKind};

/// 1 MiB of names and texts together: for what a plugin counts or has looked up, not for its data.
pub const MAX_BYTES: usize = 1 << 20;

/// As many names.
pub const MAX_KEYS: usize = 1_000;

/// The texts of one plugin. Its clones are the same memory.
#[derive(Debug, Clone, Default)]
pub struct KeyValues(Arc<Mutex<Texts>>);

#[derive(Debug, Default)]
struct Texts {
    by_key: BTreeMap<String, String>,
    /// Of keys and texts.
    bytes: usize,
}

impl KeyValues {
    /// The text of that name.
    pub fn get(&self, key: &str) -> Option<String> {
        self.lock().by_key.get(key).cloned()
    }

    /// Remembers `text` in place of what was there.
    ///
    /// # Errors
    /// `failed` when there is no room for it; what was there stays.
    pub fn set(&self, key: &str, text: &str) -> Result<(), CallError> {
        let mut texts = self.lock();
        let before = texts.by_key.get(key).map(String::len);
        let grown = match before {
            Some(length) => texts.bytes - length + text.len(),
            None => texts.bytes + key.len() + text.len(),
        };
        if grown > MAX_BYTES {
            let most = Megabytes(MAX_BYTES as u64);
            return Err(full(key, &format!("a plugin remembers at most {most}")));
        }
        if before.is_none() && texts.by_key.len() == MAX_KEYS {
            return Err(full(key, &format!("a plugin remembers at most {MAX_KEYS} keys")));
        }
        texts.by_key.insert(key.to_owned(), text.to_owned());
        texts.bytes = grown;
        Ok(())
    }

    /// Forgets the text of that name, and says whether there was one.
    pub fn delete(&self, key: &str) -> bool {
        let mut texts = self.lock();
        let removed = texts.by_key.remove(key);
        texts.bytes -= removed.as_ref().map_or(0, |text| key.len() + text.len());
        removed.is_some()
    }

    /// The names, in order.
    pub fn keys(&self) -> Vec<String> {
        self.lock().by_key.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(key: &str, reason: &str) -> CallError {
    let shown = &key[..key.floor_char_boundary(64)];
    CallError::new(CallErrorKind::Failed, format!("cannot remember `{}`: {reason}", shown.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_until_it_is_replaced_or_forgotten() {
        let texts = KeyValues::default();
        texts.set("a", "1").expect("there is room");
        texts.set("a", "2").expect("there is room");
        assert_eq!((texts.get("a"), texts.get("b")), (Some("2".into()), None));
        assert_eq!((texts.delete("a"), texts.delete("a"), texts.keys().len()), (true, false, 0));
    }

    #[test]
    fn there_is_room_for_one_mebibyte_and_what_is_forgotten_makes_room() {
        let texts = KeyValues::default();
        let half = "x".repeat(MAX_BYTES / 2 - 1);
        for _ in 0..3 {
            texts.set("a", &half).expect("there is room");
            texts.set("b", &half).expect("there is room");
            let error = texts.set("c", "").expect_err("it is full to the last byte");
            assert_eq!(error.message, "cannot remember `c`: a plugin remembers at most 1MiB");
            assert!(texts.delete("a"));
        }
        texts.set("b", "short").expect("it is less than before");
    }

    #[test]
    fn there_is_room_for_a_thousand_keys() {
        let texts = KeyValues::default();
        for at in 0..MAX_KEYS {
            texts.set(&at.to_string(), "").expect("there is room");
        }
        let error = texts.set("more", "").expect_err("it is one too many");
        insta::assert_snapshot!(error, @"cannot remember `more`: a plugin remembers at most 1000 keys");
        texts.set("1", "changed").expect("it is no new key");
    }
}
