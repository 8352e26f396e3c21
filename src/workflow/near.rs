//! Names that were probably meant.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name nearest to a mistyped one, when one is near enough to be meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many names are compared with mistyped ones before no more near names are looked for: a million, which takes a second.
const MAX_COMPARED: usize = 1_000_000;

/// Names among which near ones are looked for many times.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_length: BTreeMap<usize, Vec<Arc<str>>>,
    compared: Cell<usize>,
}

impl Names {
    /// Adds one.
    pub fn add(&mut self, name: &Arc<str>) {
        self.by_length.entry(name.chars().count()).or_default().push(Arc::clone(name));
    }

    /// The name nearest to a mistyped one. Only one of about the same length can be near.
    pub fn nearest(&self, wanted: &str) -> Option<&str> {
        let length = wanted.chars().count();
        let slips = (length / 3).max(1);
        let near = || self.by_length.range(length.saturating_sub(slips)..=length + slips);
        let compared = self.compared.get() + near().map(|(_, names)| names.len()).sum::<usize>();
        if compared > MAX_COMPARED {
            return None;
        }
        self.compared.set(compared);
        nearest(wanted, near().flat_map(|(_, names)| names).map(|name| &**name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_name_is_suggested() {
        assert_eq!(nearest("coonfig", ["config", "name"]), Some("config"));
        assert_eq!(nearest("return-cached", ["check-cache", "update-cache"]), None);
    }
}
