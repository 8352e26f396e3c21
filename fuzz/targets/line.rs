//! One line of an index file. A line that is accepted has one spelling: its own.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::record::Line;

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    match Line::parse(text) {
        Ok(line) => assert_eq!(line.to_text(), text),
        Err(error) => drop(error.to_string()),
    }
});
