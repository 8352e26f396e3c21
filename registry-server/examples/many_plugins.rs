//! Makes a large registry to measure: `cargo run --release -p pocket-registry --example many_plugins -- COUNT FOLDER`.
//!
//! FOLDER becomes a registry's folder, with COUNT plugins of one release each, which all have the same archive of 1 MiB of noise: it is served and
//! not installed. Beside it, `FOLDER.publish/` has 40 requests to publish that fit it. Keys are fixed.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pocket_index::config::Config;
use pocket_index::digest::Digest;
use pocket_index::layout;
use pocket_index::limits::Limits;
use pocket_index::log::{Checkpoint, ComputedTile, EntriesPath, Frontier, Leaf, NoteSigner, TILE_WIDTH, keys_digest};
use pocket_index::package::{Package, release_of};
use pocket_index::publish::PublishHeader;
use pocket_index::record::{Event, History, Line, Place, Policy, Release};
use pocket_index::search::{self, SearchEntry};
use pocket_index::signature::SecretKey;

/// 2026-01-01 00:00:00 UTC.
const AT: u64 = 1_767_225_600;
/// How many publishes are prepared.
const PUBLISHES: u32 = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, folder] = arguments.as_slice() else { return Err("expected a number and a folder".into()) };
    let (count, folder): (u32, PathBuf) = (count.parse()?, folder.into());
    let secret = SecretKey::from_seed(&[7; 32]);
    write(&folder, "registry.key", secret.to_text().as_bytes())?;
    let origin = format!("pocket-registry/{}", &secret.public().to_string()["ed25519:".len()..][..16]);
    let signer = NoteSigner::new(&origin, secret)?;
    let tree = folder.join("tree");
    let noise: Vec<u8> = (0..32_768_u32).flat_map(|number| *Digest::of(&number.to_be_bytes()).as_bytes()).collect();
    let archive = Digest::of(&noise);
    write(&tree, &layout::archive(&archive), &noise)?;
    fill(&tree, count, archive, noise.len() as u64, &signer)?;
    let config = Config {
        name: "large".parse()?,
        log: Some(signer.key().clone()),
        keys: vec![signer.key().public()],
        auth_required: false,
        api: Some("api/v1/".to_owned()),
    };
    write(&tree, layout::CONFIG, config.to_text().as_bytes())?;
    let publishes = folder.with_extension("publish");
    for number in 0..PUBLISHES {
        write(&publishes, &format!("{number}"), &publish(number)?)?;
    }
    println!("{count} plugins in {}", folder.display());
    Ok(())
}

/// The index files, the log over them and the search list.
fn fill(tree: &Path, count: u32, archive: Digest, size: u64, signer: &NoteSigner) -> Result<(), Box<dyn Error>> {
    let author = SecretKey::from_seed(&[1; 32]);
    let policy = Policy::new([signer.key().public()]);
    let template = release(&package("template", "return 1")?)?;
    let (mut frontier, mut bundle, mut entries) = (Frontier::default(), Vec::new(), Vec::new());
    for number in 0..count {
        let mut release = Release { name: format!("plugin{number:06}").parse()?, ..template.clone() };
        let record = &mut release.archives[0];
        (record.sha256, record.size, record.file) = (archive, size, format!("{}-1.0.0.tar.gz", release.name));
        let event = Event::from(release);
        let text = event.to_text();
        let signatures = vec![author.sign_event(event.kind(), &text)];
        let line = Line::frame(Place { seq: 0, prev: None, log: u64::from(number), at: AT }, &text, signatures)?;
        let content = format!("{}\n", line.to_text());
        write(tree, &layout::index_file(event.name()), content.as_bytes())?;
        entries.extend(SearchEntry::of(&History::replay(event.name(), &content, &policy)?));
        let leaf = Leaf { name: event.name().clone(), seq: 0, line: line.digest };
        for tile in frontier.push(leaf.hash()) {
            write_tile(tree, &tile)?;
        }
        let text = leaf.to_string();
        bundle.extend(u16::try_from(text.len())?.to_be_bytes());
        bundle.extend(text.into_bytes());
        let size = frontier.size();
        let is_full = size.is_multiple_of(u64::from(TILE_WIDTH));
        if is_full || number + 1 == count {
            write(tree, &EntriesPath::holding(size - 1, size).to_string(), &std::mem::take(&mut bundle))?;
        }
    }
    frontier.partial_tiles().try_for_each(|tile| write_tile(tree, &tile))?;
    let keys = keys_digest([&signer.key().public()]);
    let checkpoint = Checkpoint::sign(frontier.size(), frontier.root(), keys, signer).stated_at(AT, signer)?;
    write(tree, layout::CHECKPOINT, checkpoint.note().as_bytes())?;
    let search::Files { listing, index } = search::files(entries);
    if let Some((file, bytes)) = index {
        write(tree, &layout::search_index(&file.sha256), &bytes)?;
    }
    write(tree, layout::SEARCH, listing.as_bytes())
}

fn write_tile(tree: &Path, tile: &ComputedTile) -> Result<(), Box<dyn Error>> {
    let bytes: Vec<u8> = tile.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    write(tree, &tile.path.to_string(), &bytes)
}

fn package(name: &str, source: &str) -> Result<Vec<Package>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let manifest = format!("name: {name}\nversion: 1.0.0\ndescription: One of many\nruntime: lua\nbinary: main.lua\n");
    fs::write(folder.path().join("manifest.yaml"), manifest)?;
    fs::write(folder.path().join("main.lua"), source)?;
    Ok(Package::of_folder(folder.path(), &Limits::default())?)
}

fn release(packages: &[Package]) -> Result<Release, Box<dyn Error>> {
    Ok(release_of(packages)?)
}

/// The body of a publish.
fn publish(number: u32) -> Result<Vec<u8>, Box<dyn Error>> {
    let packages = package(&format!("new-plugin-{number}"), "return 1")?;
    let event = Event::from(release(&packages)?);
    let text = event.to_text();
    let signatures = vec![SecretKey::from_seed(&[2; 32]).sign_event(event.kind(), &text)];
    let header = PublishHeader { event: text, signatures }.encode();
    Ok([header, packages.into_iter().flat_map(|package| package.bytes).collect()].concat())
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    Ok(fs::File::create(path)?.write_all(bytes)?)
}
