use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::fixture::Fixture;
use super::*;
use crate::digest::Digest;

fn entry(path: &str, content: &str) -> Entry {
    Entry { path: path.parse().expect(path), executable: false, content: content.as_bytes().to_vec() }
}

/// A small plugin, the manifest first.
fn plugin() -> Vec<Entry> {
    let manifest = "name: hello\nversion: 1.0.0\nruntime: lua\nbinary: bin/hello.lua\n";
    let script = Entry { executable: true, ..entry("bin/hello.lua", "return 1\n") };
    vec![entry(MANIFEST, manifest), script]
}

fn packed(entries: &[Entry]) -> Vec<u8> {
    pack(entries, &Limits::default()).expect("the entries are fine")
}

fn read_default(bytes: &[u8]) -> Result<Archive, ArchiveError> {
    read(bytes, &Limits::default())
}

fn unzipped(archive: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut tar).expect("it is gzip");
    tar
}

fn fixtures() -> Vec<(String, Fixture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/archives");
    let mut fixtures: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| {
            let path = file.expect("it can be listed").path();
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("it can be read");
            let fixture = Fixture::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, fixture)
        })
        .collect();
    fixtures.sort_by(|one, other| one.0.cmp(&other.0));
    fixtures
}

/// The variants of an error, by the words at the start of its definition's lines.
fn variants(source: &str, type_name: &str) -> BTreeSet<String> {
    let body = source.split_once(&format!("pub enum {type_name} {{")).expect("the type is there").1;
    let body = body.split_once("\n}").expect("the type ends").0;
    let word = |line: &str| {
        let line = line.strip_prefix("    ").filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))?;
        line.split([' ', ',', '(']).next().map(str::to_owned)
    };
    body.lines().filter_map(word).collect()
}

