//! The table, and what each of its cells must be.

use pocket::engine::grants::Word;
use pocket::engine::{CallErrorKind, GrantedWords, Grants};
use pocket_index::permissions::Permissions;
use serde_json::{Map, Value};

use crate::ACTORS;
use crate::actor::{Actor, Attempt, Refusal, attempt};
use crate::world::World;

/// A permission, and an attempt that it allows.
struct Row {
    attempt: Attempt,
    word: Word,
    /// What the manifest asks for.
    asked: &'static str,
    /// What the plugin uses.
    used: &'static str,
    /// What it gets.
    gets: &'static str,
}

const ROWS: [Row; 5] = [
    Row {
        attempt: Attempt::ReadEnv,
        word: Word::ReadEnv,
        asked: "CARGO_PKG_NAME",
        used: "CARGO_PKG_NAME",
        gets: "pocket",
    },
    Row {
        attempt: Attempt::HttpGet,
        word: Word::HttpClient,
        asked: "127.0.0.1:OPEN",
        used: "http://127.0.0.1:OPEN/",
        gets: "open",
    },
    Row {
        attempt: Attempt::Connect,
        word: Word::NetworkAccess,
        asked: "127.0.0.1:OPEN",
        used: "127.0.0.1:OPEN",
        gets: "connected",
    },
    Row { attempt: Attempt::ReadFile, word: Word::ReadFiles, asked: "read:./data", used: "data/a.txt", gets: "hello" },
    Row {
        attempt: Attempt::WriteFile,
        word: Word::WriteFiles,
        asked: "write:./out",
        used: "out/new.txt",
        gets: "written",
    },
];

/// What leads past a permission, for a plugin that has every other one: what is asked for, what is used, and the refusal's words.
const ESCAPES: [(Attempt, &str, &str, &str); 18] = [
    (Attempt::ReadEnv, "CARGO_PKG_NAME", "PATH", ""),
    (
        Attempt::HttpGet,
        "127.0.0.1:OPEN",
        "http://127.0.0.2:SECRET/",
        "used http `127.0.0.2:SECRET`, which its manifest does not ask for",
    ),
    (
        Attempt::HttpGet,
        "127.0.0.1:OPEN",
        "http://127.0.0.1:SECRET/",
        "used http `127.0.0.1:SECRET`, which its manifest does not ask for",
    ),
    (
        Attempt::HttpGet,
        "127.0.0.1:OPEN",
        "http://2130706434:SECRET/",
        "used http `127.0.0.2:SECRET`, which its manifest does not ask for",
    ),
    (
        Attempt::HttpGet,
        "127.0.0.1:OPEN",
        "http://0x7f.2:SECRET/",
        "used http `127.0.0.2:SECRET`, which its manifest does not ask for",
    ),
    (Attempt::HttpGet, "127.0.0.1:OPEN", "http://[::ffff:127.0.0.2]:SECRET/", "which its manifest does not ask for"),
    (
        Attempt::HttpGet,
        "127.0.0.1:OPEN",
        "http://127.0.0.1:OPEN/leave",
        "used http `127.0.0.2:SECRET`, which its manifest does not ask for",
    ),
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
        "write:./out",
        "out/up",
        "used filesystem `write:out/up`, which its manifest does not ask for",
    ),
    (
        Attempt::WriteFile,
        "read:./out",
        "out/new.txt",
        "used filesystem `write:out/new.txt`, which its manifest does not ask for",
    ),
];

fn asking(attempt: Attempt, what: String) -> Permissions {
    let mut asked = Permissions::default();
    match attempt {
        Attempt::ReadEnv => asked.env.push(what),
        Attempt::HttpGet => asked.http.push(what),
        Attempt::Connect => asked.network.push(what),
        Attempt::ReadFile | Attempt::WriteFile => asked.filesystem.push(what),
    }
    asked
}

fn grants(world: &World, asked: &Permissions, granted: &GrantedWords) -> Grants {
    // Files of a project are named from its folder, wherever the plugin runs.
    let rooted = |entry: &String| match entry.split_once(":./") {
        Some((access, path)) => format!("{access}:{}", world.path(path).display()),
        None => entry.clone(),
    };
    let asked = Permissions { filesystem: asked.filesystem.iter().map(rooted).collect(), ..asked.clone() };
    let grants = Grants::new(&asked, granted, &Map::new()).expect("they are well-formed");
    grants.with_base(world.folder.path().to_owned())
}

/// What became of an attempt of a plugin that asks for `asked` and is granted `granted`.
fn tried(
    world: &World,
    actor: &dyn Actor,
    row: (Attempt, &str, &str),
    granted: &GrantedWords,
) -> Result<Value, String> {
    let (what, asked, used) = row;
    let asked = if asked.is_empty() { Permissions::default() } else { asking(what, world.fill(asked)) };
    let grants = grants(world, &asked, granted);
    attempt(actor, &asked, grants, what, &world.fill(used)).map_err(|error| {
        assert!(
            error.kind == CallErrorKind::Denied || actor.refusal(what) == Refusal::Nowhere,
            "{} {what:?}: {:?}: {error}",
            actor.runtime(),
            error.kind
        );
        world.blank(&error.message)
    })
}

fn assert_refused(actor: &dyn Actor, what: Attempt, used: &str, words: &str, found: Result<Value, String>) {
    let cell = format!("{}, {what:?} of {used}: {found:?}, not {words:?}", actor.runtime());
    match actor.refusal(what) {
        Refusal::Words => assert!(found.is_err_and(|message| message.contains(words)), "{cell}"),
        Refusal::Absence => assert_eq!(found, Ok(Value::Null), "{cell}"),
        Refusal::Nowhere => assert!(found.is_err(), "{cell}"),
    }
}

#[test]
fn what_is_asked_for_and_granted_is_allowed() {
    let world = World::new();
    for actor in ACTORS {
        for row in &ROWS {
            let found = tried(&world, *actor, (row.attempt, row.asked, row.used), &GrantedWords::of([row.word]));
            match actor.refusal(row.attempt) {
                Refusal::Nowhere => assert!(found.is_err(), "{} {:?}", actor.runtime(), row.attempt),
                _ => assert_eq!(found, Ok(Value::from(row.gets)), "{} {:?}", actor.runtime(), row.attempt),
            }
        }
    }
}

#[test]
fn what_is_not_asked_for_is_refused_whatever_is_granted() {
    let world = World::new();
    for actor in ACTORS {
        for row in &ROWS {
            let found = tried(&world, *actor, (row.attempt, "", row.used), &GrantedWords::all());
            let words = format!("which its manifest does not ask for under `permissions.{}`", row.word.field());
            assert_refused(*actor, row.attempt, row.used, &words, found);
        }
    }
}

#[test]
fn what_is_not_granted_is_refused_although_everything_else_is() {
    let world = World::new();
    for actor in ACTORS {
        for row in &ROWS {
            let others = GrantedWords::of(Word::ALL.into_iter().filter(|word| *word != row.word));
            let found = tried(&world, *actor, (row.attempt, row.asked, row.used), &others);
            let words = format!("which its manifest asks for but the permission `{}` was not granted", row.word);
            assert_refused(*actor, row.attempt, row.used, &words, found);
        }
    }
}

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
}
