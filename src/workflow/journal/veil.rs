//! Secrets: shown to nobody, and written into journals as marks that only the same settings turn back.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

/// What stands for a secret where people look.
pub const MASK: &str = "********";

/// The value of a setting that is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The setting: `redis-cache.password`.
    pub name: String,
    /// Its value, as text.
    pub text: String,
}

/// Hides secrets.
#[derive(Clone, Default)]
pub struct Veil {
    secrets: Arc<[Secret]>,
    mark: String,
}

/// What is put in a secret's place.
#[derive(Clone, Copy)]
enum Cover<'a> {
    /// The same for all.
    Mask,
    /// A mark that names it.
    Mark(&'a str),
}

impl Veil {
    /// Over these secrets. Empty ones are none.
    pub fn over(mut secrets: Vec<Secret>) -> Self {
        secrets.retain(|secret| !secret.text.is_empty());
        Self { secrets: secrets.into(), mark: String::new() }
    }

    /// The same with the mark of a journal.
    #[must_use]
    pub fn marked(&self, mark: &str) -> Self {
        Self { secrets: Arc::clone(&self.secrets), mark: mark.to_owned() }
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The text with every secret masked.
    pub fn masked(&self, text: &str) -> String {
        self.covered(text, Cover::Mask)
    }

    /// Masks every secret in a value, and says whether there was one.
    pub fn mask(&self, value: &mut Value) -> bool {
        !self.is_empty() && self.cover(value, Cover::Mask)
    }

    /// Puts marks in the place of secrets.
    pub(super) fn hide(&self, value: &mut Value) {
        if !self.is_empty() {
            self.cover(value, Cover::Mark(&self.mark));
        }
    }

    /// Puts secrets back in the place of their marks.
    pub(super) fn reveal(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                let number = self.secrets.iter().find(|secret| *text == number_mark(&self.mark, secret));
                if let Some(number) = number.and_then(|secret| secret.text.parse::<Number>().ok()) {
                    *value = Value::Number(number);
                } else {
                    *text = self.revealed(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.reveal(item)),
            Value::Object(fields) => {
                for (key, mut value) in std::mem::take(fields) {
                    self.reveal(&mut value);
                    fields.insert(self.revealed(&key), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn revealed(&self, text: &str) -> String {
        if !text.contains(&self.mark) {
            return text.to_owned();
        }
        let put_back = |text: String, secret: &Secret| text.replace(&text_mark(&self.mark, secret), &secret.text);
        self.secrets.iter().fold(text.to_owned(), put_back)
    }

    fn cover(&self, value: &mut Value, cover: Cover<'_>) -> bool {
        match value {
            Value::String(text) => {
                let covered = self.covered(text, cover);
                let is_new = covered != *text;
                *text = covered;
                is_new
            }
            Value::Number(number) => {
                let number = number.to_string();
                let Some(secret) = self.secrets.iter().find(|secret| secret.text == number) else { return false };
                *value = Value::String(match cover {
                    Cover::Mask => MASK.to_owned(),
                    Cover::Mark(mark) => number_mark(mark, secret),
                });
                true
            }
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.cover(item, cover) | any),
            Value::Object(fields) => self.cover_fields(fields, cover),
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn cover_fields(&self, fields: &mut Map<String, Value>, cover: Cover<'_>) -> bool {
        let mut any = false;
        for value in fields.values_mut() {
            any |= self.cover(value, cover);
        }
        if fields.keys().any(|key| self.covered(key, cover) != *key) {
            any = true;
            let former = std::mem::take(fields);
            fields.extend(former.into_iter().map(|(key, value)| (self.covered(&key, cover), value)));
        }
        any
    }

    fn covered(&self, text: &str, cover: Cover<'_>) -> String {
        let mut covered = String::new();
        let mut rest = text;
        // In one pass: what stands in a secret's place may hold another by chance.
        while let Some((at, secret)) = self.first_in(rest) {
            covered.push_str(&rest[..at]);
            match cover {
                Cover::Mask => covered.push_str(MASK),
                Cover::Mark(mark) => covered.push_str(&text_mark(mark, secret)),
            }
            rest = &rest[at + secret.text.len()..];
        }
        covered.push_str(rest);
        covered
    }

    /// The first secret in a text; of several that begin there the longest.
    fn first_in(&self, text: &str) -> Option<(usize, &Secret)> {
        let found = self.secrets.iter().filter_map(|secret| Some((text.find(&secret.text)?, secret)));
        found.min_by_key(|(at, secret)| (*at, std::cmp::Reverse(secret.text.len())))
    }
}

fn text_mark(mark: &str, secret: &Secret) -> String {
    format!("<{mark}:{}>", secret.name)
}

fn number_mark(mark: &str, secret: &Secret) -> String {
    format!("<{mark}#{}>", secret.name)
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Veil").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}
