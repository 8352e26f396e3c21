//! What a lock promises.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use pocket_index::digest::{Digest, TreeDigest};
use pocket_index::manifest::Runtime;
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::permissions::Permissions;
use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> pocket_index::signature::PublicKey {
    format!("ed25519:{}", format!("{byte:02x}").repeat(32)).parse().unwrap()
}

fn registry(name: &str) -> RegistryName {
    name.parse().unwrap()
}

fn bundled() -> Source {
    Source::Registry(registry("bundled"))
}

fn plugin(name: &str, version: &str, source: Source) -> LockedPlugin {
    let basis = if source == bundled() {
        Basis::Log(LockedEvent { digest: Digest::of(version.as_bytes()), log: 17 })
    } else {
        Basis::Unsigned
    };
    LockedPlugin::new(name.parse().unwrap(), version.parse().unwrap(), source, Runtime::Lua, basis)
}

fn needs(name: &str, version: &str, source: Source) -> LockedDependency {
    LockedDependency { name: name.parse().unwrap(), version: version.parse().unwrap(), source }
}

fn archive(target: &str, file: &str) -> LockedArchive {
    let tree = TreeDigest::from_bytes(*Digest::of(target.as_bytes()).as_bytes());
    LockedArchive::new(target.parse::<Target>().unwrap(), file.to_owned(), 4_711, Digest::of(file.as_bytes()), tree)
}

fn sample() -> Lockfile {
    let log = LockedLog {
        origin: "plugins.example.com".to_owned(),
        key: "plugins.example.com+1a2b3c4d+AQID".to_owned(),
        size: 42,
        root: Digest::of(b"root"),
    };
    let trust = RegistryTrust::Signed { keys: vec![key(2), key(1)], log };
    let registries = vec![
        LockedRegistry::new(registry("corp"), "https://corp.example.com".to_owned(), RegistryTrust::Unsigned),
        LockedRegistry::new(registry("bundled"), "https://plugins.example.com".to_owned(), trust),
    ];
    let mut weather = plugin("weather", "1.2.0", bundled());
    weather.runtime = Runtime::Wasm;
    weather.engine = Some(">=0.1, <2".parse().unwrap());
    weather.signers = vec![key(9)];
    weather.permissions = Permissions {
        http: vec!["api.example.com:443".to_owned()],
        env: vec!["API_KEY".to_owned()],
        timeout: Some("3s".to_owned()),
        ..Permissions::default()
    };
    weather.dependencies =
        vec![needs("proj", "2.0.0", Source::Registry(registry("corp"))), needs("geo", "1.10.0", bundled())];
    weather.archives = vec![
        archive("x86_64-unknown-linux-gnu", "weather-1.2.0-x86_64-unknown-linux-gnu.tar.gz"),
        archive("aarch64-apple-darwin", "weather-1.2.0-aarch64-apple-darwin.tar.gz"),
    ];
    let mut mine = plugin("mine", "0.1.0", Source::path("plugins\\mine"));
    mine.basis = Basis::Local;
    let plugins = vec![
        weather,
        plugin("proj", "2.0.0", Source::Registry(registry("corp"))),
        plugin("geo", "1.10.0", bundled()),
        plugin("geo", "1.9.0", bundled()),
        mine,
    ];
    Lockfile::new(registries, plugins)
}

fn error(text: &str) -> String {
    Lockfile::parse(text).unwrap_err().to_string()
}

