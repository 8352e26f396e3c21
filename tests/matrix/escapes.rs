//! What leads past a permission, tried by a plugin that was granted every word.

use pocket::engine::GrantedWords;

use crate::ACTORS;
use crate::actor::{Attempt, Refusal, attempt};
use crate::table::{assert_refused, setup, tried};
use crate::world::World;

/// What is asked for, what is used, and the refusal's words.
const ESCAPES: [(Attempt, &str, &str, &str); 23] = [
    (Attempt::ReadEnv, "CARGO_PKG_NAME", "PATH", ""),
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://127.0.0.2:SECRET/", HTTP_SECRET),
    (
        Attempt::HttpGet,
        "127.0.0.1:OPEN",
        "http://127.0.0.1:SECRET/",
        "used http `127.0.0.1:SECRET`, which its manifest does not ask for",
    ),
    // Other spellings of an address.
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://2130706434:SECRET/", HTTP_SECRET),
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://0x7f.2:SECRET/", HTTP_SECRET),
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://0177.0.0.2:SECRET/", HTTP_SECRET),
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://[::ffff:127.0.0.2]:SECRET/", "which its manifest does not ask for"),
    // Two hosts in one URL: which one counts?
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://127.0.0.2:SECRET/@127.0.0.1:OPEN/", HTTP_SECRET),
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://127.0.0.2:SECRET?@127.0.0.1:OPEN/", HTTP_SECRET),
    // A redirect to a private address.
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://127.0.0.1:OPEN/leave", HTTP_SECRET),
    (Attempt::HttpGet, "*.localhost:OPEN", "http://127.0.0.1:OPEN/", "which its manifest does not ask for"),
    (
        Attempt::Connect,
        "127.0.0.1:OPEN",
        "127.0.0.2:SECRET",
        "used network `127.0.0.2:SECRET`, which its manifest does not ask for",
    ),
    (Attempt::Connect, "127.0.0.1:OPEN", "2130706433:OPEN", "which its manifest does not ask for"),
    (
        Attempt::ReadFile,
        "read:./data",
        "secret.txt",
        "used filesystem `read:secret.txt`, which its manifest does not ask for",
    ),
    (
        Attempt::ReadFile,
        "read:./data",
        "data/../secret.txt",
        "used filesystem `read:data/../secret.txt`, which its manifest does not ask for",
    ),
    (
        Attempt::ReadFile,
        "read:./data",
        "data/up",
        "used filesystem `read:data/up`, which its manifest does not ask for",
    ),
    (
        Attempt::ReadFile,
        "read:./data",
        "data/root/etc/passwd",
        "used filesystem `read:data/root/etc/passwd`, which its manifest does not ask for",
    ),
    (
        Attempt::ReadFile,
        "read:./data",
        "/proc/self/root/etc/passwd",
        "used filesystem `read:/proc/self/root/etc/passwd`, which its manifest does not ask for",
    ),
    (
        Attempt::ReadFile,
        "write:./data",
        "data/a.txt",
        "used filesystem `read:data/a.txt`, which its manifest does not ask for",
    ),
    (
        Attempt::WriteFile,
        "read:./out,write:./out",
        "out/up",
        "used filesystem `write:out/up`, which its manifest does not ask for",
    ),
    (
        Attempt::WriteFile,
        "read:./out",
        "out/new.txt",
        "used filesystem `write:out/new.txt`, which its manifest does not ask for",
    ),
    // A hard link would make a file of the folder out of one that lies elsewhere.
    (Attempt::LinkFile, "read:./out,write:./out", "secret.txt>out/linked", ""),
    (Attempt::LinkFile, "read:./data,read:./out,write:./out", "data/a.txt>out/linked", ""),
];

const HTTP_SECRET: &str = "used http `127.0.0.2:SECRET`, which its manifest does not ask for";

/// Requests that try to make one server answer for another, and the words against them.
const OTHER_HOSTS: [(&str, &str); 5] = [
    ("http://127.0.0.1:OPEN/|Host|127.0.0.2:SECRET", "the header `host` belongs to the connection and cannot be set"),
    ("http://127.0.0.1:OPEN/|hOsT|127.0.0.2:SECRET", "the header `host` belongs to the connection and cannot be set"),
    (
        "http://127.0.0.1:OPEN/|Proxy-Connection|keep-alive",
        "the header `proxy-connection` belongs to the connection and cannot be set",
    ),
    ("http://127.0.0.1:OPEN/|Host :|127.0.0.2", "`Host :` is no header name"),
    (
        "http://127.0.0.1:OPEN@127.0.0.2:SECRET/",
        "`http://127.0.0.2:SECRET/` had a user before its host; send the header `authorization` instead",
    ),
];

#[test]
fn nothing_leads_past_what_is_granted() {
    let world = World::new();
    for actor in ACTORS {
        for (what, asked, used, words) in ESCAPES {
            let found = tried(&world, *actor, (what, asked, used), &GrantedWords::all());
            assert_refused(*actor, what, used, words, found);
        }
    }
    let secret = std::fs::read_to_string(world.path("secret.txt")).expect("it is there");
    assert_eq!(secret, "secret");
    assert!(!world.path("out/linked").exists() && !world.path("out/new.txt").exists());
}

#[test]
fn a_request_goes_to_the_host_of_its_url_whatever_else_it_says() {
    let world = World::new();
    for actor in ACTORS {
        for (used, words) in OTHER_HOSTS {
            let setup = setup(&world, Attempt::HttpGet, "127.0.0.1:OPEN", &GrantedWords::all());
            let found = attempt(*actor, &setup, Attempt::HttpGet, &world.fill(used));
            let message = found.map_err(|error| world.blank(&error.message)).expect_err("it is refused");
            // A script's error also says where.
            assert!(message.starts_with(words), "{} {used}: {message}", actor.runtime());
        }
    }
}

#[test]
fn a_hard_link_in_a_folder_is_a_file_of_the_folder() {
    let world = World::new();
    std::fs::hard_link(world.path("secret.txt"), world.path("data/linked")).expect("the user may");
    for actor in ACTORS {
        let found = tried(&world, *actor, (Attempt::ReadFile, "read:./data", "data/linked"), &GrantedWords::all());
        assert_eq!(found, Ok("secret".into()), "{}: only who may write there made it", actor.runtime());
        assert_ne!(actor.refusal(Attempt::LinkFile), Refusal::Words, "no runtime has links of the host's making");
    }
}
