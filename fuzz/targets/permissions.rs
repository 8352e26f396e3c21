//! Permissions and quantities. A pattern that is accepted is written as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::permissions::{FilesystemPattern, NetworkPattern, parse_duration, parse_memory};

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    if let Ok(pattern) = text.parse::<NetworkPattern>() {
        let again: NetworkPattern = pattern.to_string().parse().expect("what was read can be written");
        assert_eq!(again, pattern);
        let _ = pattern.matches(text, 443);
    }
    if let Ok(pattern) = text.parse::<FilesystemPattern>() {
        let again: FilesystemPattern = pattern.to_string().parse().expect("what was read can be written");
        assert_eq!(again, pattern);
    }
    let _ = (parse_duration(text), parse_memory(text));
});
