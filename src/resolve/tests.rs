//! The rules one by one, on registries written as text.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::permissions::Permissions;
use semver::Version;

use super::*;

/// 1970-04-11: late enough to subtract days from.
pub(super) const NOW: u64 = 100 * DAY;
const DAY: u64 = 86_400;

pub(super) fn package(name: &str) -> PackageName {
    PackageName::new("bundled".parse().unwrap(), name.parse().unwrap())
}

/// `a ^1.2`, with `?` after the name for an optional one.
pub(super) fn need(text: &str) -> Need {
    let (name, requirement) = text.trim().split_once(' ').unwrap_or((text.trim(), "*"));
    let necessity = if name.ends_with('?') { Necessity::Optional } else { Necessity::Required };
    Need { package: package(name.trim_end_matches('?')), requirement: requirement.parse().unwrap(), necessity }
}

pub(super) fn request(roots: &[&str]) -> Request {
    let mut request = Request::new(roots.iter().map(|root| need(root)).collect(), Version::new(1, 0, 0));
    request.now = NOW;
    request
}

pub(super) fn locked(text: &str) -> PackageVersion {
    let (name, version) = text.split_once(' ').unwrap();
    PackageVersion { package: package(name), version: version.parse().unwrap() }
}

/// A line a version: `name version [flag…] [: need, need…]`. Flags: `yanked`, `revoked`, `native`, `engine=>=2`, `age=3` (days),
/// `target=…+…`, `asks=http`; a line `name pending` for a plugin that was not fetched.
pub(super) fn world(text: &str) -> Records {
    let mut records = Records::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, needs) = line.split_once(": ").unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let name = package(words.next().unwrap());
        let version = words.next().unwrap();
        if version == "pending" {
            records.set_pending(name);
            continue;
        }
        let mut candidate =
            Candidate { version: version.parse().unwrap(), status: Status::Available, published_at: NOW - 90 * DAY };
        let mut details = Details {
            runtime: Runtime::Lua,
            dependencies: needs.split(", ").filter(|need| !need.is_empty()).map(need).collect(),
            engine: None,
            targets: vec![Target::any()],
            permissions: Permissions::default(),
        };
        for flag in words {
            match flag.split_once('=').unwrap_or((flag, "")) {
                ("yanked", _) => candidate.status = Status::Yanked,
                ("revoked", _) => candidate.status = Status::Revoked,
                ("age", days) => candidate.published_at = NOW - days.parse::<u64>().unwrap() * DAY,
                ("native", _) => details.runtime = Runtime::Native,
                ("engine", engines) => details.engine = Some(engines.parse().unwrap()),
                ("target", targets) => {
                    details.targets = targets.split('+').map(|target| target.parse().unwrap()).collect()
                }
                ("asks", "http") => details.permissions.http = vec!["example.com:443".to_owned()],
                other => panic!("unknown flag {other:?}"),
            }
        }
        records.add(name, candidate, details);
    }
    records
}

/// `a 1.0.0, b 2.0.0`.
fn picked(request: &Request, records: &Records) -> String {
    let resolution = resolve(request, records).unwrap();
    let all: Vec<_> = resolution.plugins.iter().map(|chosen| chosen.release.to_string().replace('`', "")).collect();
    all.join(", ")
}

fn explained(request: &Request, records: &Records) -> String {
    match resolve(request, records) {
        Err(ResolveError::NoSolution(explanation)) => explanation.to_string(),
        other => panic!("expected no solution, got {other:?}"),
    }
}

#[test]
fn the_highest_versions_that_fit_are_picked() {
    let records = world("a 1.0.0\n a 1.2.0: b ^1\n a 2.0.0\n b 1.0.0\n b 1.9.0\n b 2.0.0");
    assert_eq!(picked(&request(&["a ^1"]), &records), "a 1.2.0, b 1.9.0");
}

#[test]
fn a_lower_version_is_taken_where_the_highest_does_not_fit() {
    let records = world("a 1.0.0: c ^1\n a 1.1.0: c =1.5.0\n b 1.0.0: c =1.4.0\n c 1.4.0\n c 1.5.0");
    assert_eq!(picked(&request(&["a ^1", "b ^1"]), &records), "a 1.0.0, b 1.0.0, c 1.4.0");
}

