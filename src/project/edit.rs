//! Changes to `plugins.dependencies` that leave everything else in `pocket.yaml` as it is.

use pocket_index::name::{PluginName, RegistryName};
use yaml_edit::{Document, Mapping, YamlFile};

use super::manifest::{Dependency, DependencySource, ProjectManifest, RegistrySettings, Signing};
use super::yaml::{ManifestError, is_blank};

/// Why a change was not made. The text is left as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EditError {
    /// The file cannot be read as it is.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The dependency is not there.
    #[error("`{0}` is not among `plugins.dependencies`")]
    NotThere(PluginName),
    /// The file is written in a way that cannot be changed without touching something else.
    #[error("cannot change this file without touching more than `{name}`; {by_hand}")]
    Unusual {
        /// The dependency or registry.
        name: String,
        /// What to do instead.
        by_hand: String,
    },
}

/// Adds a dependency, or replaces the one of that name. Makes `plugins:` and `dependencies:` where they are missing.
///
/// # Errors
/// The text is no `pocket.yaml`, or the change would touch something else.
pub fn set_dependency(text: &str, name: &PluginName, dependency: &Dependency) -> Result<String, EditError> {
    let mut expected = ProjectManifest::parse(text)?;
    expected.plugins.dependencies.insert(name.clone(), dependency.clone());
    let edited = if is_blank(text) { set(&with_mapping(text), name, dependency) } else { set(text, name, dependency) };
    let by_hand = || format!("add this line to `plugins.dependencies`: `{name}: {}`", flow(dependency));
    checked(text, edited, &expected, name.as_str(), by_hand)
}

/// Removes a dependency.
///
/// # Errors
/// The text is no `pocket.yaml`, the dependency is not there, or the change would touch something else.
pub fn remove_dependency(text: &str, name: &PluginName) -> Result<String, EditError> {
    let mut expected = ProjectManifest::parse(text)?;
    if expected.plugins.dependencies.remove(name).is_none() {
        return Err(EditError::NotThere(name.clone()));
    }
    checked(text, remove(text, name), &expected, name.as_str(), || "remove its lines by hand".to_owned())
}

/// Adds a registry, where none of that name is there yet.
///
/// # Errors
/// The text is no `pocket.yaml`, or the change would touch something else.
pub fn set_registry(text: &str, name: &RegistryName, url: &str) -> Result<String, EditError> {
    let mut expected = ProjectManifest::parse(text)?;
    let settings = RegistrySettings {
        url: url.to_owned(),
        signing: Signing::OnFirstUse,
        min_release_age: None,
        max_age: None,
        max_unpacked: None,
    };
    if expected.registries.contains_key(name) {
        return Ok(text.to_owned());
    }
    let is_first = expected.registries.is_empty();
    expected.registries.insert(name.clone(), settings);
    let edited = if is_first { Some(with_first_registry(text, name, url)) } else { add_registry(text, name, url) };
    checked(text, edited, &expected, name.as_str(), || format!("add this line to `registries`: `{name}: {url}`"))
}

fn with_first_registry(text: &str, name: &RegistryName, url: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}registries:\n  {name}: {}\n", quoted(url))
}

fn add_registry(text: &str, name: &RegistryName, url: &str) -> Option<String> {
    let file: YamlFile = text.parse().ok()?;
    let root = file.document()?.as_mapping()?;
    set_text(&child(&root, "registries")?, name.as_str(), url);
    Some(with_line_ends_of(text, file.to_string()))
}

/// Passes a change on only if it says what it should, and every comment is still there.
fn checked(
    text: &str,
    edited: Option<String>,
    expected: &ProjectManifest,
    name: &str,
    by_hand: impl Fn() -> String,
) -> Result<String, EditError> {
    let keeps_comments = |edited: &str| {
        let mut left = comments(edited);
        comments(text).into_iter().all(|comment| {
            let found = left.iter().position(|other| *other == comment);
            found.map(|position| left.remove(position)).is_some()
        })
    };
    let is_right = |edited: &String| ProjectManifest::parse(edited).as_ref() == Ok(expected) && keeps_comments(edited);
    edited.filter(is_right).ok_or_else(|| EditError::Unusual { name: name.to_owned(), by_hand: by_hand() })
}

