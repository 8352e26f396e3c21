//! How long a search takes among many plugins, and how long it takes to begin.
//!
//! `cargo run --release -p pocket-index --example search_speed -- 100000`

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use pocket_index::manifest::Runtime;
use pocket_index::search::{self, Head, Listing, Query, Range, SearchEntry, Shelf, Source};
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

/// A file on the disk.
struct OnDisk(File);

impl Source for OnDisk {
    type Error = std::io::Error;

    async fn read(&self, parts: Vec<Range>) -> Result<Vec<Vec<u8>>, Self::Error> {
        let part = |part: &Range| {
            let mut bytes = vec![0; (part.end - part.start) as usize];
            self.0.read_exact_at(&mut bytes, part.start).map(|()| bytes)
        };
        parts.iter().map(part).collect()
    }
}

/// The result of what nothing keeps waiting.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a file on the disk keeps nobody waiting"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let mut numbers = Numbers(88_172_645_463_325_252);
    let entries = (0..count).map(|number| entry(number, &mut numbers)).collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    let files = search::files(entries);
    let built = begun.elapsed();
    let (named, bytes) = files.index.ok_or("so few stand in `search.json` itself")?;
    let listing = Listing::parse(&files.listing)?;
    println!(
        "{count} plugins: a file of {} KB, {} of them its head; written in {built:?}",
        named.bytes / 1_000,
        named.head / 1_000
    );
    let path = std::env::temp_dir().join(format!("pocket-search-{}", std::process::id()));
    std::fs::write(&path, &bytes)?;
    drop(bytes);

    let begun = Instant::now();
    let mut head = vec![0; named.head as usize];
    File::open(&path)?.read_exact_at(&mut head, 0)?;
    let head = Head::parse(head)?;
    println!("a client reads the head in {:?}", begun.elapsed());
    let mut times = Vec::new();
    for text in QUERIES.iter().cycle().take(QUERIES.len() * 50) {
        let mut query = Query::new(text)?;
        query.limit = Some(20);
        let begun = Instant::now();
        let disk = OnDisk(File::open(&path)?);
        ready(Shelf::new(&listing, Some((&head, disk))).find(&query, |_| None))?;
        times.push((begun.elapsed(), *text));
    }
    std::fs::remove_file(&path)?;
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!("search: p50 {:?}, p99 {:?} (`{}`), worst {:?}", at(0.5).0, at(0.99).0, at(0.99).1, at(1.0).0);
    Ok(())
}
