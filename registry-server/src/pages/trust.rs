//! Who signed a plugin, and what the log says of it.

use maud::{Markup, html};
use pocket_index::record::Status;
use pocket_index::signature::PublicKey;
use pocket_index::time::UtcTime;

use crate::view::View;

/// Signers, place in the log, and the files that prove it.
pub(super) fn section(view: &View) -> Markup {
    let (entry, proof) = (&view.shown, &view.proof);
    html! {
        section aria-labelledby="trust" {
            h2 #trust { "Signatures and log" }
            dl.facts {
                dt { "Signed by" } dd { @for key in entry.signers() { (owner(key)) " " } }
                dt { "Owners now" } dd {
                    @for key in view.history.owners_at(view.now).into_iter().flat_map(|owners| owners.keys()) { (owner(key)) " " }
                    @if let Some(owners) = view.history.owners_at(view.now) { span.quiet { (owners.threshold()) " must sign" } }
                }
                dt { "Line" } dd { code { (entry.line()) } }
                dt { "Place in the log" } dd { (entry.log()) " of " (proof.size) }
                dt { "Root" } dd { code { (proof.root) } }
                dt { "Proof" } dd {
                    a href="/log/checkpoint" { "checkpoint" }
                    @for tile in &proof.tiles { ", " a href={ "/" (tile) } { (tile) } }
                }
            }
            @match (&proof.trouble, entry.status()) {
                (Some(trouble), _) => p.warning { "The log does not hold this release: " (trouble) },
                (None, Status::Revoked { .. }) => {},
                (None, _) => p { "This server checked the signatures and the proof for this page. " a href="/verify" { "Check them yourself" } "." },
            }
        }
    }
}

/// A key by its fingerprint, with what else it signs for.
fn owner(key: &PublicKey) -> Markup {
    let text = key.to_string();
    let hex = text.split(':').next_back().unwrap_or_default();
    html! { a href={ "/owners/" (hex) } { code { (key.fingerprint()) } } }
}

/// A day, with the exact time for whoever wants it.
pub(super) fn date(at: u64) -> Markup {
    let time = UtcTime(at).to_string();
    let day = time.split('T').next().unwrap_or_default();
    html! { time datetime=(time) { (day) } }
}
