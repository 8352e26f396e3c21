//! What the reader takes and a workflow must not have: keys that a mapping has twice, and whole numbers that do not fit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Kind, Yaml};
use crate::workflow::problem::{Problem, Problems, Severity};
use crate::workflow::source::SourceText;

/// Up to so many keys are compared with each other sooner than they are hashed.
const FEW: usize = 16;

/// Every key that its mapping has already, and every whole number that was read as a fraction because it has more than 64 bits: its
/// digits would change without a word.
pub fn suspicious(tree: &Yaml, source: &Arc<SourceText>, problems: &mut Problems) {
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
            Kind::Number(number) if number.is_f64() => {
                let text = source.text().get(value.span.clone()).unwrap_or_default();
                let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
                if digits.len() > 18
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                    && told.insert(value.span.start)
                {
                    let message = format!("the whole number `{:.40}` has more than 64 bits", text);
                    let help = Some("write it as a text, in quotes");
                    problems.add(Severity::Error, || {
                        Problem::new(Severity::Error, source, value.span.clone(), message).help(help)
                    });
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
        suspicious(&parse(&source).unwrap(), &source, &mut problems);
        let found: Vec<_> =
            problems.sorted().iter().map(|found| (found.line, found.column, found.message.clone())).collect();
        let twice = |key: &str| format!("the key `{key}` is there twice");
        assert_eq!(found, [(2, 20, twice("x")), (3, 1, twice("a"))]);
    }

    #[test]
    fn a_whole_number_that_would_be_rounded_is_refused() {
        let text = "a: 18446744073709551615\nb: [-9223372036854775808, 1e30, 1234567890.5]\nc: 18446744073709551616\nd: \"99999999999999999999\"\n";
        let source = Arc::new(SourceText::new("w.yaml", text));
        let mut problems = Problems::default();
        suspicious(&parse(&source).unwrap(), &source, &mut problems);
        let found: Vec<_> = problems.iter().map(|found| (found.line, found.message.as_str())).collect();
        assert_eq!(found, [(3, "the whole number `18446744073709551616` has more than 64 bits")]);
    }
}