#[test]
fn incompatible_versions_stand_beside_each_other() {
    let records = world("a 1.0.0: c ^1\n b 1.0.0: c ^2\n c 1.0.0\n c 2.0.0\n d 0.1.0\n d 0.2.0");
    assert_eq!(picked(&request(&["a", "b"]), &records), "a 1.0.0, b 1.0.0, c 1.0.0, c 2.0.0");
}

#[test]
fn a_native_plugin_is_there_once() {
    let records = world("a 1.0.0: c ^1\n b 1.0.0: c ^2\n b 0.9.0: c >=1\n c 1.0.0 native\n c 2.0.0 native");
    assert_eq!(picked(&request(&["a", "b *"]), &records), "a 1.0.0, b 0.9.0, c 1.0.0");
    assert_snapshot!(explained(&request(&["a", "b ^1"]), &records), @"
    the project needs `a` `*`
    the project needs `b` `^1`
    `a` 1.0.0 needs `c` `^1`
    `b` 1.0.0 needs `c` `^2`
    `c` 1.0.0 and 2.0.0 are native, and only one native version of a plugin can be loaded
    no version of `c` meets `^1` and `^2` at once
    it would work with `b` 0.9.0 in place of `^1`
    ");
}

#[test]
fn a_wide_requirement_takes_the_highest_range() {
    let records = world("c 0.1.0\n c 0.2.0\n c 1.0.0\n c 3.1.0");
    assert_eq!(picked(&request(&["c >=0.1, <3"]), &records), "c 1.0.0");
    assert_eq!(picked(&request(&["c"]), &records), "c 3.1.0");
}

#[test]
fn a_locked_version_is_kept_before_a_higher_one() {
    let records = world("a 1.0.0\n a 1.1.0\n c 1.0.0\n c 2.0.0");
    let mut request = request(&["a ^1", "c"]);
    request.locked = BTreeSet::from([locked("a 1.0.0"), locked("c 1.0.0")]);
    assert_eq!(picked(&request, &records), "a 1.0.0, c 1.0.0");
    request.roots = vec![need("a >=1.1")];
    assert_eq!(picked(&request, &records), "a 1.1.0");
}

#[test]
fn a_yanked_version_is_picked_only_where_it_is_locked() {
    let records = world("a 1.0.0\n a 1.1.0 yanked");
    let mut request = request(&["a"]);
    assert_eq!(picked(&request, &records), "a 1.0.0");
    request.locked = BTreeSet::from([locked("a 1.1.0")]);
    assert_eq!(picked(&request, &records), "a 1.1.0");
}

#[test]
fn a_revoked_version_is_refused_even_where_it_is_locked() {
    let records = world("a 1.0.0\n a 1.1.0 revoked");
    let mut request = request(&["a"]);
    request.locked = BTreeSet::from([locked("a 1.1.0")]);
    assert_eq!(picked(&request, &records), "a 1.0.0");
}

#[test]
fn a_pre_release_is_picked_only_where_the_requirement_names_it() {
    let records = world("a 1.0.0\n a 1.1.0-rc.1\n b 2.0.0-alpha.1");
    assert_eq!(picked(&request(&["a"]), &records), "a 1.0.0");
    assert_eq!(picked(&request(&["a ^1.1.0-rc"]), &records), "a 1.1.0-rc.1");
    assert_snapshot!(explained(&request(&["b"]), &records), @"
    the project needs `b` `*`
    no version of `b` matches `*`: published is 2.0.0-alpha.1
    it would work with `b` 2.0.0-alpha.1 in place of `*`
    ");
}

#[test]
fn each_rule_passes_versions_over_and_keeps_its_reason() {
    let records = world(
        "a 1.0.0
         a 1.1.0 yanked
         a 1.2.0 engine=>=2
         a 1.3.0 target=aarch64-apple-darwin
         a 1.4.0 native
         a 1.5.0 asks=http
         a 1.6.0 age=2
         a 1.7.0: ghost ^1
         a 1.8.0: b ^7
         a 1.9.0: c ^1
         b 1.0.0
         c 1.0.0 revoked",
    );
    let mut request = request(&["a ^1"]);
    request.targets = vec!["x86_64-unknown-linux-gnu".parse().unwrap()];
    request.cooldown.insert(package("a").origin, 7 * DAY);
    request.denied.runtimes.insert(Runtime::Native);
    request.denied.permissions.insert("http_client".to_owned());
    let resolution = resolve(&request, &records).unwrap();
    assert_eq!(resolution.plugins[0].release, locked("a 1.0.0"));
    let reasons = resolution.passed_over.iter().map(|passed| format!("{}: {}\n", passed.release, passed.reason));
    assert_snapshot!(reasons.collect::<String>(), @"
    `a` 1.1.0: yanked
    `a` 1.2.0: works with engine `>=2`, this one is 1.0.0
    `a` 1.3.0: made for `aarch64-apple-darwin`, not for `x86_64-unknown-linux-gnu`
    `a` 1.4.0: its runtime `native` is denied
    `a` 1.5.0: asks for `http_client`, which is denied
    `a` 1.6.0: published 2d ago, `min_release_age` is 7d
    `a` 1.7.0: needs `ghost`, which does not exist
    `a` 1.8.0: needs `b` `^7`, which no published version matches
    `a` 1.9.0: needs `c` `^1`, of which no version can be used
    ");
}

#[test]
fn every_target_that_was_asked_for_is_served() {
    let records = world(
        "a 1.0.0 target=x86_64-unknown-linux-gnu+aarch64-apple-darwin+riscv64gc-unknown-linux-gnu
         a 1.1.0 target=x86_64-unknown-linux-gnu
         a 1.2.0 target=riscv64gc-unknown-linux-gnu
         b 1.0.0",
    );
    let mut request = request(&["a", "b"]);
    assert_eq!(picked(&request, &records), "a 1.2.0, b 1.0.0");
    request.targets = ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin"].map(|text| text.parse().unwrap()).to_vec();
    let resolution = resolve(&request, &records).unwrap();
    assert_eq!(resolution.plugins[0].release, locked("a 1.0.0"));
    let reasons: Vec<_> = resolution.passed_over.iter().map(|passed| passed.reason.to_string()).collect();
    assert_snapshot!(reasons.join("\n"), @"
    made for `x86_64-unknown-linux-gnu`, not for `aarch64-apple-darwin`
    made for `riscv64gc-unknown-linux-gnu`, not for `aarch64-apple-darwin` or `x86_64-unknown-linux-gnu`
    ");
}

#[test]
fn an_explanation_leads_from_the_project_to_the_conflict() {
    let records = world(
        "app 1.0.0: mid ^1
         app 1.1.0: mid ^1
         mid 1.0.0: geo ^2.1
         mid 1.0.1: geo ^2.1
         mid 1.0.2: geo ^2.1
         other 3.0.0: geo =2.0.0
         geo 2.0.0
         geo 2.1.0",
    );
    assert_snapshot!(explained(&request(&["app ^1", "other ^3"]), &records), @"
    the project needs `app` `^1`
    the project needs `other` `^3`
    `app` 1.0.0 and 1.1.0 need `mid` `^1`
    `other` 3.0.0 needs `geo` `=2.0.0`
    `mid` 1.0.0 to 1.0.2 (3 versions) need `geo` `^2.1`
    no version of `geo` meets `=2.0.0` and `^2.1` at once
    ");
}

#[test]
fn an_explanation_says_what_would_make_it_work() {
    let records = world("geo 2.0.0 yanked\n geo 2.1.0 engine=>=1.9\n geo 2.2.0 age=3\n geo 1.0.0");
    let mut request = request(&["geo ^2"]);
    request.cooldown.insert(package("geo").origin, 7 * DAY);
    assert_snapshot!(explained(&request, &records), @"
    the project needs `geo` `^2`
    `geo` 2.0.0 cannot be picked: yanked
    `geo` 2.1.0 cannot be picked: works with engine `>=1.9`, this one is 1.0.0
    `geo` 2.2.0 cannot be picked: published 3d ago, `min_release_age` is 7d
    `geo` 2.0.0 would fit if it were not yanked
    `geo` 2.1.0 would fit with engine 1.9.0
    `geo` 2.2.0 would fit with `min_release_age: 3d` for `bundled`
    it would work with `geo` 1.0.0 in place of `^2`
    ");
}

#[test]
fn each_rule_that_is_in_the_way_has_its_remedy() {
    let records = world(
        "geo 2.0.0 target=aarch64-apple-darwin
         geo 2.1.0 native
         geo 2.2.0 asks=http
         geo 2.3.0-rc.1
         geo 3.0.0 revoked
         app 1.0.0: geo ^2",
    );
    let mut request = request(&["app ^1"]);
    request.targets = ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin"].map(|text| text.parse().unwrap()).to_vec();
    request.denied.runtimes.insert(Runtime::Native);
    request.denied.permissions.insert("http_client".to_owned());
    assert_snapshot!(explained(&request, &records), @"
    the project needs `app` `^1`
    `app` 1.0.0 cannot be picked: needs `geo` `^2`, of which no version can be used
    `geo` 2.0.0 cannot be picked: made for `aarch64-apple-darwin`, not for `x86_64-unknown-linux-gnu` (the project → `app` → `geo`)
    `geo` 2.1.0 cannot be picked: its runtime `native` is denied (the project → `app` → `geo`)
    `geo` 2.2.0 cannot be picked: asks for `http_client`, which is denied (the project → `app` → `geo`)
    `geo` 2.0.0 would fit if `x86_64-unknown-linux-gnu` were not asked for
    `geo` 2.1.0 would fit if the runtime `native` were allowed
    `geo` 2.2.0 would fit if `http_client` were allowed
    ");
    let request = super::tests::request(&["geo >=2.3, <3"]);
    assert_snapshot!(explained(&request, &records), @"
    the project needs `geo` `>=2.3, <3`
    no version of `geo` matches `>=2.3, <3`: published are 2.0.0 to 3.0.0 (5 versions)
    it would work with `geo` 2.2.0 in place of `>=2.3, <3`
    it would work with `geo` 2.3.0-rc.1 in place of `>=2.3, <3`
    ");
}

#[test]
fn what_does_not_exist_is_named_with_its_registry() {
    let records = world("a 1.0.0: b ^1\n b 1.0.0: ghost ^1\n b 1.1.0: ghost ^2");
    assert_snapshot!(explained(&request(&["a", "spirit ^1"]), &records), @"
    the project needs `a` `*`
    the project needs `spirit` `^1`
    `a` 1.0.0 cannot be picked: needs `b` `^1`, of which no version can be used
    there is no plugin `spirit` in `bundled`
    `b` 1.0.0 and 1.1.0 cannot be picked: needs `ghost`, which does not exist (the project → `a` → `b`)
    there is no plugin `ghost` in `bundled` (the project → `a` → `b` → `ghost`)
    ");
    assert_snapshot!(explained(&request(&["a"]), &records), @"
    the project needs `a` `*`
    `a` 1.0.0 cannot be picked: needs `b` `^1`, of which no version can be used
    `b` 1.0.0 and 1.1.0 cannot be picked: needs `ghost`, which does not exist (the project → `a` → `b`)
    there is no plugin `ghost` in `bundled` (the project → `a` → `b` → `ghost`)
    ");
}

#[test]
fn all_records_that_matter_are_asked_for_at_once() {
    let records = world("a 1.0.0: x ^1, y ^1\n b 1.0.0: z ^1\n x pending\n y pending\n z pending");
    let Err(ResolveError::NeedRecords(needed)) = resolve(&request(&["a", "b"]), &records) else {
        panic!("the records are pending")
    };
    assert_eq!(needed, BTreeSet::from([package("x"), package("y"), package("z")]));
}

#[test]
fn a_contradiction_is_found_before_anything_else_is_fetched() {
    let records = world("a 1.0.0: x ^1, c =1.0.0\n b 1.0.0: c =1.1.0\n c 1.0.0\n c 1.1.0\n x pending");
    assert!(matches!(resolve(&request(&["a", "b"]), &records), Err(ResolveError::NoSolution(_))));
}

#[test]
fn an_optional_plugin_is_linked_where_it_is_there_and_never_brought_in() {
    let records = world("a 1.0.0: c? ^1\n b 1.0.0: c ^1\n c 1.0.0\n c 2.0.0");
    assert_eq!(picked(&request(&["a"]), &records), "a 1.0.0");
    let resolution = resolve(&request(&["a", "b"]), &records).unwrap();
    assert_eq!(resolution.plugins[0].dependencies, [locked("c 1.0.0")]);
}

#[test]
fn plugins_may_need_each_other() {
    let records = world("a 1.0.0: b ^1\n b 1.0.0: a ^1\n c 1.0.0: c ^1\n d 1.0.0: d ^2");
    assert_eq!(picked(&request(&["a", "c"]), &records), "a 1.0.0, b 1.0.0, c 1.0.0");
    assert_snapshot!(explained(&request(&["d"]), &records), @"
    the project needs `d` `*`
    `d` 1.0.0 cannot be picked: needs itself as `^2`, which it is not
    ");
}

#[test]
fn a_name_never_crosses_to_another_registry() {
    let mut records = world("a 1.0.0: b ^1");
    let elsewhere = PackageName::new("other".parse().unwrap(), "b".parse().unwrap());
    let candidate = Candidate { version: Version::new(1, 0, 0), status: Status::Available, published_at: 0 };
    let details = records.details(&package("a"), 0).unwrap().clone();
    records.add(elsewhere, candidate, Details { dependencies: Vec::new(), ..details });
    assert_snapshot!(explained(&request(&["a"]), &records), @"
    the project needs `a` `*`
    `a` 1.0.0 cannot be picked: needs `b`, which does not exist
    there is no plugin `b` in `bundled` (the project → `a` → `b`)
    ");
}

#[test]
fn a_search_ends_when_its_steps_are_used_up() {
    let mut request = request(&["a", "b"]);
    request.steps = 2;
    let records = world("a 1.0.0\n b 1.0.0");
    assert_eq!(resolve(&request, &records), Err(ResolveError::TooManySteps { steps: 2 }));
}

#[test]
fn two_thousand_versions_that_do_not_go_with_what_the_project_needs_cost_few_steps() {
    let mut text = "a 1.0.0\n z 1.5000.0\n c 1.0.0: d ^1\n d 1.0.0: z =1.5000.0\n".to_owned();
    for minor in 0..2_000 {
        text += &format!("z 1.{minor}.0\n a 1.{minor}.1: b =1.{minor}.0\n b 1.{minor}.0: z =1.{minor}.0\n");
    }
    let records = world(&text);
    for roots in [["a ^1", "z =1.5000.0"], ["a ^1", "c ^1"]] {
        let resolution = resolve(&request(&roots), &records).unwrap();
        assert!(resolution.plugins.iter().any(|chosen| chosen.release == locked("a 1.0.0")));
        assert!(resolution.steps < 12, "{} steps", resolution.steps);
        let highest = resolution.passed_over.iter().find(|passed| passed.release == locked("a 1.1999.1")).unwrap();
        assert_eq!(highest.reason.to_string(), "needs `b` `=1.1999.0`, of which no version can be used");
    }
}

#[test]
fn two_thousand_versions_that_need_nothing_that_exists_cost_few_steps() {
    let dead = (0..2_000).map(|minor| format!("a 1.{minor}.1: ghost ={minor}.0.0\n"));
    let dead_inside =
        (0..2_000).map(|minor| format!("b 1.{minor}.1: hollow =1.{minor}.0\n hollow 1.{minor}.0: ghost\n"));
    let text: String = dead.chain(dead_inside).collect();
    let records = world(&format!("{text}\n a 1.0.0\n b 1.0.0"));
    let resolution = resolve(&request(&["a ^1", "b ^1"]), &records).unwrap();
    assert_eq!(resolution.plugins.len(), 2);
    assert!(resolution.steps < 10, "{} steps", resolution.steps);
    assert_eq!(resolution.passed_over.len(), 4_000);
}
