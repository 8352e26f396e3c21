//! What a search promises, for both ways of searching.

use proptest::prelude::*;

use super::*;

fn entry(name: &str, description: &str, nodes: &[&str], keywords: &[&str]) -> SearchEntry {
    SearchEntry {
        name: name.parse().expect("a valid name"),
        version: Version::new(1, 0, 0),
        description: description.to_owned(),
        runtime: Runtime::Lua,
        nodes: nodes.iter().map(|node| node.parse().expect("a valid node type")).collect(),
        categories: Vec::new(),
        keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        dependencies: Vec::new(),
        owners: Vec::new(),
        updated: None,
    }
}

fn shelf() -> Vec<SearchEntry> {
    vec![
        entry("describes", "talks to Redis", &[], &[]),
        entry("provides", "", &["redis-get"], &[]),
        entry("tagged", "", &[], &["redis"]),
        entry("redis-cache", "keeps answers", &[], &[]),
        entry("fast-redis", "", &[], &[]),
        entry("redis", "", &[], &[]),
        entry("predistill", "", &[], &[]),
        entry("sentiment", "Tells whether a text is positive", &["analyze-sentiment"], &["ai"]),
    ]
}

/// A file in memory.
struct Memory<'a>(&'a [u8]);

impl Source for Memory<'_> {
    type Error = std::convert::Infallible;

    async fn read(&self, parts: Vec<std::ops::Range<u64>>) -> Result<Vec<Vec<u8>>, Self::Error> {
        let part = |part: &std::ops::Range<u64>| {
            let end = self.0.len().min(part.end as usize);
            self.0.get(part.start as usize..end).unwrap_or_default().to_vec()
        };
        Ok(parts.iter().map(part).collect())
    }
}

/// A list, and the head and bytes of its file.
struct Shelves {
    listing: Listing,
    file: Option<(Head, Vec<u8>)>,
}

impl Shelves {
    /// All of `filed` in a file that began with `filed`, and then became `now`.
    fn new(filed: &[SearchEntry], now: &[SearchEntry], downloads: &dyn Fn(&str) -> u64) -> Self {
        let mut builder = Builder::default();
        for entry in Listing::of(filed.iter().cloned()).entries.values() {
            builder.push(entry, downloads(entry.name.as_str())).expect("they are sorted");
        }
        let (file, bytes) = builder.finish().named();
        let head = Head::parse(bytes[..file.head as usize].to_vec()).expect("it was just built");
        let mut listing = Listing { index: Some(file), ..Listing::default() };
        for entry in filed {
            listing.put(&entry.name, None);
        }
        for entry in now {
            if filed.contains(entry) {
                listing.removed.remove(&entry.name);
            } else {
                listing.put(&entry.name, Some(entry.clone()));
            }
        }
        Self { listing, file: Some((head, bytes)) }
    }

    fn find(&self, query: &Query, downloads: &dyn Fn(&str) -> u64) -> Page {
        let file = self.file.as_ref().map(|(head, bytes)| (head, Memory(bytes)));
        let found = Shelf::new(&self.listing, file);
        let Ok(page) = ready(found.find(query, |name| Some(downloads(name))));
        page
    }
}

/// What is ready at once: memory keeps nobody waiting.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("nothing waits here"),
    }
}

/// What is found however the entries are kept: in the list, in the file, or half in each.
fn page(entries: &[SearchEntry], query: &Query) -> Page {
    // The longer a name, the less it was downloaded.
    let downloads = |name: &str| 100 - name.len() as u64;
    let scanned = scan::scan(entries, query, &downloads);
    for filed in [0, entries.len() / 2, entries.len()] {
        let shelves = Shelves::new(&entries[..filed], entries, &downloads);
        assert_eq!(shelves.find(query, &downloads), scanned, "{filed} in the file");
    }
    let listing = Listing::of(entries.iter().cloned());
    assert_eq!(Shelves { listing, file: None }.find(query, &downloads), scanned);
    scanned
}

fn names(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|hit| hit.entry.name.as_str()).collect()
}

fn found(text: &str) -> String {
    names(&page(&shelf(), &Query::new(text).expect("a query"))).join(" ")
}

#[test]
fn a_name_ranks_before_its_parts_before_keywords_nodes_and_descriptions() {
    assert_eq!(found("Redis"), "redis redis-cache fast-redis tagged provides predistill describes");
}

#[test]
fn every_word_must_occur() {
    assert_eq!(found("redis talks"), "describes");
    assert_eq!(found("redis mysql"), "");
}

