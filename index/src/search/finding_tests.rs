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

/// What both ways find: they must agree.
fn page(entries: &[SearchEntry], query: &Query) -> Page {
    // The longer a name, the less it was downloaded.
    let downloads = |name: &str| 100 - name.len() as u64;
    let scanned = scan(entries, query, &downloads);
    assert_eq!(Finder::new(entries.iter().cloned()).find(query, &downloads), scanned);
    scanned
}

fn names(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| entry.name.as_str()).collect()
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
fn an_entry_that_changes_is_found_by_its_new_words_alone() {
    let mut finder = Finder::new(shelf());
    let find = |finder: &Finder, text: &str| {
        let page = finder.find(&Query::new(text).expect("a query"), &|_| 0);
        page.entries.len()
    };
    assert_eq!(find(&finder, "positive"), 1);
    finder.put(&entry("sentiment", "Tells whether a text is negative", &[], &[]));
    assert_eq!((find(&finder, "positive"), find(&finder, "negative"), finder.len()), (0, 1, shelf().len()));
    let name = "sentiment".parse().expect("a valid name");
    assert!(finder.remove(&name).is_some_and(|entry| entry.description.contains("negative")));
    assert_eq!((find(&finder, "negative"), finder.get(&name)), (0, None));
}

#[test]
fn an_update_takes_over_what_changed_in_a_list() {
    let mut finder = Finder::default();
    let names = |entries: &[SearchEntry]| entries.iter().map(|entry| entry.name.to_string()).collect::<Vec<_>>();
    let first = finder.update(&write(shelf())).expect("a list");
    assert_eq!((first.removed.len(), first.added.len()), (0, shelf().len()));
    assert_eq!(finder.update(&write(shelf())).expect("a list"), Changes::default());

    let mut list = shelf();
    list.retain(|entry| entry.name.as_str() != "tagged");
    list[0].description = "other".to_owned();
    let pretty = serde_json::to_string_pretty(&list).expect("it can be written");
    for text in [write(list), pretty] {
        finder.update(&write(shelf())).expect("a list");
        let mut changes = finder.update(&text).expect("a list");
        changes.removed.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(names(&changes.removed), ["describes", "tagged"]);
        assert_eq!(names(&changes.added), ["describes"]);
        assert_eq!(finder.len(), shelf().len() - 1);
    }
    assert!(finder.update("[{\"name\":\"x\"}]").is_err());
    assert_eq!(finder.len(), shelf().len() - 1, "a damaged list changes nothing");
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
    /// The index is an index: it finds what going through the list finds, also after entries came and went.
    #[test]
    fn the_index_finds_what_the_list_has(
        entries in proptest::collection::btree_map("[abc]{1,3}", any_entry(), 0..60),
        gone in proptest::collection::vec(any_entry(), 0..10),
        words in proptest::collection::vec("[abc]{1,9}", 0..3),
        runtime in proptest::option::of(0..3_usize),
        has_category in any::<bool>(),
        sort in 0..4_usize,
        offset in 0..5_usize,
        limit in proptest::option::of(0..8_usize),
    ) {
        let list: std::collections::BTreeMap<_, _> = entries.into_values().map(|entry| (entry.name.clone(), entry)).collect();
        let mut query = Query::new(&words.join(" ")).expect("a query");
        query.runtime = runtime.map(|runtime| Runtime::ALL[runtime]);
        query.category = has_category.then(|| "data".to_owned());
        (query.sort, query.offset, query.limit) = (Sort::ALL[sort], offset, limit);
        let mut finder = Finder::new(gone.clone());
        gone.iter().for_each(|entry| drop(finder.remove(&entry.name)));
        list.values().for_each(|entry| finder.put(entry));
        let list: Vec<SearchEntry> = list.into_values().collect();
        let downloads = |name: &str| name.len() as u64 % 3;
        prop_assert_eq!(finder.find(&query, &downloads), scan(&list, &query, &downloads));
    }
}
