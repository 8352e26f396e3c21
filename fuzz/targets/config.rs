//! `config.json` and `search.json`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::config::{Config, LogRequirement};
use pocket_index::search::Listing;

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    if let Ok(config) = Config::parse(text, LogRequirement::Required) {
        let again = Config::parse(&config.to_text(), LogRequirement::Required).expect("what was read can be written");
        assert_eq!(again.to_text(), config.to_text());
    }
    if let Ok(listing) = Listing::parse(text) {
        assert_eq!(Listing::parse(&listing.to_text()).expect("what was read can be written"), listing);
    }
});