#[test]
fn a_typing_error_is_forgiven() {
    for typed in ["sentimnt", "sentmient", "senntiment"] {
        assert_eq!(found(typed), "sentiment", "{typed}");
    }
    assert_eq!(found("rediscache"), "redis-cache");
    assert_eq!(found("posittive text"), "sentiment");
}

#[test]
fn an_exact_name_comes_first_however_often_others_are_downloaded() {
    assert_eq!(found("fast redis"), "fast-redis");
    assert!(found("redis-cache").starts_with("redis-cache"));
}

#[test]
fn without_words_everything_is_found_and_what_is_downloaded_most_comes_first() {
    let all = found("");
    assert!(all.starts_with("redis tagged provides"), "{all}");
    assert_eq!(all.split(' ').count(), shelf().len());
}

#[test]
fn filters_orders_and_parts() {
    let mut entries = shelf();
    entries[0].runtime = Runtime::Wasm;
    entries[1].categories = vec!["data".to_owned()];
    entries[2].updated = Some(5);
    let ask = |query: Query| names(&page(&entries, &query)).join(" ");
    let all = || Query::new("").expect("a query");
    assert_eq!(ask(Query { runtime: Some(Runtime::Wasm), ..all() }), "describes");
    assert_eq!(ask(Query { category: Some("data".to_owned()), ..all() }), "provides");
    assert_eq!(ask(Query { category: Some("nothing".to_owned()), ..all() }), "");
    assert!(ask(Query { sort: Sort::Updated, ..all() }).starts_with("tagged describes"));
    assert_eq!(ask(Query { sort: Sort::Name, offset: 1, limit: Some(2), ..all() }), "fast-redis predistill");
    let page = page(&entries, &Query { offset: 100, limit: Some(2), ..all() });
    assert_eq!((page.total, page.entries.len()), (shelf().len(), 0));
}

#[test]
fn an_entry_that_changed_is_found_by_its_new_words_alone_and_one_that_is_gone_not_at_all() {
    let changed = entry("sentiment", "Tells whether a text is negative", &[], &[]);
    let mut now = shelf();
    let last = now.len() - 1;
    now[last] = changed;
    now.remove(0);
    let shelves = Shelves::new(&shelf(), &now, &|_| 0);
    let count = |text: &str| shelves.find(&Query::new(text).expect("a query"), &|_| 0).total;
    assert_eq!((count("positive"), count("negative"), count("describes"), count("")), (0, 1, 0, now.len()));
}

#[test]
fn categories_owners_and_dependents_are_told_of_file_and_list_together() {
    let mut entries = shelf();
    let key = crate::testing::key(1).public();
    for entry in &mut entries[..4] {
        entry.categories = vec!["data".to_owned(), "text".to_owned()];
        entry.owners = vec![key];
        entry.dependencies = vec!["redis".parse().expect("a name")];
    }
    let mut now = entries.clone();
    now[0].categories = vec!["other".to_owned()];
    now[1].owners.clear();
    now[2].dependencies.clear();
    let shelves = Shelves::new(&entries, &now, &|_| 0);
    let file = shelves.file.as_ref().map(|(head, bytes)| (head, Memory(bytes)));
    // Links are not in a head; who asks for them has more of the file.
    let whole = file.map(|(_, memory)| (Head::parse(memory.0.to_vec()).expect("a file"), memory));
    let shelf = Shelf::new(&shelves.listing, whole.as_ref().map(|(head, memory)| (head, Memory(memory.0))));
    let Ok(categories) = ready(shelf.categories());
    let told: Vec<_> = categories.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(told, ["data 3", "other 1", "text 3"]);
    let names = |link| {
        let Ok(names) = ready(shelf.linked(link));
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(Link::Owner(&key)), "describes redis-cache tagged");
    assert_eq!(names(Link::Needs(&"redis".parse().expect("a name"))), "describes provides redis-cache");
    for expected in &now {
        let Ok(entry) = ready(shelf.entry(&expected.name));
        assert_eq!(entry.as_ref(), Some(expected));
    }
}

