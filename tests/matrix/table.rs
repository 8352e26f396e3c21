//! The table, and what each of its cells must be.

use pocket::engine::access::Resolver;
use pocket::engine::grants::Word;
use pocket::engine::{CallErrorKind, GrantedWords, Grants};
use serde_json::{Map, Value};

use crate::ACTORS;
use crate::actor::{Actor, Attempt, Refusal, Setup, attempt};
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
        // A WebAssembly plugin can write only where it may also read.
        asked: "read:./out,write:./out",
        used: "out/new.txt",
        gets: "written",
    },
];

/// A plugin that asks for `asked` and is granted `granted`.
pub fn setup(world: &World, attempt: Attempt, asked: &str, granted: &GrantedWords) -> Setup {
    let asked = attempt.asking(&world.fill(asked));
    // Files of a project are named from its folder, wherever the plugin runs.
    let rooted = |entry: &String| match entry.split_once(":./") {
        Some((access, path)) => format!("{access}:{}", world.path(path).display()),
        None => entry.clone(),
    };
    let mut from_root = asked.clone();
    from_root.filesystem = asked.filesystem.iter().map(rooted).collect();
    let grants = Grants::new(&from_root, granted, &Map::new()).expect("they are well-formed");
    let grants = grants.with_base(world.folder.path().to_owned());
    Setup { asked, grants, resolver: Resolver::default() }
}

/// What became of an attempt of a plugin that asks for `asked` and is granted `granted`.
pub fn tried(
    world: &World,
    actor: &dyn Actor,
    (what, asked, used): (Attempt, &str, &str),
    granted: &GrantedWords,
) -> Result<Value, String> {
    let setup = setup(world, what, asked, granted);
    attempt(actor, &setup, what, &world.fill(used)).map_err(|error| {
        let is_denied = error.kind == CallErrorKind::Denied;
        assert!(is_denied || actor.refusal(what) != Refusal::Words, "{} {what:?}: {error}", actor.runtime());
        world.blank(&error.message)
    })
}

/// The attempt was refused as the runtime refuses it.
pub fn assert_refused(actor: &dyn Actor, what: Attempt, used: &str, words: &str, found: Result<Value, String>) {
    let cell = format!("{}, {what:?} of {used}: {found:?}, not {words:?}", actor.runtime());
    match actor.refusal(what) {
        Refusal::Words => assert!(found.is_err_and(|message| message.contains(words)), "{cell}"),
        Refusal::Absence => assert_eq!(found, Ok(Value::Null), "{cell}"),
        Refusal::System(errors) => {
            assert!(found.is_err_and(|message| errors.iter().any(|error| message.contains(error))), "{cell}");
        }
        Refusal::Nowhere => assert!(found.is_err(), "{cell}"),
    }
}

#[test]
fn what_is_asked_for_and_granted_is_allowed() {
    let world = World::new();
    for actor in ACTORS {
        for row in &ROWS {
            // What a permission needs beside its own word: the folder must be readable.
            let granted = GrantedWords::of([row.word, Word::ReadFiles]);
            let found = tried(&world, *actor, (row.attempt, row.asked, row.used), &granted);
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
            if let (Refusal::System(_), Err(message)) = (actor.refusal(row.attempt), &found) {
                let advice = format!("but the permission `{}` was not granted", row.word);
                assert!(message.ends_with(&advice), "{}: {message}", actor.runtime());
            }
            assert_refused(*actor, row.attempt, row.used, &words, found);
        }
    }
}
