//! A plugin's `manifest.yaml`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::manifest::Manifest;

fuzz_target!(|data: &[u8]| {
    match Manifest::parse(data) {
        Ok(manifest) => drop(manifest.variable_word()),
        Err(error) => drop(error.to_string()),
    }
});
