//! A token goes to the API that the user knows, and nowhere else.

use super::{GITHUB, Place};
use crate::support::TestForge;

#[test]
fn a_token_opens_private_repositories_and_goes_to_the_api_alone() {
    let mut place = Place::new();
    place.release_signed("1.0.0", "default");
    place.forge.require_token("hunter2");
    place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["knows no repository", "POCKET_FORGE_TOKEN"]);
    place.sandbox.set("GITHUB_TOKEN", "hunter2");
    place.forge.forget_requests();
    let installed = place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    let requests = place.forge.requests();
    for request in &requests {
        let is_api = request.path.starts_with("/repos/") || request.path.starts_with("/api-assets/");
        assert_eq!(request.authorization.is_some(), is_api, "{request:?}");
    }
    assert!(requests.iter().any(|request| request.path.starts_with("/storage/")));
    place.sandbox.pocket_elsewhere(&["plugin", "install", "--locked"]).success();
    assert!(!installed.stderr.contains("hunter2") && !place.lock().contains("hunter2"));
}

#[test]
fn a_token_does_not_follow_a_redirect() {
    let mut place = Place::new();
    place.sandbox.set("POCKET_FORGE_TOKEN", "hunter2");
    let elsewhere = TestForge::start();
    place.forge.move_to(&elsewhere);
    let refused = place.sandbox.pocket(&["plugin", "install", GITHUB]).failure(1, &["knows no repository"]);
    assert!(!refused.stderr.contains("hunter2"));
    assert!(place.forge.requests().iter().all(|request| request.authorization.is_some()));
    let arrived = elsewhere.requests();
    assert!(!arrived.is_empty() && arrived.iter().all(|request| request.authorization.is_none()), "{arrived:?}");
}

#[test]
fn a_project_cannot_send_the_users_token_to_its_own_server() {
    let mut place = Place::new();
    place.release_signed("1.0.0", "default");
    place.sandbox.set("POCKET_FORGE_API", "");
    place.sandbox.set("POCKET_FORGE_TOKEN", "hunter2");
    place.sandbox.write("pocket.yaml", &format!("forges: {{github.com: {{api: {}}}}}\n", place.forge.api()));
    place.sandbox.pocket(&["plugin", "install", GITHUB]).success();
    assert!(place.forge.requests().iter().all(|request| request.authorization.is_none()));
}
