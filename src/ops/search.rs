//! `plugin search`: which plugins a registry has.

use pocket_index::search::SearchEntry;

use super::{OpsError, Reach, Workspace};

/// Where a word was found; earlier ones rank higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Name,
    PartOfName,
    Node,
    Keyword,
    Description,
}

/// The plugins in which every word occurs, best first. Without words: all of them, by name.
pub async fn search(workspace: &Workspace, words: &[String], reach: &Reach) -> Result<Vec<SearchEntry>, OpsError> {
    let registry = workspace.open_registry(reach).await?;
    let mut entries = registry.search_entries().await?;
    registry.remember()?;
    rank(&mut entries, words);
    Ok(entries)
}

fn rank(entries: &mut Vec<SearchEntry>, words: &[String]) {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let score = |entry: &SearchEntry| words.iter().map(|word| find(entry, word)).collect::<Option<Vec<Place>>>();
    let mut found: Vec<_> = entries.drain(..).filter_map(|entry| Some((score(&entry)?, entry))).collect();
    found.sort_by(|(one, a), (other, b)| one.cmp(other).then_with(|| a.name.cmp(&b.name)));
    entries.extend(found.into_iter().map(|(_, entry)| entry));
}

fn find(entry: &SearchEntry, word: &str) -> Option<Place> {
    let has = |text: &str| text.to_lowercase().contains(word);
    if entry.name.as_str() == word {
        Some(Place::Name)
    } else if has(entry.name.as_str()) {
        Some(Place::PartOfName)
    } else if entry.nodes.iter().any(|node| has(node.as_str())) {
        Some(Place::Node)
    } else if entry.keywords.iter().chain(&entry.categories).any(|text| has(text)) {
        Some(Place::Keyword)
    } else {
        has(&entry.description).then_some(Place::Description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, description: &str, node: &str) -> SearchEntry {
        SearchEntry {
            name: name.parse().expect("a valid name"),
            version: semver::Version::new(1, 0, 0),
            description: description.to_owned(),
            runtime: pocket_index::manifest::Runtime::Lua,
            nodes: vec![node.parse().expect("a valid node type")],
            categories: Vec::new(),
            keywords: Vec::new(),
        }
    }

    fn names(words: &[&str]) -> Vec<String> {
        let mut entries = vec![
            entry("describes", "talks to Redis", "x"),
            entry("provides", "", "redis-get"),
            entry("redis-cache", "", "y"),
            entry("redis", "", "z"),
        ];
        rank(&mut entries, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        entries.into_iter().map(|entry| entry.name.to_string()).collect()
    }

    #[test]
    fn a_name_ranks_before_a_node_before_a_description() {
        assert_eq!(names(&["Redis"]), ["redis", "redis-cache", "provides", "describes"]);
    }

    #[test]
    fn every_word_must_occur() {
        assert_eq!(names(&["redis", "talks"]), ["describes"]);
        assert_eq!(names(&["mysql"]), Vec::<String>::new());
        assert_eq!(names(&[]).len(), 4);
    }
}
