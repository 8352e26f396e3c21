//! The format specification's examples are typed into a real shell, and print what stands there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pocket_index::record::{History, Policy, RecoveryOutcome};

const SPECIFICATION: &str = include_str!("../README.md");

/// A block between fences: its language and what stands in it.
struct Block {
    language: &'static str,
    text: &'static str,
}

/// The blocks of the section that starts with this heading, up to the next heading of any depth.
fn blocks(heading: &str) -> Vec<Block> {
    let section = SPECIFICATION.split_once(&format!("\n{heading}\n")).expect("the heading is there").1;
    let mut blocks = Vec::new();
    let mut rest = section;
    while let Some((before, after)) = rest.split_once("\n```") {
        if before.contains("\n## ") || before.contains("\n### ") {
            break;
        }
        let (language, after) = after.split_once('\n').expect("a fence ends its line");
        let (text, after) = after.split_once("\n```").expect("a block is closed");
        blocks.push(Block { language, text });
        rest = after;
    }
    blocks
}

/// What a script prints, errors too, in a folder.
fn shell(script: &str, folder: &Path) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell");
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{script}\n{}\n{}", printed[0], printed[1]);
    printed[1].clone() + &printed[0]
}

#[test]
fn the_archive_of_the_example_has_the_digest_that_stands_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = blocks("### 3.6 Example, to be checked by hand");
    assert_eq!((example[0].language, example[1].language), ("sh", "text"));
    assert_eq!(shell(example[0].text, folder.path()).trim_end(), example[1].text);

    let tree: Vec<_> = blocks("## 4. Tree digest").into_iter().skip(1).collect();
    assert_eq!((tree[0].language, tree[1].language), ("sh", "text"));
    assert_eq!(shell(tree[0].text, &folder.path().join("hello")).trim_end(), tree[1].text);
}

#[test]
fn every_line_of_the_worked_example_prints_what_stands_behind_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = blocks("## 13. A worked example");
    let find = |language: &str, start: &str| {
        let found = example.iter().find(|block| block.language == language && block.text.starts_with(start));
        found.unwrap_or_else(|| panic!("a {language} block that starts with {start}")).text
    };
    fs::write(folder.path().join("hello"), format!("{}\n", find("json", "{\"seq\":0"))).expect("it is written");
    fs::write(folder.path().join("checkpoint"), format!("{}\n", find("text", "example.org/log\n")))
        .expect("it is written");
    let mut compared = 0;
    for block in example.iter().filter(|block| block.language == "sh") {
        let (mut script, mut expected) = (String::new(), String::new());
        for line in block.text.lines() {
            let (command, output) = line.split_once("     # ").unwrap_or((line, ""));
            script.push_str(command);
            script.push('\n');
            if !output.is_empty() {
                expected.push_str(output);
                expected.push('\n');
                compared += 1;
            }
        }
        let printed = shell(&script, folder.path());
        let printed: Vec<_> = printed.lines().map(|line| line.trim_end_matches("  -")).collect();
        assert_eq!(printed, expected.lines().collect::<Vec<_>>(), "{script}");
    }
    assert!(compared >= 12, "{compared} outputs");
}

#[test]
fn the_recovery_of_the_example_holds_and_counts_from_the_second_on_that_stands_there() {
    let example = blocks("## 13. A worked example");
    let before = example.iter().find(|block| block.text.starts_with("{\"seq\":0")).expect("two lines").text;
    let recovery = blocks("### 13.1 A recovery");
    let [keys, line] = &recovery[..] else { panic!("two blocks") };
    let (registry, owner) = keys.text.split_once('\n').expect("two keys");
    let key = |line: &str| line.split_whitespace().last().expect("a key").parse().expect("a key");
    let text = format!("{before}\n{}\n", line.text);
    let name = "hello".parse().expect("a name");
    let history = History::replay(&name, &text, &Policy::new([key(registry)])).expect("every line holds");
    let [recovery] = history.recoveries() else { panic!("one recovery") };
    assert_eq!((recovery.effective, recovery.outcome), (1_790_704_800, RecoveryOutcome::Pending));
    let owners = |at| history.owners_at(at).expect("owned").keys().copied().collect::<Vec<_>>();
    assert_eq!(owners(1_790_704_800), [key(owner)]);
    assert_eq!(owners(1_790_704_799), recovery.before.keys().copied().collect::<Vec<_>>());
}
