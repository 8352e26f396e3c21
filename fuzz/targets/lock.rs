//! `pocket.lock`. What is accepted is written in one form, which is a fixed point.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_fuzz::project::Lockfile;

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    match Lockfile::parse(text) {
        Ok(lock) => {
            let written = lock.to_text();
            let again = Lockfile::parse(&written).expect("what was written can be read");
            assert_eq!(again.to_text(), written);
        }
        Err(error) => drop(error.to_string()),
    }
});