/// A file of comments, with the mapping that is missing.
fn with_mapping(text: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}plugins:\n  dependencies:\n")
}

/// A dependency in one line of YAML.
fn flow(dependency: &Dependency) -> String {
    let requirement = dependency.requirement.to_string();
    match &dependency.source {
        DependencySource::Registry(None) => quoted(&requirement),
        DependencySource::Registry(Some(registry)) => {
            format!("{{ version: {}, registry: {registry} }}", quoted(&requirement))
        }
        DependencySource::Release(repository) => {
            format!("{{ release: {}, version: {} }}", quoted(&repository.to_string()), quoted(&requirement))
        }
        DependencySource::Path(path) => format!("{{ path: {}{} }}", quoted(path), version(&requirement)),
        DependencySource::Url { url, sha256 } => {
            let digest = sha256.map(|digest| format!(", sha256: {}", quoted(&digest.to_string()))).unwrap_or_default();
            format!("{{ url: {}{digest}{} }}", quoted(url), version(&requirement))
        }
    }
}

/// A further key for a place that any version may come from.
fn version(requirement: &str) -> String {
    if requirement == "*" { String::new() } else { format!(", version: {}", quoted(requirement)) }
}

/// JSON's way of writing a text is one of YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// None where the file's shape is not one that can be changed.
fn set(text: &str, name: &PluginName, dependency: &Dependency) -> Option<String> {
    let file: YamlFile = text.parse().ok()?;
    let root = file.document()?.as_mapping()?;
    let dependencies = child(&child(&root, "plugins")?, "dependencies")?;
    let requirement = dependency.requirement.to_string();
    let old = ProjectManifest::parse(text).ok()?.plugins.dependencies.remove(name);
    let is_same_place = old.is_some_and(|old| old.source == dependency.source);
    let before = dependencies.get(name.as_str());
    match before.as_ref().and_then(|node| node.as_mapping()) {
        Some(detailed) if is_same_place => set_text(detailed, "version", &requirement),
        _ if dependency.source == DependencySource::Registry(None) => {
            set_text(&dependencies, name.as_str(), &requirement)
        }
        _ => {
            let detailed: Document = flow(dependency).parse().ok()?;
            dependencies.set(name.as_str(), detailed.as_mapping()?);
        }
    }
    Some(with_line_ends_of(text, file.to_string()))
}

/// The mapping at `key`; made where nothing, or `{}`, stands.
fn child(parent: &Mapping, key: &str) -> Option<Mapping> {
    if parent.get_mapping(key).is_none_or(|mapping| mapping.is_empty()) {
        parent.set(key, Mapping::new());
    }
    parent.get_mapping(key)
}

/// Sets a text, in the quotes of the one that stood there.
fn set_text(mapping: &Mapping, key: &str, text: &str) {
    let before = mapping.get(key);
    let scalar = before.as_ref().and_then(|node| node.as_scalar());
    match scalar.map(|scalar| (scalar, scalar.value())) {
        Some((scalar, old)) if old.starts_with('"') => scalar.set_value(&format!("\"{text}\"")),
        Some((scalar, old)) if old.starts_with('\'') => scalar.set_value(&format!("'{text}'")),
        _ => mapping.set(key, text),
    }
}

fn remove(text: &str, name: &PluginName) -> Option<String> {
    let file: YamlFile = text.parse().ok()?;
    let root = file.document()?.as_mapping()?;
    root.get_mapping("plugins")?.get_mapping("dependencies")?.remove(name.as_str())?;
    // Where only comments are left, `yaml-edit` puts `{}` on a line of its own; nothing at all says the same.
    let edited = with_line_ends_of(text, file.to_string());
    Some(edited.split_inclusive('\n').filter(|line| line.trim() != "{}").collect())
}

