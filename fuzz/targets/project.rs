//! `pocket.yaml`, read and edited.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pocket_fuzz::project::{ProjectManifest, remove_dependency};

fuzz_target!(|data: &[u8]| {
    let Some(text) = pocket_fuzz::text(data) else { return };
    let Ok(manifest) = ProjectManifest::parse(text) else { return };
    for name in manifest.plugins.dependencies.keys() {
        let Ok(edited) = remove_dependency(text, name) else { continue };
        let again = ProjectManifest::parse(&edited).expect("an edit leaves a manifest");
        assert!(!again.plugins.dependencies.contains_key(name));
        assert_eq!(again.plugins.dependencies.len() + 1, manifest.plugins.dependencies.len());
    }
});
