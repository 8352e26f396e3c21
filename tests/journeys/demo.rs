//! `pocket demo`, as a newcomer sees it.

use crate::support::{Redis, Sandbox};

#[test]
fn the_demo_goes_through_and_keeps_a_value_in_redis() {
    let redis = Redis::start();
    let sandbox = Sandbox::new();
    let shown =
        sandbox.pocket(&["demo", "--dir", "demo", "--redis", &format!("127.0.0.1:{}", redis.port())]).success().stdout;
    for expected in [
        "pocket plugin publish greeting",
        "Published `greeting` 1.0.0",
        "pocket.lock is byte for byte the same",
        "Redis kept it: Good news, that sounds positive.",
        "refused, and nothing was installed",
        "That was all of it",
    ] {
        assert!(shown.contains(expected), "expected `{expected}` in:\n{shown}");
    }
    assert!(redis.command(&["GET", "pocket:demo"]).contains("Good news"));
    sandbox.pocket(&["demo", "--dir", "demo"]).failure(1, &["is not empty"]);
}

#[test]
fn without_redis_the_error_branch_takes_over_and_the_demo_says_so() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sandbox = Sandbox::new();
    let shown = sandbox.pocket(&["demo", "--redis", &format!("127.0.0.1:{port}")]).success().stdout;
    assert!(shown.contains("No Redis, so nothing is remembered"), "{shown}");
    assert!(shown.contains("no Redis answers on"), "{shown}");
    assert!(!shown.contains("Redis kept it: Good"), "{shown}");
}
