//! How to verify what the other pages say.

use axum::extract::State;
use maud::html;

use super::Shared;
use super::failure::Failure;
use super::layout::Page;
use crate::view::checkpoint;

/// Explains, with this registry's own keys.
pub(super) async fn verify(State(web): Shared) -> Result<Page, Failure> {
    let checkpoint = checkpoint(&web.registry).await?;
    let key = web.registry.key();
    let body = html! {
        h1 { "How to verify" }
        p.lead { "You need not believe these pages. What is installed is checked on your machine, whoever sent it." }
        h2 { "What Pocket checks by itself" }
        ol {
            li { strong { "The author. " } "Every release is signed. The first release binds the plugin's name to its author's key; later ones count only if that key signed them, or one that it named." }
            li { strong { "The log. " } "Every release is a leaf of an append-only log. Pocket checks that the release is in it, and that the log still holds all that it held when you last looked. A registry cannot show you something else than others without leaving proof." }
            li { strong { "The archive. " } "Its bytes must have the digest in the signed release, and its files and permissions must be those that the release names." }
        }
        h2 { "Check an installed plugin" }
        pre { code { "pocket plugin verify NAME" } }
        h2 { "Watch the whole registry" }
        p { "This goes through every line, signature, and digest, and compares the log with everything it holds:" }
        pre { code { "pocket registry verify URL" } }
        h2 { "This registry's key" }
        p { "Compare it with the one that its operator shows elsewhere." }
        dl.facts {
            dt { "Log key" } dd { code { (key) } }
            dt { "Fingerprint" } dd { code { (key.public().fingerprint()) } }
            dt { "Events in the log" } dd { (checkpoint.size()) }
            dt { "Root" } dd { code { (checkpoint.head().root) } }
        }
        p { "The newest " a href="/log/checkpoint" { "checkpoint" } " is a signed note (C2SP), so other tools read it as well." }
    };
    Ok(Page::new("How to verify", body))
}
