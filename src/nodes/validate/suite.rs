//! The official JSON Schema test suite, for the drafts that the node promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::options;
use crate::nodes::suites;

/// Cases that come out otherwise here, each with the reason. One that starts to come out right is an error too.
const DEVIATIONS: [(&str, &str); 0] = [];

/// A draft of the suite with its name in `$schema`.
const DRAFTS: [(&str, jsonschema::Draft); 2] =
    [("draft2020-12", jsonschema::Draft::Draft202012), ("draft7", jsonschema::Draft::Draft7)];

/// Schemas that others refer to, by address.
#[derive(Clone, Default)]
struct Others(BTreeMap<String, Value>);

impl jsonschema::Retrieve for Others {
    fn retrieve(&self, uri: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        self.0.get(uri.as_str()).cloned().ok_or_else(|| format!("the suite has no `{uri}`").into())
    }
}

/// What the suite's schemas refer to, under the addresses that they use.
fn remotes(folder: &Path, prefix: &str, found: &mut Others) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            remotes(&path, &format!("{prefix}{name}/"), found);
        } else {
            found.0.insert(format!("{prefix}{name}"), suites::json(&path));
        }
    }
}

#[test]
fn the_official_suite_of_json_schema_passes() {
    let suite = suites::folder("json-schema");
    let mut others = Others::default();
    remotes(&suite.join("remotes"), "http://localhost:1234/", &mut others);
    let (mut count, mut wrong) = (0, BTreeSet::new());
    for (name, draft) in DRAFTS {
        let files = std::fs::read_dir(suite.join("tests").join(name)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            for group in suites::json(&file).as_array().unwrap() {
                // A schema that names a meta-schema of its own is read by that one's rules only if it is registered.
                let schema = &group["schema"];
                let address = schema["$id"].as_str().unwrap_or("json-schema:///");
                let registry = jsonschema::Registry::new().retriever(others.clone()).draft(draft);
                let registry = registry.add(address, schema).and_then(|registry| registry.prepare()).unwrap();
                let validator = options().with_draft(draft).with_registry(&registry).build(schema);
                for test in group["tests"].as_array().unwrap() {
                    count += 1;
                    let is_valid = validator.as_ref().is_ok_and(|validator| validator.is_valid(&test["data"]));
                    if validator.is_err() || is_valid != test["valid"] {
                        let text = |value: &Value| value.as_str().unwrap().to_owned();
                        wrong.insert(format!(
                            "{name}/{stem}/{}/{}",
                            text(&group["description"]),
                            text(&test["description"])
                        ));
                    }
                }
            }
        }
    }
    assert!(count > 2000, "only {count} cases");
    let expected: BTreeSet<String> = DEVIATIONS.iter().map(|(case, _)| (*case).to_owned()).collect();
    assert_eq!(wrong, expected, "left: what comes out otherwise than the suite says; right: what is known of that");
}
