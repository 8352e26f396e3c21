//! The compliance suite of JSONPath.

use std::collections::BTreeSet;

use serde_json::Value;

use super::compile;
use crate::nodes::suites;

/// Cases that come out otherwise here, each with the reason. One that starts to come out right is an error too.
const DEVIATIONS: [(&str, &str); 0] = [];

fn is_right(case: &Value) -> bool {
    let selector = case["selector"].as_str().unwrap();
    let Ok(path) = compile(selector) else { return case["invalid_selector"] == true };
    if case["invalid_selector"] == true {
        return false;
    }
    let found: Value = path.query(&case["document"]).all().into_iter().cloned().collect();
    match case["results"].as_array() {
        Some(results) => results.contains(&found),
        None => case["result"] == found,
    }
}

#[test]
fn the_compliance_suite_of_jsonpath_passes() {
    let folder = suites::folder("node_modules/jsonpath-rfc9535/src/__tests__/jsonpath-compliance-test-suite");
    let suite = suites::json(&folder.join("cts.json"));
    let cases = suite["tests"].as_array().unwrap();
    assert!(cases.len() > 600, "only {} cases", cases.len());
    let wrong = cases.iter().filter(|case| !is_right(case)).map(|case| case["name"].as_str().unwrap().to_owned());
    let expected: BTreeSet<String> = DEVIATIONS.iter().map(|(case, _)| (*case).to_owned()).collect();
    let wrong: BTreeSet<String> = wrong.collect();
    assert_eq!(wrong, expected, "left: what comes out otherwise than the suite says; right: what is known of that");
}