#[test]
fn a_damaged_file_finds_less_and_never_fails() {
    let whole = Shelves::new(&shelf(), &shelf(), &|_| 3);
    let Some((_, bytes)) = &whole.file else { panic!("it has a file") };
    let query = Query::new("redis").expect("a query");
    for at in 0..bytes.len() {
        for value in [0, 0x7f, 0xff, bytes[at] ^ 1] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let Ok(head) = Head::parse(damaged.clone()) else { continue };
            let shelf = Shelf::new(&whole.listing, Some((&head, Memory(&damaged))));
            let Ok(page) = ready(shelf.find(&query, |_| None));
            let Ok(categories) = ready(shelf.categories());
            assert!(page.entries.len() <= page.total && categories.len() <= bytes.len());
        }
        assert!(at >= 48 || Head::parse(bytes[..at].to_vec()).is_err(), "{at} bytes are no head");
    }
}

fn any_entry() -> impl Strategy<Value = SearchEntry> {
    let word = "[abc]{1,9}";
    let words = || proptest::collection::vec(word, 0..3);
    (proptest::collection::vec(word, 1..3), words(), words(), words(), 0..3_usize, any::<bool>()).prop_map(
        |(name, nodes, keywords, description, runtime, has_category)| {
            let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
            let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
            let mut entry = entry(&name.join("-"), &description.join(" "), &nodes, &keywords);
            entry.runtime = Runtime::ALL[runtime];
            entry.categories = if has_category { vec!["data".to_owned()] } else { Vec::new() };
            entry
        },
    )
}

proptest! {
    /// However entries came and went, what is found is what going through them one by one finds.
    #[test]
    fn file_and_list_find_what_going_through_the_entries_finds(
        filed in proptest::collection::btree_map("[abc]{1,3}", any_entry(), 0..60),
        changed in proptest::collection::vec(any_entry(), 0..10),
        gone in 0..5_usize,
        words in proptest::collection::vec("[abc]{1,9}", 0..3),
        runtime in proptest::option::of(0..3_usize),
        has_category in any::<bool>(),
        sort in 0..4_usize,
        offset in 0..5_usize,
        limit in proptest::option::of(0..8_usize),
    ) {
        let mut query = Query::new(&words.join(" ")).expect("a query");
        query.runtime = runtime.map(|runtime| Runtime::ALL[runtime]);
        query.category = has_category.then(|| "data".to_owned());
        (query.sort, query.offset, query.limit) = (Sort::ALL[sort], offset, limit);
        let filed = Listing::of(filed.into_values()).entries;
        let mut now = filed.clone();
        now.extend(changed.into_iter().map(|entry| (entry.name.clone(), entry)));
        for _ in 0..gone {
            now.pop_first();
        }
        let (filed, now): (Vec<_>, Vec<_>) = (filed.into_values().collect(), now.into_values().collect());
        let downloads = |name: &str| name.len() as u64 % 3;
        let shelves = Shelves::new(&filed, &now, &downloads);
        prop_assert_eq!(shelves.find(&query, &downloads), scan::scan(&now, &query, &downloads));
    }

    #[test]
    fn what_is_put_into_a_file_leaves_the_list_and_what_came_meanwhile_stays(
        first in proptest::collection::vec(any_entry(), 0..6),
        taken in proptest::collection::vec((any_entry(), any::<bool>()), 0..6),
        later in proptest::collection::vec((any_entry(), any::<bool>()), 0..6),
        has_file in any::<bool>(),
    ) {
        let mut listing = Listing::of(first);
        let file = |seed: &[u8]| IndexFile { sha256: crate::digest::Digest::of(seed), bytes: 1, head: 1, entries: 1, plugins: 1 };
        let mut filed = std::collections::BTreeMap::new();
        if has_file {
            filed = std::mem::take(&mut listing.entries);
            listing.index = Some(file(b"old"));
        }
        let put = |listing: &mut Listing, (entry, is_there): &(SearchEntry, bool)| {
            listing.put(&entry.name, is_there.then(|| entry.clone()));
        };
        let seen = |listing: &Listing, filed: &std::collections::BTreeMap<_, _>| {
            let mut all: std::collections::BTreeMap<crate::name::PluginName, SearchEntry> = filed.clone();
            all.retain(|name, _| !listing.removed.contains(name));
            all.extend(listing.entries.clone());
            all
        };
        taken.iter().for_each(|change| put(&mut listing, change));
        let (before, new_file) = (listing.clone(), seen(&listing, &filed));
        later.iter().for_each(|change| put(&mut listing, change));
        let after = listing.clone().since(&before, file(b"new"));
        prop_assert_eq!(seen(&after, &new_file), seen(&listing, &filed));
        prop_assert_eq!(Listing::parse(&after.to_text()).expect("just written"), after);
    }
}
