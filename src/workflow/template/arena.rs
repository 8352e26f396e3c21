//! A place for lists and maps that functions make while a template is rendered.

use std::cell::{Cell, OnceCell};

use serde_json::Value;

/// Keeps values until the end of a rendering and hands out plain references to them.
///
/// A made list can then be walked like the data itself, without copying an element each time. Bucket `n` has room for
/// 2^n values and is made at once, so no value ever moves. The 32 buckets hold 2^32 values; the scratch budget ends a
/// rendering long before.
#[derive(Default)]
pub(super) struct Arena {
    buckets: [OnceCell<Box<[OnceCell<Value>]>>; 32],
    kept: Cell<usize>,
}

impl Arena {
    /// Keeps the value as long as the arena lives.
    pub(super) fn keep(&self, value: Value) -> &Value {
        let number = self.kept.get() + 1;
        self.kept.set(number);
        let bucket = number.ilog2() as usize;
        let slots =
            self.buckets[bucket].get_or_init(|| std::iter::repeat_with(OnceCell::new).take(1 << bucket).collect());
        slots[number - (1 << bucket)].get_or_init(|| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_values_stay_where_and_what_they_are() {
        let arena = Arena::default();
        let kept: Vec<&Value> = (0..1000).map(|number| arena.keep(number.into())).collect();
        assert!(kept.iter().enumerate().all(|(number, value)| **value == number));
    }
}