#[test]
fn a_lock_is_sorted_with_one_fact_a_line() {
    assert_snapshot!(sample().to_text(), @r#"
    # Written by Pocket; commit it, and change it with `pocket plugin install`, `update` and `uninstall`.
    version = 1
    revision = 1

    [[registry]]
    name = "bundled"
    url = "https://plugins.example.com"
    keys = [
        "ed25519:0101010101010101010101010101010101010101010101010101010101010101",
        "ed25519:0202020202020202020202020202020202020202020202020202020202020202",
    ]
    log = "plugins.example.com"
    log_key = "plugins.example.com+1a2b3c4d+AQID"
    log_size = 42
    log_root = "sha256:4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2"

    [[registry]]
    name = "corp"
    url = "https://corp.example.com"
    unsigned = true

    [[plugin]]
    name = "geo"
    version = "1.9.0"
    source = "bundled"
    runtime = "lua"
    trust = "log"
    event = "sha256:7717cbf90c63a3b096008763a02066239916fa9916f98254d1aa3b2470830fcd"
    log = 17

    [[plugin]]
    name = "geo"
    version = "1.10.0"
    source = "bundled"
    runtime = "lua"
    trust = "log"
    event = "sha256:e91dee3b412922e56d788d757cd30eaaae92b0846323abdb99eeb58b9cfe30c1"
    log = 17

    [[plugin]]
    name = "mine"
    version = "0.1.0"
    source = "./plugins/mine"
    runtime = "lua"
    trust = "local"

    [[plugin]]
    name = "proj"
    version = "2.0.0"
    source = "corp"
    runtime = "lua"
    trust = "unsigned"

    [[plugin]]
    name = "weather"
    version = "1.2.0"
    source = "bundled"
    runtime = "wasm"
    pocket = ">=0.1, <2"
    trust = "log"
    event = "sha256:9f77034b1eb57d24f21ac7deb65c9cc99f63b72775e311f1f280ab2b6c2e06a2"
    log = 17
    signers = [
        "ed25519:0909090909090909090909090909090909090909090909090909090909090909",
    ]
    permissions = [
        "env API_KEY",
        "http api.example.com:443",
        "timeout 3s",
    ]
    dependencies = [
        "geo 1.10.0",
        "proj 2.0.0 corp",
    ]

    [[plugin.archive]]
    target = "aarch64-apple-darwin"
    file = "weather-1.2.0-aarch64-apple-darwin.tar.gz"
    size = 4711
    sha256 = "sha256:7f05e155ff42c9a53343b5ffc3ddbadea9b37e795000fc7615788d6a7c1b24a1"
    tree = "t1:602526fe5d0720f8fb8f60272c924a754eb90c461381908e5d8a5f04f6e504c0"

    [[plugin.archive]]
    target = "x86_64-unknown-linux-gnu"
    file = "weather-1.2.0-x86_64-unknown-linux-gnu.tar.gz"
    size = 4711
    sha256 = "sha256:d6370f366049427c1e2c90cdc6b762d3ab684aed93459c57e9b6a680aed22112"
    tree = "t1:1bb87e07be9e52fc0dca53a1c0718fac23e8b4202b9c346e12f075762507a544"
    "#);
}

#[test]
fn a_lock_that_is_read_and_written_has_the_same_bytes() {
    let text = sample().to_text();
    assert_eq!(Lockfile::parse(&text).unwrap().to_text(), text);
    let windows = text.replace('\n', "\r\n");
    assert_eq!(Lockfile::parse(&windows).unwrap().to_text(), text);
}

#[test]
fn the_example_of_the_specification_is_written_as_it_stands_there() {
    let specification = include_str!("../../index/README.md");
    let blocks = specification.split("```toml\n").filter_map(|rest| rest.split("```").next());
    let example = blocks.into_iter().find(|block| block.starts_with("# Written by Pocket")).unwrap();
    assert_eq!(Lockfile::parse(example).unwrap().to_text(), example);
}

#[test]
fn the_order_of_the_parts_does_not_matter() {
    let mut other = sample();
    other.registries.reverse();
    other.plugins.reverse();
    for plugin in &mut other.plugins {
        plugin.dependencies.reverse();
        plugin.archives.reverse();
        plugin.signers.reverse();
    }
    assert_eq!(other.to_text(), sample().to_text());
}

#[test]
fn what_a_newer_revision_added_survives_a_rewrite() {
    let text = sample().to_text();
    let newer = text
        .replace("revision = 1", "revision = 3\nmood = \"calm\" # today\nnotes = { b = 1, a = 2 }")
        .replace("trust = \"local\"", "trust = \"local\"\nattested = [1, 2]")
        .replace("target = \"aarch64-apple-darwin\"", "target = \"aarch64-apple-darwin\"\nlayers = 3\n")
        + "\n[extra]\nb = 1\n\n[extra.deep]\nc = 2\n";
    let read = Lockfile::parse(&newer).unwrap();
    let written = read.to_text();
    for kept in
        ["revision = 3", "mood = \"calm\"", "notes = ", "attested = [1, 2]", "layers = 3", "[extra.deep]\nc = 2"]
    {
        assert!(written.contains(kept), "{kept} is not in\n{written}");
    }
    assert_eq!(Lockfile::parse(&written).unwrap().to_text(), written);

    let mut resolved_anew = sample();
    resolved_anew.keep_unknown_of(&read);
    assert_eq!(resolved_anew.to_text(), written);
}

#[test]
fn a_lock_of_a_newer_format_is_refused() {
    assert_snapshot!(error(&sample().to_text().replace("version = 1\nrev", "version = 2\nrev")), @"`pocket.lock` has format version 2, this Pocket reads up to 1; update Pocket");
}

#[test]
fn a_merge_conflict_is_named_with_its_line() {
    let text = sample().to_text().replacen("[[plugin]]", "<<<<<<< HEAD\n[[plugin]]", 1);
    assert_snapshot!(error(&text), @"`pocket.lock` line 22: a merge conflict; take one side, then run `pocket plugin lock`");
}

#[test]
fn what_was_edited_is_named_with_line_and_column() {
    let text = sample().to_text();
    let edits = [
        ("revision = 1", ""),
        ("revision = 1", "revision = -1"),
        ("size = 4711", "size = \"4711\""),
        ("trust = \"local\"", "trust = \"blind\""),
        ("runtime = \"wasm\"", "runtime = \"jvm\""),
        ("pocket = \">=0.1, <2\"", "pocket = \"soon\""),
        ("trust = \"local\"", "trust = \"log\""),
        ("name = \"mine\"", "name = \"Mine\""),
        ("version = \"1.9.0\"", "version = \"1.9\""),
        ("version = \"1.9.0\"", "version = \"1.10.0\""),
        ("    \"geo 1.10.0\",", "    \"geo\","),
        ("    \"geo 1.10.0\",", "    \"geo 1.11.0\","),
        ("    \"http api", "    \"telepathy api"),
        ("source = \"corp\"", "source = \"corp2\""),
        ("name = \"corp\"", "name = \"bundled\""),
        ("target = \"aarch64-apple-darwin\"", "target = \"x86_64-unknown-linux-gnu\""),
        ("[[plugin.archive]]", "[plugin.archive]"),
        ("sha256 = \"sha256:", "sha256 = \"md5:"),
        ("tree = \"t1:", "tree = \"t1:\u{1b}"),
        ("url = \"https", "url = https"),
    ];
    let all: Vec<_> = edits.iter().map(|(old, new)| error(&text.replacen(old, new, 1))).collect();
    assert_snapshot!(all.join("\n"), @r#"
    `pocket.lock` line 1, column 1: `revision` is missing in the file
    `pocket.lock` line 3, column 12: `revision`: -1 is below 0
    `pocket.lock` line 79, column 8: `size`: expected a whole number, found string
    `pocket.lock` line 45, column 9: `trust`: `blind` is not one of `log`, `signature`, `digest`, `once`, `local`, `unsigned`
    `pocket.lock` line 58, column 11: `runtime`: `jvm` is no runtime: expected `native`, `lua` or `wasm`
    `pocket.lock` line 59, column 10: `pocket`: unexpected character 's' while parsing major version number
    `pocket.lock` line 40, column 1: `event` is missing in a `[[plugin]]`
    `pocket.lock` line 41, column 8: `name`: `Mine` is no plugin name: expected lower-case letters, digits and single hyphens, starting with a letter (`[a-z][a-z0-9]*(-[a-z0-9]+)*`)
    `pocket.lock` line 24, column 11: `version`: unexpected end of input while parsing minor version number
    `pocket.lock` line 31, column 1: `geo` 1.10.0 is here a second time; first in line 22
    `pocket.lock` line 72, column 5: `dependencies`: `geo` is no dependency: expected a name, a version and perhaps a source
    `pocket.lock` line 54, column 1: `weather` 1.2.0 needs `geo` 1.11.0 of `bundled`, which is not in the lock
    `pocket.lock` line 68, column 5: `permissions`: `telepathy` is no permission; known are `env`, `http`, `network`, `filesystem`, `memory`, `timeout`
    `pocket.lock` line 47, column 1: `proj` 2.0.0 comes from `corp2`, of which there is no `[[registry]]`
    `pocket.lock` line 17, column 1: registry `bundled` is here a second time; first in line 5
    `pocket.lock` line 84, column 10: target `x86_64-unknown-linux-gnu` is here a second time
    `pocket.lock` line 83, column 10: duplicate key
    `pocket.lock` line 80, column 10: `sha256`: `md5:7f05e155ff42c9a53343b5ffc3ddbadea9b37e795000fc7615788d6a7c1b24a1` is no digest: expected `sha256:` and 64 lower-case hexadecimal digits
    `pocket.lock` line 81, column 12: invalid basic string, expected non-double-quote visible characters, `\`
    `pocket.lock` line 7, column 7: missing opening quote, expected `"`
    "#);
}

#[test]
fn a_lock_says_whether_it_fits_what_is_needed() {
    let manifest = |text: &str| {
        let text = format!("plugins:\n  dependencies: {{ {text} }}");
        ProjectManifest::parse(&text).unwrap().plugins.dependencies
    };
    let fits = |text: &str| sample().satisfies(&manifest(text), &registry("bundled"));
    assert_eq!(fits("weather: ^1, geo: <1.10, mine: { path: plugins/mine }"), Ok(()));
    let stale = [
        "weather: ^2, geo: <1.10, mine: { path: ./other }, ghost: '*'",
        "weather: { version: ^1, registry: corp }",
        "weather: ^1, mine: { path: ./plugins/mine }",
    ];
    let reasons = stale.iter().flat_map(|text| fits(text).unwrap_err()).map(|stale| stale.to_string() + "\n");
    assert_snapshot!(reasons.collect::<String>(), @"
    `pocket.yaml` needs `ghost` `*`, which is not in `pocket.lock`
    `pocket.yaml` takes `mine` from `./other`, `pocket.lock` from `./plugins/mine`
    `pocket.yaml` needs `weather` `^2`, `pocket.lock` has 1.2.0
    `pocket.yaml` takes `weather` from `corp`, `pocket.lock` from `bundled`
    `pocket.lock` has `geo` 1.9.0, which nothing needs any more
    ");
}

#[test]
fn an_empty_lock_fits_a_project_that_needs_nothing() {
    let empty = Lockfile::default();
    assert_snapshot!(empty.to_text(), @"
    # Written by Pocket; commit it, and change it with `pocket plugin install`, `update` and `uninstall`.
    version = 1
    revision = 1
    ");
    assert_eq!(empty.satisfies(&BTreeMap::<PluginName, Dependency>::new(), &registry("bundled")), Ok(()));
}

#[test]
fn a_release_says_where_each_of_its_archives_was() {
    let source: Source = "github.com/example/geo".parse().unwrap();
    assert!(matches!(source, Source::Release(_)));
    let mut geo = plugin("geo", "1.0.0", source);
    geo.basis = Basis::Signature;
    geo.archives = vec![archive("any", "geo-1.0.0.tar.gz").at("https://example.com/geo-1.0.0.tar.gz".to_owned())];
    let text = Lockfile::new(Vec::new(), vec![geo]).to_text();
    assert_snapshot!(text.split_once("\n\n").unwrap().1, @r#"
    [[plugin]]
    name = "geo"
    version = "1.0.0"
    source = "github.com/example/geo"
    runtime = "lua"
    trust = "signature"

    [[plugin.archive]]
    target = "any"
    file = "geo-1.0.0.tar.gz"
    size = 4711
    sha256 = "sha256:fc36e6eab660343d7295f132587c8ddcb04ed72d50701ccecad90bcfe9cf0dc9"
    tree = "t1:d6a7cd2a7371b1a15d543196979ff74fdb027023ebf187d5d329be11055c77fd"
    url = "https://example.com/geo-1.0.0.tar.gz"
    "#);
    assert_eq!(Lockfile::parse(&text).unwrap().to_text(), text);
    let without = text.replace("url = \"https://example.com/geo-1.0.0.tar.gz\"\n", "");
    assert!(error(&without).ends_with("`url` is missing in a `[[plugin.archive]]`"), "{}", error(&without));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_lock_gives_an_error_or_a_lock_and_never_a_panic(
        start in any::<prop::sample::Index>(),
        length in 0..80usize,
        put in "[ -~\n]{0,12}",
    ) {
        let text = sample().to_text();
        let start = start.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{put}{}", &text[..start], &text[end..]);
        if let Ok(lock) = Lockfile::parse(&damaged) {
            let written = lock.to_text();
            prop_assert_eq!(Lockfile::parse(&written).unwrap().to_text(), written);
        }
    }
}
