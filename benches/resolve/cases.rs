//! Registries to solve.

use std::collections::BTreeMap;
use std::fmt;

use pocket::resolve::{Candidate, Details, Need, PackageName, Records, Request, Status};
use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::permissions::Permissions;
use semver::Version;

/// A registry, and what is asked of it.
pub struct Case {
    name: String,
    pub records: Records,
    pub request: Request,
    /// The versions of each plugin, in no order.
    pub versions: BTreeMap<PackageName, Vec<(Version, Vec<Need>)>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// How many versions the bad cases have.
const MANY: u32 = 2_000;

/// Every case.
pub fn all() -> Vec<Case> {
    let mut all = vec![dead(), dead_below(), conflicts(1), conflicts(2), conflicts(3), conflicts_with_one_choice()];
    all.extend((0..4).map(generated));
    if let Some(path) = std::env::var_os("GRAPH") {
        let text = std::fs::read_to_string(&path).expect("`GRAPH` names a file");
        all.extend((0..4).map(|seed| of_graph(&text, seed)));
    }
    all
}

/// Versions whose dependency does not exist.
fn dead() -> Case {
    let lines = (0..MANY).map(|minor| format!("a 1.{minor}.1: ghost ={minor}.0.0\n"));
    case("2,000 versions without their dependency", &["a ^1"], &(lines.collect::<String>() + "a 1.0.0\n"))
}

/// The same, one level down.
fn dead_below() -> Case {
    let lines = (0..MANY).map(|minor| format!("a 1.{minor}.1: b =1.{minor}.0\nb 1.{minor}.0: ghost *\n"));
    case("2,000 versions without a dependency's dependency", &["a ^1"], &(lines.collect::<String>() + "a 1.0.0\n"))
}

/// Versions of which each needs, `depth` levels down, another version than the project does.
fn conflicts(depth: u32) -> Case {
    let mut text = format!("a 1.0.0\nz 1.{MANY}.0\n");
    for minor in 0..MANY {
        text += &format!("z 1.{minor}.0\na 1.{minor}.1: b1 =1.{minor}.0\n");
        for level in 1..depth {
            text += &format!("b{level} 1.{minor}.0: b{} =1.{minor}.0\n", level + 1);
        }
        text += &format!("b{depth} 1.{minor}.0: z =1.{minor}.0\n");
    }
    case(&format!("2,000 conflicts {depth} levels down"), &["a ^1", &format!("z =1.{MANY}.0")], &text)
}

/// The version that they do not fit is not the project's but another plugin's.
fn conflicts_with_one_choice() -> Case {
    let mut text = format!("a 1.0.0\nz 1.{MANY}.0\nc 1.0.0: d ^1\nd 1.0.0: z =1.{MANY}.0\n");
    for minor in 0..MANY {
        text += &format!("z 1.{minor}.0\na 1.{minor}.1: b =1.{minor}.0\nb 1.{minor}.0: z =1.{minor}.0\n");
    }
    case("2,000 conflicts with another choice", &["a ^1", "c ^1"], &text)
}

/// As many plugins and versions as a thousand crates have; one need in fifty is pinned.
fn generated(seed: u64) -> Case {
    let mut random = Random(seed + 1);
    let mut text = String::new();
    for plugin in 0..1_052 {
        for version in 0..43 {
            let mut needs: BTreeMap<u64, String> = BTreeMap::new();
            for _ in 0..random.below(5) {
                let (other, minor) = (random.below(1_052), random.below(20));
                let requirement = if random.below(50) == 0 { format!("=1.{minor}.0") } else { format!("^1.{minor}") };
                needs.insert(other, format!("p{other} {requirement}"));
            }
            needs.remove(&plugin);
            let needs: Vec<_> = needs.into_values().collect();
            text += &format!("p{plugin} 1.{version}.0: {}\n", needs.join("; "));
        }
    }
    let roots: Vec<_> = (0..12).map(|_| format!("p{} ^1", random.below(1_052))).collect();
    case(&format!("45,000 generated versions, {seed}"), &roots, &text)
}

/// Some plugins of a real graph.
fn of_graph(text: &str, seed: u64) -> Case {
    let mut random = Random(seed + 1);
    let mut names: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    names.dedup();
    let roots: Vec<_> = (0..15).map(|_| format!("{} *", names[random.below(names.len() as u64) as usize])).collect();
    case(&format!("crates.io, {seed}"), &roots, text)
}

fn case(name: &str, roots: &[impl AsRef<str>], text: &str) -> Case {
    let mut versions: BTreeMap<PackageName, Vec<(Version, Vec<Need>)>> = BTreeMap::new();
    let mut records = Records::default();
    for line in text.lines() {
        let (head, needs) = line.split_once(": ").unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let name = package(words.next().expect("a name"));
        let version: Version = words.next().expect("a version").trim_end_matches(':').parse().expect("a version");
        let needs: Vec<_> = needs.split("; ").filter(|need| !need.is_empty()).map(need).collect();
        let status = if words.next() == Some("yanked") { Status::Yanked } else { Status::Available };
        if status == Status::Available {
            versions.entry(name.clone()).or_default().push((version.clone(), needs.clone()));
        }
        records.add(name, Candidate { version, status, published_at: 0 }, details(needs));
    }
    let roots = roots.iter().map(|root| need(root.as_ref())).collect();
    Case { name: name.to_owned(), records, request: Request::new(roots, Version::new(1, 0, 0)), versions }
}

fn details(dependencies: Vec<Need>) -> Details {
    Details {
        runtime: Runtime::Lua,
        dependencies,
        engine: None,
        targets: vec![Target::any()],
        permissions: Permissions::default(),
    }
}

fn package(name: &str) -> PackageName {
    PackageName::new("bench".parse().expect("a name"), name.parse().expect("a name"))
}

fn need(text: &str) -> Need {
    let (name, requirement) = text.split_once(' ').expect("a name and a requirement");
    Need::required(package(name), requirement.parse().expect("a requirement"))
}

/// Numbers that are the same in every run (`xorshift64`).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = (self.0 << 13 ^ self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
