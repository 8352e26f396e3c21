//! How long a search takes among many plugins, how long it takes to begin, and how much memory that needs.
//!
//! `cargo run --release -p pocket-index --example search_speed -- 100000`

use std::error::Error;
use std::time::Instant;

use pocket_index::manifest::Runtime;
use pocket_index::search::{Finder, Query, SearchEntry, parse, scan, write};
use semver::Version;

const ROOTS: [&str; 40] = [
    "redis",
    "cache",
    "data",
    "text",
    "image",
    "mail",
    "queue",
    "file",
    "http",
    "json",
    "yaml",
    "graph",
    "vector",
    "search",
    "index",
    "stream",
    "batch",
    "cloud",
    "metric",
    "trace",
    "token",
    "login",
    "payment",
    "invoice",
    "order",
    "report",
    "chart",
    "table",
    "sheet",
    "parse",
    "format",
    "convert",
    "compress",
    "encrypt",
    "verify",
    "sentiment",
    "translate",
    "summary",
    "weather",
    "map",
];
/// Common words, one word of few plugins, beginnings, insides, typing errors, several words, nothing.
const QUERIES: [&str; 12] = [
    "redis",
    "data",
    "plugin4711",
    "sent",
    "redis cache",
    "weathr",
    "encrpyt",
    "ompres",
    "stream data plugin",
    "plugin77",
    "zzzzzz",
    "",
];

/// A generator of numbers that are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn word(&mut self) -> &'static str {
        ROOTS[self.below(ROOTS.len())]
    }
}

fn entry(number: usize, numbers: &mut Numbers) -> Result<SearchEntry, Box<dyn Error>> {
    let (one, other) = (numbers.word(), numbers.word());
    let description: Vec<&str> = (0..8).map(|_| numbers.word()).collect();
    Ok(SearchEntry {
        name: format!("{one}-{other}-plugin{number}").parse()?,
        version: Version::new(1, number as u64 % 10, 0),
        description: format!("A plugin{} for {}", number % 5_000, description.join(" and ")),
        runtime: Runtime::ALL[number % 3],
        nodes: vec![format!("{one}-get-{}", number % 900).parse()?, format!("{other}-set").parse()?],
        categories: vec![numbers.word().to_owned()],
        keywords: (0..3).map(|_| numbers.word().to_owned()).collect(),
        dependencies: Vec::new(),
        owners: vec![format!("ed25519:{:064x}", number % 3_000).parse()?],
        updated: Some(1_767_225_600 + number as u64),
    })
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let mut numbers = Numbers(88_172_645_463_325_252);
    let entries = (0..count).map(|number| entry(number, &mut numbers)).collect::<Result<Vec<_>, _>>()?;
    let text = write(entries);
    let before = resident();
    let begun = Instant::now();
    let mut finder = Finder::default();
    finder.update(&text)?;
    println!("{count} plugins, {} MB of search.json", text.len() / 1_000_000);
    println!("begin: {:?}, {} MiB", begun.elapsed(), (resident() - before) / 1_024);
    let begun = Instant::now();
    finder.update(&text.replacen("A plugin", "One plugin", 1))?;
    println!("take over one change: {:?}", begun.elapsed());

    let mut times = Vec::new();
    for text in QUERIES.iter().cycle().take(QUERIES.len() * 50) {
        let mut query = Query::new(text)?;
        query.limit = Some(20);
        let begun = Instant::now();
        finder.find(&query, &|_| 0);
        times.push((begun.elapsed(), *text));
    }
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!("search: p50 {:?}, p99 {:?} (`{}`), worst {:?}", at(0.5).0, at(0.99).0, at(0.99).1, at(1.0).0);

    let begun = Instant::now();
    let list = parse(&text)?;
    let read = begun.elapsed();
    let begun = Instant::now();
    scan(&list, &Query::new("redis cache")?, &|_| 0);
    println!("a client, once: reads the list in {read:?}, goes through it in {:?}", begun.elapsed());
    Ok(())
}
