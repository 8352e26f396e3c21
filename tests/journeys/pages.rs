//! The pages on workflows are typed in: each example gives what stands below it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::{POCKET, Sandbox};

const WORKFLOWS: &str = include_str!("../../docs/workflows.md");

/// The address that stands for a web server on the pages.
const WEB: &str = "http://127.0.0.1:8000";

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// The file that a block shows, if its first line is a comment with a name.
fn file(block: &str) -> Option<&str> {
    let first = block.lines().next()?;
    let name = first.strip_prefix("# ").or_else(|| first.strip_prefix("-- "))?;
    (name.contains('.') && !name.contains(' ')).then_some(name)
}

/// The commands of a block, each with what it prints.
fn commands(block: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, String::new())),
            (None, Some((_, printed))) => *printed += &format!("{line}\n"),
            (None, None) => panic!("a block begins with a command: {block}"),
        }
    }
    commands
}

/// A web server that answers everything with `{"text": "hi"}`.
fn web() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let body = "{\"text\": \"hi\"}";
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    address
}

#[test]
fn every_example_of_the_page_on_workflows_gives_what_stands_below_it() {
    let sandbox = Sandbox::new();
    let web = web();
    sandbox.write("pocket.yaml", "plugins: {security: {allow_exec: true}}\n");
    let (mut written, mut typed) = (0, 0);
    for (language, block) in blocks(WORKFLOWS) {
        if language != "console" {
            if let Some(name) = file(block) {
                sandbox.write(name, block);
                written += 1;
            }
            continue;
        }
        for (command, printed) in commands(block) {
            let ours = command.replacen("pocket", POCKET, 1).replace(WEB, &web);
            let output = sandbox.command("sh").arg("-c").arg(&ours).output().unwrap();
            let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            // Errors are shown with what the standard error says of them.
            let shown = if output.status.success() { stdout.to_string() } else { stderr.to_string() };
            assert_eq!(shown.trim_end(), printed.trim_end(), "$ {command}\n{stderr}");
            typed += 1;
        }
    }
    assert!(written > 15 && typed > 15, "{written} files, {typed} commands");
}