#[test]
fn every_hostile_archive_is_refused_in_its_own_words() {
    let mut wrong = Vec::new();
    for (name, fixture) in fixtures() {
        let refusal = read(fixture.archive.as_slice(), &fixture.limits).err().map(|error| error.to_string());
        if refusal != fixture.refusal {
            wrong.push(format!("{name}: {}", refusal.as_deref().unwrap_or("accepted")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_refusal_has_a_fixture() {
    let (mut archive, mut path) = (BTreeSet::new(), BTreeSet::new());
    for (_, fixture) in fixtures() {
        if let Err(error) = read(fixture.archive.as_slice(), &fixture.limits) {
            let word = |debug: String| debug.split([' ', '(']).next().unwrap_or_default().to_owned();
            archive.insert(word(format!("{error:?}")));
            if let ArchiveError::Path { source, .. } = error {
                path.insert(word(format!("{source:?}")));
            }
        }
    }
    let mut expected = variants(include_str!("error.rs"), "ArchiveError");
    // The reader's input failed; what the manifest says is another room's question.
    for other in ["Io", "Manifest", "FileMissing"] {
        assert!(expected.remove(other), "{other}");
    }
    assert_eq!(archive, expected);
    assert_eq!(path, variants(include_str!("path.rs"), "PathError"));
}

#[test]
fn what_is_packed_is_read_again_in_canonical_form() {
    let bytes = packed(&plugin());
    let archive = read_default(&bytes).expect("it was just packed");
    assert!(archive.is_canonical(&bytes));
    assert_eq!(
        archive.entries().iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(),
        ["bin/hello.lua", MANIFEST]
    );
    assert!(archive.entries()[0].executable && !archive.entries()[1].executable);
    assert_eq!(archive.manifest().expect("it is complete").name.as_str(), "hello");
    assert_eq!(archive.tree(), TreeDigest::of(&plugin()));
    assert_eq!(archive.unpacked(), 71);
}

#[test]
fn the_order_of_the_entries_does_not_change_a_byte() {
    let mut turned = plugin();
    turned.reverse();
    assert_eq!(packed(&plugin()), packed(&turned));
}

#[test]
fn an_archive_made_by_hand_installs_and_is_not_canonical() {
    let accepted: Vec<_> = fixtures().into_iter().filter(|(_, fixture)| fixture.refusal.is_none()).collect();
    assert!(!accepted.is_empty());
    for (name, fixture) in accepted {
        let archive =
            read(fixture.archive.as_slice(), &fixture.limits).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!archive.is_canonical(&fixture.archive), "{name}");
        // Packed again it is.
        let again = packed(archive.entries());
        assert!(is_canonical(&again, &Limits::default()).expect("it was just packed"), "{name}");
    }
}

#[test]
fn a_stock_reader_sees_the_same_files() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(100));
    let longer = format!("{}/{}.txt", "é".repeat(100), "ü".repeat(60));
    let mut entries = plugin();
    entries.extend([entry(&long, "1"), entry(&longer, "2"), entry("naïve.txt", &"3".repeat(513))]);
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let tar = unzipped(&packed(&entries));
    let mut stock = tar::Archive::new(tar.as_slice());
    let seen: Vec<_> = stock
        .entries()
        .expect("it starts like tar")
        .map(|file| {
            let mut file = file.expect("it goes on like tar");
            let path = String::from_utf8(file.path_bytes().into_owned()).expect("it is UTF-8");
            let mut content = Vec::new();
            file.read_to_end(&mut content).expect("it is whole");
            Entry { executable: file.header().mode().expect("a mode") & 0o100 != 0, ..entry(&path, "") }.with(content)
        })
        .collect();
    assert_eq!(seen, entries);
}

impl Entry {
    fn with(self, content: Vec<u8>) -> Self {
        Self { content, ..self }
    }
}

#[test]
fn packing_refuses_what_reading_refuses() {
    let refusal =
        |entries: &[Entry], limits: Limits| pack(entries, &limits).map(|_| ()).expect_err("it is refused").to_string();
    let limits = Limits::default();
    let with = |more: &[Entry]| [plugin(), more.to_vec()].concat();
    insta::assert_snapshot!(refusal(&[entry("a", "")], limits), @"the archive has no `manifest.yaml` in its root");
    insta::assert_snapshot!(refusal(&with(&[entry("A", ""), entry("a", "")]), limits), @"entries `a` and `A` are the same on file systems that ignore case or Unicode's spellings");
    insta::assert_snapshot!(refusal(&with(&[entry("bin", "")]), limits), @"`bin` is a file and a folder at once");
    insta::assert_snapshot!(refusal(&plugin(), Limits { entries: 1, ..limits }), @"the archive has more than 1 entries");
    insta::assert_snapshot!(refusal(&plugin(), Limits { unpacked: 70, ..limits }), @"entry `bin/hello.lua` would bring the unpacked files to 71 bytes, at most 70 are allowed");
    insta::assert_snapshot!(refusal(&plugin(), Limits { archive: 9, ..limits }), @"the archive has more than 9 bytes");
    insta::assert_snapshot!(refusal(&[entry(MANIFEST, &"#".repeat((1 << 20) + 1))], limits), @"`manifest.yaml` has 1048577 bytes, at most 1048576 are allowed");
}

#[test]
fn the_files_that_the_manifest_names_are_there() {
    let refusal = |from: &str, to: &str| {
        let manifest = String::from_utf8(plugin()[0].content.clone()).expect("it is UTF-8").replace(from, to);
        let archive =
            read_default(&packed(&[entry(MANIFEST, &manifest), plugin()[1].clone()])).expect("the archive is fine");
        archive.manifest().expect_err("the manifest is not").to_string()
    };
    insta::assert_snapshot!(refusal("bin/", "lib/"), @"`manifest.yaml` names the binary `lib/hello.lua`, which is not in the archive");
    insta::assert_snapshot!(refusal("runtime: lua\nbinary: bin", "runtime: native\nbinary:\n  a-b: x\n  c-d: y\n#"), @"`manifest.yaml` names the binary `x`, `y`, which is not in the archive");
    insta::assert_snapshot!(refusal("runtime", "readme: README.md\nruntime"), @"`manifest.yaml` names the readme `README.md`, which is not in the archive");
    insta::assert_snapshot!(refusal("1.0.0", "1"), @"`manifest.yaml`: line 2, column 10: `version`: expected a text, found the number `1`; write it in quotes");
}

#[test]
fn every_flipped_bit_is_refused_or_changes_nothing() {
    let archive = packed(&plugin());
    let original = read_default(&archive).expect("it was just packed");
    for at in 0..archive.len() {
        for bit in 0..8 {
            let mut mangled = archive.clone();
            mangled[at] ^= 1 << bit;
            if let Ok(read) = read_default(&mangled) {
                assert_eq!(read.entries(), original.entries(), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn every_prefix_is_refused() {
    let archive = packed(&plugin());
    for end in 0..archive.len() {
        assert!(read_default(&archive[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn every_prefix_of_the_tar_stream_is_refused() {
    let archive = packed(&plugin());
    let tar = unzipped(&archive);
    for end in (0..tar.len()).step_by(7) {
        assert!(read_default(&gzipped(&tar[..end])).is_err(), "{end} bytes");
    }
}

fn gzipped(tar: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, tar).expect("a vector takes every byte");
    gzip.finish().expect("a vector takes every byte")
}

#[test]
fn an_archives_name_tells_name_version_and_target() {
    let name: PluginName = "redis-cache".parse().expect("a name");
    let version = Version::new(1, 2, 0);
    assert_eq!(archive_file_name(&name, &version, &Target::any()), "redis-cache-1.2.0.tar.gz");
    let target = "x86_64-unknown-linux-gnu".parse().expect("a target");
    assert_eq!(archive_file_name(&name, &version, &target), "redis-cache-1.2.0-x86_64-unknown-linux-gnu.tar.gz");
}

/// The text between two marks of the format specification.
fn from_readme(start: &str, end: &str) -> String {
    let readme = include_str!("../../README.md");
    let rest = readme.split_once(start).expect("the mark is there").1;
    rest.split_once(end).expect("it ends").0.to_owned()
}

#[test]
fn the_specifications_example_is_what_the_code_computes() {
    // Read out of the specification, so that neither can change alone.
    let manifest = from_readme("printf '", "' > manifest.yaml").replace("\\n", "\n");
    let script = from_readme("manifest.yaml\nprintf '", "' > bin/hello.lua").replace("\\n", "\n");
    let entries = [entry(MANIFEST, &manifest), Entry { executable: true, ..entry("bin/hello.lua", &script) }];
    let archive = packed(&entries);
    let tar = unzipped(&archive);
    assert_eq!(tar.len(), 3_072);
    assert_eq!(Digest::of(&tar).hex(), from_readme("3,072 bytes:\n\n```text\n", "  ../hello-1.0.0.tar"));
    assert_eq!(archive[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]);

    let text = from_readme("prints\n\n```text\n", "```");
    let (tree, last) = text.trim_end().rsplit_once('\n').expect("several lines");
    assert_eq!(Digest::of(format!("{tree}\n").as_bytes()).hex(), last.trim_end_matches("  -"));
    assert_eq!(TreeDigest::of(&entries).to_string(), from_readme("and the tree digest is `", "`"));
}

#[test]
fn the_specifications_manifest_is_valid() {
    let manifest = Manifest::parse(from_readme("```yaml\n", "```").as_bytes()).expect("it is well-formed");
    assert!(manifest.unknown.is_empty());
}

#[test]
fn the_specifications_limits_are_the_codes() {
    let table = from_readme("### 3.4 Limits", "### 3.5").replace(',', "");
    let limits = Limits::default();
    for number in [
        limits.archive,
        limits.unpacked,
        limits.entries,
        limits.ratio,
        limits.ratio_from,
        crate::limits::MANIFEST_BYTES,
    ] {
        assert!(table.contains(&format!("| {number}")) || table.contains(&format!("than {number} ")), "{number}");
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let path = "[a-zé._ -]{1,9}(/[A-Z0-9ü]{1,60}){0,6}".prop_filter_map("a valid path", |path| path.parse().ok());
    let content = proptest::collection::vec(any::<u8>(), 0..1_100);
    (path, any::<bool>(), content).prop_map(|(path, executable, content)| Entry { path, executable, content })
}

proptest! {
    #[test]
    fn whatever_is_packed_is_read_again(more in proptest::collection::vec(any_entry(), 0..8)) {
        let mut entries = [plugin(), more].concat();
        // Two of them may meet; then packing must refuse, and that is another test.
        if let Ok(archive) = pack(&entries, &Limits::default()) {
            entries.sort_by(|one, other| one.path.cmp(&other.path));
            let read = read_default(&archive).expect("it was just packed");
            prop_assert!(read.is_canonical(&archive));
            prop_assert_eq!(read.entries(), entries.as_slice());
        }
    }

    #[test]
    fn a_mangled_tar_stream_never_panics(at in 0usize..3_072, byte in any::<u8>(), more in 0usize..3_072, other in any::<u8>()) {
        let mut tar = unzipped(&packed(&plugin()));
        let length = tar.len();
        tar[at % length] = byte;
        tar[more % length] = other;
        if let Ok(archive) = read_default(&gzipped(&tar)) {
            // What was let through is a plugin of valid paths, and can be packed.
            prop_assert!(pack(archive.entries(), &Limits::default()).is_ok());
        }
    }

    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2_048)) {
        prop_assert!(read_default(&bytes).is_err());
        prop_assert!(read_default(&gzipped(&bytes)).is_err());
    }
}
