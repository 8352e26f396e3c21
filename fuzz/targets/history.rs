//! Everything that happens to a plugin: each line of the input is an event, with a letter in front that says who signs it.
//! Numbers, times, chain and signatures are right, so that what the events say is what is tested.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_index::record::{History, Line, Outline, Place, Policy};
use pocket_index::signature::SecretKey;
use serde::Deserialize;

/// A line a day, so that a recovery can take effect in a file of a few lines.
const DAY: u64 = 86_400;

#[derive(Deserialize)]
struct Head {
    kind: String,
    name: String,
}

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    let (mut file, mut name, mut prev) = (String::new(), None, None);
    for (seq, (signer, event)) in text.lines().filter_map(|line| line.split_at_checked(1)).enumerate() {
        let Ok(head) = serde_json::from_str::<Head>(event) else { return };
        name = name.or(Some(head.name));
        let key = SecretKey::from_seed(&[signer.as_bytes()[0] % 4; 32]);
        let seq = seq as u64;
        let place = Place { seq, prev, log: seq, at: seq * DAY };
        let Ok(line) = Line::frame(place, event, vec![key.sign_event(&head.kind, event)]) else { return };
        prev = Some(line.digest);
        file.push_str(&line.to_text());
        file.push('\n');
    }
    let Some(Ok(name)) = name.map(|name| name.parse()) else { return };
    let registry = SecretKey::from_seed(&[3; 32]).public();
    match History::replay(&name, &file, &Policy::new([registry])) {
        Ok(history) => {
            assert!(history.releases().count() as u64 <= history.len());
            let outline = Outline::read(&name, file, Policy::new([registry]).into()).expect("the replay read it");
            assert_eq!(history.recoveries(), outline.recoveries());
        }
        Err(error) => drop(error.to_string()),
    }
});
