//! Plugins as their authors send them.

use pocket_index::limits::Limits;
use pocket_index::package::{Package, release_of};
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, Withdrawal};
use pocket_index::signature::SecretKey;

/// A key that is nobody's secret.
pub fn author(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The body of a publish: a plugin in Lua with this source.
pub fn release(name: &str, version: &str, source: &str, author: &SecretKey) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest =
        format!("name: {name}\nversion: {version}\ndescription: For a test\nruntime: lua\nbinary: main.lua\n");
    std::fs::write(folder.path().join("manifest.yaml"), manifest).expect("it is written");
    std::fs::write(folder.path().join("main.lua"), source).expect("it is written");
    let packages = Package::of_folder(folder.path(), &Limits::default()).expect("a plugin");
    let event = Event::from(release_of(&packages).expect("a release"));
    let archives: Vec<u8> = packages.into_iter().flat_map(|package| package.bytes).collect();
    [signed(&event, author), archives].concat()
}

/// The body of a yank.
pub fn yank(name: &str, version: &str, reason: &str, author: &SecretKey) -> Vec<u8> {
    let (name, version) = (name.parse().expect("a name"), version.parse().expect("a version"));
    signed(&Event::Yank(Withdrawal { name, version, reason: reason.to_owned() }), author)
}

/// An event with a signature.
pub fn signed(event: &Event, author: &SecretKey) -> Vec<u8> {
    let text = event.to_text();
    let signatures = vec![author.sign_event(event.kind(), &text)];
    PublishHeader { event: text, signatures }.encode()
}