/// New lines end as the others do.
fn with_line_ends_of(text: &str, edited: String) -> String {
    if text.contains("\r\n") { edited.replace("\r\n", "\n").replace('\n', "\r\n") } else { edited }
}

/// The comments that stand on lines of their own. One behind a value goes with the value.
fn comments(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> PluginName {
        text.parse().unwrap()
    }

    fn added(text: &str, plugin: &str, requirement: &str) -> String {
        set_dependency(text, &name(plugin), &Dependency::new(requirement.parse().unwrap())).unwrap()
    }

    const FILE: &str = "\
# What this project needs.
plugins:
  dependencies:
    # Where we are.
    geo: \"^1.2\"   # pinned by the map team
    weather: { version: ^2, registry: corp }

  # Settings come last.
  config:
    geo: { key: '${KEY}' }
log_level: info # for now
";

    #[test]
    fn a_dependency_is_added_below_the_others() {
        assert_snapshot!(added(FILE, "redis-cache", ">=1, <3"), @r#"
        # What this project needs.
        plugins:
          dependencies:
            # Where we are.
            geo: "^1.2"   # pinned by the map team
            weather: { version: ^2, registry: corp }
            redis-cache: '>=1, <3'

          # Settings come last.
          config:
            geo: { key: '${KEY}' }
        log_level: info # for now
        "#);
    }

    #[test]
    fn a_dependency_is_changed_where_it_stands() {
        let text = added(FILE, "geo", "^2");
        assert_eq!(text, FILE.replace("^1.2", "^2"));
        let weather = ProjectManifest::parse(FILE).unwrap().plugins.dependencies["weather"].clone();
        let newer = Dependency { requirement: "^3".parse().unwrap(), ..weather };
        assert_eq!(set_dependency(FILE, &name("weather"), &newer), Ok(FILE.replace("^2", "^3")));
    }

    #[test]
    fn a_removed_dependency_takes_its_line_and_nothing_else() {
        let text = remove_dependency(FILE, &name("geo")).unwrap();
        assert_eq!(text, FILE.replace("    geo: \"^1.2\"   # pinned by the map team\n", ""));
        assert_eq!(remove_dependency(&text, &name("geo")), Err(EditError::NotThere(name("geo"))));
    }

    #[test]
    fn adding_and_removing_leaves_the_file_as_it_was() {
        for text in
            [FILE, &FILE.replace("  ", "    "), &FILE.replace('\n', "\r\n"), "plugins:\n  dependencies: {a: ^1}\n"]
        {
            let there = added(text, "redis-cache", "*");
            assert_eq!(remove_dependency(&there, &name("redis-cache")).as_deref(), Ok(text));
        }
    }

    #[test]
    fn missing_keys_are_made() {
        let files = [
            "",
            "# mine",
            "log_level: info\n",
            "plugins:\n  autoload: true # yes\n# end\n",
            "plugins:\n",
            "---\nplugins: {}\n",
        ];
        let all: Vec<_> = files.iter().map(|text| added(text, "geo", "^1")).collect();
        assert_snapshot!(all.join("=====\n"), @"
        plugins:
          dependencies:
            geo: ^1
        =====
        # mine
        plugins:
          dependencies:
            geo: ^1
        =====
        log_level: info
        plugins:
          dependencies:
            geo: ^1
        =====
        plugins:
          autoload: true # yes
          dependencies:
            geo: ^1
        # end
        =====
        plugins:
          dependencies:
            geo: ^1
        =====
        ---
        plugins:
          dependencies:
            geo: ^1
        ");
    }

    #[test]
    fn every_source_can_be_written() {
        let sha256 = Some("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap());
        let url = "https://example.com/a.tar.gz".to_owned();
        let sources = [
            DependencySource::Registry(Some(("corp").parse().unwrap())),
            DependencySource::Url { url: url.clone(), sha256: None },
            DependencySource::Url { url, sha256 },
            DependencySource::Path("./a b".to_owned()),
            DependencySource::Release("github.com/example/geo".parse().unwrap()),
        ];
        for source in sources {
            for file in [FILE, ""] {
                let dependency = Dependency { requirement: "^1".parse().unwrap(), source: source.clone() };
                let text = set_dependency(file, &name("geo"), &dependency).unwrap();
                assert_eq!(ProjectManifest::parse(&text).unwrap().plugins.dependencies["geo"], dependency);
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_touched() {
        let error = set_dependency("plugins: [", &name("geo"), &Dependency::new("^1".parse().unwrap())).unwrap_err();
        assert!(matches!(error, EditError::Manifest(ManifestError { line: 1, .. })), "{error}");
    }

    #[test]
    fn unusual_shapes_are_changed_as_well() {
        let files = [
            "plugins: &shared\n  dependencies: {}\n",
            "{ plugins: { dependencies: { a: ^1 } }, log_level: info }\n",
            "\"plugins\":\n  'dependencies':\n    \"a\": ^1",
            "plugins: {\n  autoload: true\n}\n",
        ];
        for file in files {
            let edited = added(file, "geo", "^1");
            assert!(ProjectManifest::parse(&edited).unwrap().plugins.dependencies.contains_key("geo"), "{edited}");
        }
    }

    #[test]
    fn a_change_that_loses_a_comment_is_not_made() {
        let expected = ProjectManifest::parse(FILE).unwrap();
        let lossy = FILE.replace("# Where we are.", "");
        let refused = checked(FILE, Some(lossy), &expected, "geo", || "change it by hand".to_owned());
        assert_snapshot!(refused.unwrap_err(), @"
        cannot change this file without touching more than `geo`; change it by hand
        ");
        let other = FILE.replace("^1.2", "^1.3");
        assert!(checked(FILE, Some(other), &expected, "geo", String::new).is_err());
    }

    /// Files of the shapes that people write.
    fn files() -> impl Strategy<Value = String> {
        let entry = prop_oneof![
            Just("a: ^1"),
            Just("b: '^2' # why"),
            Just("c: \"*\""),
            Just("# between"),
            Just("d: { version: ^1, registry: corp }"),
            Just(""),
        ];
        let entries = prop::collection::btree_set(entry, 0..6);
        (entries, 1..5usize, any::<[bool; 4]>()).prop_map(|(entries, indent, [head, tail, before, windows])| {
            let pad = " ".repeat(indent);
            let mut lines: Vec<String> = Vec::new();
            lines.extend(head.then(|| "# head".to_owned()));
            lines.push("plugins: # here".to_owned());
            lines.extend(before.then(|| format!("{pad}autoload: true")));
            lines.push(format!("{pad}dependencies:"));
            lines.extend(entries.iter().map(|entry| format!("{pad}{pad}{entry}").trim_end().to_owned()));
            lines.extend(tail.then(|| "# tail\nlog_level: info".to_owned()));
            let text = lines.join("\n") + "\n";
            if windows { text.replace('\n', "\r\n") } else { text }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_addition_adds_one_line_and_changes_no_other(text in files()) {
            let edited = added(&text, "zeta", ">=1, <2");
            let mut lines: Vec<_> = edited.lines().collect();
            let at = lines.iter().position(|line| line.trim_start().starts_with("zeta:")).unwrap();
            lines.remove(at);
            prop_assert_eq!(lines, text.lines().collect::<Vec<_>>());
            prop_assert_eq!(edited.contains("\r\n"), text.contains("\r\n"));
        }

        #[test]
        fn a_removal_removes_one_line_and_keeps_the_others(text in files(), number in 0..4usize) {
            let plugin = name(["a", "b", "c", "d"][number]);
            if let Ok(edited) = remove_dependency(&text, &plugin) {
                let lines = text.lines().filter(|line| !line.trim_start().starts_with(&format!("{plugin}:")));
                // The last one leaves `{}` or nothing, and takes a blank line above it along.
                let edited = edited.replace("dependencies: {}", "dependencies:");
                let filled = |line: &&str| !line.is_empty();
                prop_assert_eq!(edited.lines().filter(filled).collect::<Vec<_>>(), lines.filter(filled).collect::<Vec<_>>());
            }
        }
    }
}
