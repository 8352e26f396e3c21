//! Keys that a mapping has twice: all of them, where the reader would stop at the first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Kind, Yaml};
use crate::workflow::problem::{Problem, Problems, Severity};
use crate::workflow::source::SourceText;

/// Up to so many keys are compared with each other sooner than they are hashed.
const FEW: usize = 16;

/// Every key that its mapping has already.
pub fn repeated_keys(tree: &Yaml, source: &Arc<SourceText>, problems: &mut Problems) {
    let mut told = HashSet::new();
    let mut open = vec![tree];
    while let Some(value) = open.pop() {
        match &value.kind {
            Kind::List(items) => open.extend(items),
            Kind::Map(entries) => {
                let mut seen = HashMap::new();
                for (index, (key, value)) in entries.iter().enumerate() {
                    open.push(value);
                    let first = if entries.len() <= FEW {
                        entries[..index]
                            .iter()
                            .find(|(other, _)| other.text == key.text)
                            .map_or(key, |(other, _)| other)
                            .span
                            .start
                    } else {
                        *seen.entry(key.text.as_str()).or_insert(key.span.start)
                    };
                    // What an alias repeats stands in the file once.
                    if first != key.span.start && told.insert(key.span.start) {
                        let line = source.position(first).line;
                        let help = Some(format!("the first one stands in line {line}"));
                        let message = format!("the key `{}` is there twice", key.text);
                        let problem = || Problem::new(Severity::Error, source, key.span.clone(), message).help(help);
                        problems.add(Severity::Error, problem);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::value::parse;

    #[test]
    fn every_repeated_key_is_found_where_it_stands() {
        let source = SourceText::new("w.yaml", "a: 1\nb: &b {x: 1, y: 2, x: 3}\na: 3\nc: *b\nd: {<<: {x: 1}, x: 2}\n");
        let source = Arc::new(source);
        let mut problems = Problems::default();
        repeated_keys(&parse(&source).unwrap(), &source, &mut problems);
        let found: Vec<_> =
            problems.sorted().iter().map(|found| (found.line, found.column, found.message.clone())).collect();
        let twice = |key: &str| format!("the key `{key}` is there twice");
        assert_eq!(found, [(2, 20, twice("x")), (3, 1, twice("a"))]);
    }
}
