//! Releases that somebody else signed, or nobody, or that somebody signed as something else.

use insta::assert_snapshot;
use pocket_index::package::release_of;
use pocket_index::record::Event;
use pocket_index::signature::{PublicKey, Signature};

use crate::index::{ALICE, Index, MALLORY, REGISTRY, key, lua, native, path, sign, withdrawal};
use crate::scene::{Refusal, Scene};

const INSTALL: &[&str] = &["plugin", "install", "geo"];

/// `geo` 1.2.0 as an event.
fn next_geo() -> Event {
    release_of(&[lua("geo", "1.2.0", "")]).unwrap().into()
}

/// The registry takes `geo` 1.2.0 with these signatures into file and log.
#[track_caller]
fn logged_with(signatures: &[Signature]) -> Refusal {
    let scene = Scene::installed(Index::honest(), &["geo"]);
    scene.refused_from_the_registry(
        |index| index.log_event("geo", &next_geo().to_text(), signatures),
        &["plugin", "update"],
    )
}

/// Alice's signature over something else.
fn from_elsewhere(event: &Event) -> Vec<Signature> {
    sign(event, &[ALICE])
}

#[test]
fn no_signature_field() {
    let scene = Scene::new(Index::honest());
    let unsigned = |index: &mut Index| {
        let lines = index.lines("geo");
        let cut: Vec<String> =
            lines.iter().map(|line| format!("{}}}", &line[..line.find(r#","signatures""#).unwrap()])).collect();
        index.replace("geo", &cut);
    };
    assert_snapshot!(scene.refused_from_a_mirror(unsigned, INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `geo` is refused
      cause: the line is no index line
      cause: missing field `signatures` at line 1 column 471
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn an_empty_list_of_signatures() {
    assert_snapshot!(logged_with(&[]), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the line has no signature
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn an_empty_list_of_signatures_from_a_mirror() {
    let scene = Scene::new(Index::honest());
    let emptied = |index: &mut Index| {
        let lines = index.lines("geo");
        let cut: Vec<String> = lines
            .iter()
            .map(|line| format!(r#"{},"signatures":[]}}"#, &line[..line.find(r#","signatures""#).unwrap()]))
            .collect();
        index.replace("geo", &cut);
    };
    assert_snapshot!(scene.refused_from_a_mirror(emptied, INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `geo` is refused
      cause: the line has no signature
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_key_of_somebody_who_owns_nothing_here() {
    assert_snapshot!(logged_with(&sign(&next_geo(), &[MALLORY])), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the `release` event is signed by 0 of the owner keys [SHA256:NHUPmL…], 1 needed; it is signed by [SHA256:MJfi3u…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_registrys_own_key_publishes_nothing() {
    assert_snapshot!(logged_with(&sign(&next_geo(), &[REGISTRY])), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the `release` event is signed by 0 of the owner keys [SHA256:NHUPmL…], 1 needed; it is signed by [SHA256:CukONg…]
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_owners_key_beside_another_ones_signature() {
    let mut signatures = sign(&next_geo(), &[MALLORY]);
    signatures[0].key = key(ALICE).public();
    assert_snapshot!(logged_with(&signatures), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature of ed25519:8a88e3… (SHA256:NHUPmL…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_good_signature_beside_a_broken_one() {
    let mut signatures = sign(&next_geo(), &[ALICE, MALLORY]);
    signatures[1].sig = signatures[0].sig.clone();
    assert_snapshot!(logged_with(&signatures), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature of ed25519:2152f8… (SHA256:MJfi3u…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_right_key_for_another_name() {
    let other = release_of(&[lua("gem", "1.2.0", "")]).unwrap().into();
    assert_snapshot!(logged_with(&from_elsewhere(&other)), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature of ed25519:8a88e3… (SHA256:NHUPmL…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn another_plugins_signed_release_in_this_file() {
    let scene = Scene::installed(Index::honest(), &["geo"]);
    let other = Event::from(release_of(&[lua("gem", "1.2.0", "")]).unwrap());
    let attack = |index: &mut Index| index.log_event("geo", &other.to_text(), &from_elsewhere(&other));
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "update"]), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the event is about `gem`, expected `geo`
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn the_right_key_for_another_version() {
    let other = release_of(&[lua("geo", "1.3.0", "")]).unwrap().into();
    assert_snapshot!(logged_with(&from_elsewhere(&other)), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature of ed25519:8a88e3… (SHA256:NHUPmL…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_signature_over_the_other_targets_archive() {
    let scene = Scene::new(Index::empty());
    let [linux, mac] = native("ships", "1.0.0");
    let (both, one) = ([linux.clone(), mac.clone()], Event::from(release_of(&[mac]).unwrap()));
    let attack = |index: &mut Index| {
        // The registry would like the archive for Linux to count, too.
        let event = Event::from(release_of(&both).unwrap());
        index.log_event("ships", &event.to_text(), &sign(&one, &[ALICE]));
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "install", "ships"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `ships` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `ships` is refused
      cause: the signature of ed25519:8a88e3… (SHA256:NHUPmL…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_signature_for_another_kind_of_event() {
    let scene = Scene::installed(Index::honest(), &["geo"]);
    let yank = Event::Yank(withdrawal("geo", "1.1.0"));
    let revoke = Event::Revoke(withdrawal("geo", "1.1.0"));
    let attack = |index: &mut Index| {
        index.log_event("geo", &revoke.to_text(), &sign(&yank, &[ALICE]));
    };
    // Signatures of withdrawals are checked where the file is read in full.
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "verify", "geo"]), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature of ed25519:8a88e3… (SHA256:NHUPmL…) does not verify over this `revoke` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

/// 2^252 + 27742317777372353535851937790883648493, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_signature_that_was_made_anew_without_the_key() {
    let mut signatures = sign(&next_geo(), &[ALICE]);
    let mut bytes = bytes_of(&signatures[0].sig);
    let mut carry = 0;
    // S + L verifies wherever S is not compared with the group's order.
    for (byte, order) in bytes[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    signatures[0].sig = hex(&bytes);
    assert_snapshot!(logged_with(&signatures), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature of ed25519:8a88e3… (SHA256:NHUPmL…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn keys_of_small_order_own_nothing() {
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    // Key and R are the identity, S is 0: the plain equation holds for every message.
    let sig = hex(&[identity, [0; 32]].concat());
    let forged = Signature { key: PublicKey::from_bytes(identity), sig };
    let scene = Scene::new(Index::honest());
    let attack = |index: &mut Index| {
        let event = Event::from(release_of(&[lua("gem", "1.0.0", "")]).unwrap());
        index.log_event("gem", &event.to_text(), &[forged]);
    };
    assert_snapshot!(scene.refused_from_the_registry(attack, &["plugin", "install", "gem"]), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `gem` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `gem` is refused
      cause: the signature of ed25519:010000… (SHA256:AdD6vS…) does not verify over this `release` event
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn a_digit_in_upper_case() {
    let mut signatures = sign(&next_geo(), &[ALICE]);
    signatures[0].sig = signatures[0].sig.to_uppercase();
    assert_snapshot!(logged_with(&signatures), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the signature `2A9044…` of ed25519:8a88e3… is malformed: expected 128 lower-case hexadecimal digits
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn more_signatures_than_anybody_needs() {
    let signatures: Vec<_> = (1..=17).flat_map(|seed| sign(&next_geo(), &[seed])).collect();
    assert_snapshot!(logged_with(&signatures), @"
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 3 of the index file of `geo` is refused
      cause: the line has 17 signatures, at most 16 are allowed
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn what_was_signed_differs_in_one_letter() {
    let scene = Scene::new(Index::honest());
    assert_snapshot!(scene.refused_from_a_mirror(|index| index.edit("geo", r#""nodes":["geo"]"#, r#""nodes":["gem"]"#), INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `geo` is refused
      cause: `prev` is sha256:e7c972…, but the line before has sha256:5b7178…
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn an_unknown_field_beside_what_was_signed() {
    let scene = Scene::new(Index::honest());
    let added = |index: &mut Index| index.edit("geo", r#""signatures""#, r#""trusted":true,"signatures""#);
    assert_snapshot!(scene.refused_from_a_mirror(added, INSTALL), @r#"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `geo` is refused
      cause: the line is written another way from offset 472 on: expected `signatures\":[{\"key\":\"ed2`, found `trusted\":true,\"signature`
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    "#);
}

#[test]
fn an_unknown_field_inside_what_was_signed() {
    let scene = Scene::new(Index::honest());
    let added = |index: &mut Index| index.edit("geo", r#"{"kind":"release","#, r#"{"kind":"release","trusted":true,"#);
    assert_snapshot!(scene.refused_from_a_mirror(added, INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 2 of the index file of `geo` is refused
      cause: `prev` is sha256:e7c972…, but the line before has sha256:e50171…
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

#[test]
fn another_plugins_file_under_this_name() {
    let scene = Scene::new(Index::honest());
    let swapped = |index: &mut Index| {
        let other = index.files[&path("moved")].clone();
        index.put(&path("geo"), other);
    };
    assert_snapshot!(scene.refused_from_a_mirror(swapped, INSTALL), @"
        Trusting REGISTRY/ on first use, key SHA256:tvyWGR…
    error: the events of `geo` in the registry `REGISTRY/` are refused
      cause: line 1 of the index file of `geo` is refused
      cause: the event is about `moved`, expected `geo`
      hint: the registry, or somebody between it and this machine, changed something; report it before using it
    exit code 6
    ");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
