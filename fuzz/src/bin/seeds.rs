//! `seeds FOLDER`: writes what the targets start from, made of the project's own fixtures.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
// Built with counters like the targets, and so needs the functions that count.
use libfuzzer_sys as _;
use pocket_index::archive::{self, MANIFEST, fixture::Fixture};
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::log::{Checkpoint, Cosigner, NoteSigner, leaf_hash};
use pocket_index::signature::SecretKey;
use pocket_index::witness::AddCheckpoint;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let folder = std::env::args_os().nth(1).ok_or("name the folder for the seeds")?;
    let seeds = Seeds { folder: folder.into(), project: Path::new(env!("CARGO_MANIFEST_DIR")).join("..") };
    seeds.archives()?;
    seeds.index()?;
    seeds.specification()?;
    seeds.recovery()?;
    seeds.witness()?;
    seeds.project_files()?;
    seeds.texts()
}

struct Seeds {
    folder: PathBuf,
    project: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, name: impl AsRef<Path>, content: &[u8]) -> Done {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(name), content)?)
    }

    fn files(&self, folder: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        let (mut files, mut folders) = (Vec::new(), vec![self.project.join(folder)]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        Ok(files)
    }

    /// The hostile archives as tar streams; those whose gzip stream is what is wrong, as they are.
    fn archives(&self) -> Done {
        for path in self.files("fixtures/archives")? {
            let name = path.file_stem().unwrap_or_default();
            let fixture = Fixture::parse(&fs::read_to_string(&path)?)?;
            let mut tar = Vec::new();
            let unzipped = GzDecoder::new(fixture.archive.as_slice()).read_to_end(&mut tar);
            let (mode, content) = if unzipped.is_ok() { (1, tar) } else { (0, fixture.archive) };
            if content.len() < 64 << 10 {
                self.write("archive", name, &[&[mode], content.as_slice()].concat())?;
            }
        }
        Ok(())
    }

    /// The bundled index: its lines, events, configuration, log, and the manifests in its archives.
    fn index(&self) -> Done {
        for path in self.files("index/tree")? {
            let (name, content) = (path.file_name().unwrap_or_default(), fs::read(&path)?);
            let place = path.strip_prefix(self.project.join("index/tree"))?;
            match place.iter().next().and_then(OsStr::to_str) {
                Some("index") => self.lines(name, std::str::from_utf8(&content)?)?,
                Some("a") => {
                    let read = archive::read(content.as_slice(), &Limits::default())?;
                    self.write("manifest", name, &read.file(MANIFEST).ok_or("an archive has a manifest")?.content)?;
                }
                Some("config.json" | "search.json") => self.write("config", name, &content)?,
                Some("log") if place.ends_with("checkpoint") => {
                    self.write("log", name, &[b"\0", content.as_slice()].concat())?
                }
                Some("log") => self.tile(place, &content)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn lines(&self, name: &OsStr, file: &str) -> Done {
        let mut events = String::new();
        for (number, line) in file.lines().enumerate() {
            let name = format!("{}-{number}", name.to_string_lossy());
            self.write("line", &name, line.as_bytes())?;
            let line = pocket_index::record::Line::parse(line)?;
            events.push_str(&format!("0{}\n", line.event_bytes));
            let header = pocket_index::publish::PublishHeader { event: line.event_bytes, signatures: line.signatures };
            self.write("publish", &name, &header.encode())?;
        }
        self.write("history", name, events.as_bytes())
    }

    fn tile(&self, place: &Path, content: &[u8]) -> Done {
        let name = place.to_string_lossy().replace('/', "-");
        let width = place.file_name().and_then(OsStr::to_str).and_then(|width| width.parse::<u8>().ok()).unwrap_or(255);
        if name.contains("entries") {
            return self.write("log", name, &[&[1, width.wrapping_sub(1)], content].concat());
        }
        self.write("log", name, &[&[2], [3u64, 2, 8].map(u64::to_le_bytes).as_flattened(), content].concat())
    }

    /// The blocks of the specification's examples.
    fn specification(&self) -> Done {
        let text = fs::read_to_string(self.project.join("index/README.md"))?;
        for (number, block) in text.split("```").skip(1).step_by(2).enumerate() {
            let (language, content) = block.split_once('\n').unwrap_or_default();
            let name = format!("specification-{number}");
            match language {
                "toml" => self.write("lock", &name, content.as_bytes())?,
                "yaml" => self.write("manifest", &name, content.as_bytes())?,
                "json" => {
                    for (number, line) in content.lines().enumerate() {
                        self.write("line", format!("{name}-{number}"), line.as_bytes())?;
                        self.write("config", format!("{name}-{number}"), line.as_bytes())?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A plugin that gets other owners: one event a day, signed by the owner `1`, the registry `3` and the new owner `2`.
    fn recovery(&self) -> Done {
        let text = fs::read_to_string(self.project.join("index/README.md"))?;
        let line =
            text.lines().find(|line| line.starts_with("{\"seq\":0")).ok_or("the specification has an example")?;
        let release = pocket_index::record::Line::parse(line)?.event_bytes;
        let key = SecretKey::from_seed(&[2; 32]).public();
        let recovery = format!(
            r#"{{"kind":"owner-recovery","name":"hello","keys":["{key}"],"threshold":1,"effective":345600,"reason":"lost"}}"#
        );
        let keys = format!(r#"{{"kind":"owner-keys","name":"hello","keys":["{key}"],"threshold":1}}"#);
        let yank = r#"{"kind":"yank","name":"hello","version":"1.0.0"}"#;
        // By its last two bits, `1` is the key 1, `2` the key 2 and `3` the key 3.
        let done = format!("1{release}\n3{recovery}\n1{yank}\n1{yank}\n2{yank}\n");
        let cancelled = format!("1{release}\n3{recovery}\n1{keys}\n");
        self.write("history", "recovery-done", done.as_bytes())?;
        self.write("history", "recovery-cancelled", cancelled.as_bytes())
    }

    /// A request without and with a proof, and what a witness answers: sizes, and its line for another checkpoint.
    fn witness(&self) -> Done {
        let log = NoteSigner::new("fuzz", SecretKey::from_seed(&[1; 32]))?;
        let checkpoint = Checkpoint::sign(2, leaf_hash(b"another tree"), Digest::of(b""), &log);
        for (name, old, proof) in [("first", 0, Vec::new()), ("grown", 1, vec![leaf_hash(b"a leaf")])] {
            let request = AddCheckpoint { old, proof, note: checkpoint.note().to_owned() };
            self.write("witness", name, request.encode().as_bytes())?;
        }
        let secret = SecretKey::from_seed(&[2; 32]);
        let cosignature = Cosigner::new("witness", &secret)?.cosign(&checkpoint, 1_790_000_000);
        self.write("witness", "cosignature", cosignature.line().as_bytes())?;
        self.write("witness", "size", b"18446744073709551615\n")
    }

    fn project_files(&self) -> Done {
        for path in self.files("examples")? {
            let name = path.file_name().unwrap_or_default();
            let content = fs::read(&path)?;
            if path.extension() == Some(OsStr::new("yaml")) {
                self.write("project", name, &content)?;
                self.write("template", name, &content)?;
            }
        }
        let cases = self.files("fixtures/templates")?;
        for path in cases.iter().filter(|path| path.extension() == Some(OsStr::new("json"))) {
            let cases: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            for (number, case) in cases["cases"].as_array().into_iter().flatten().enumerate() {
                let text = case["template"].as_str().ok_or("a case has a template")?;
                self.write("template", format!("{stem}-{number}"), text.as_bytes())?;
            }
        }
        Ok(())
    }

    fn texts(&self) -> Done {
        let permissions = [
            "*.example.com:443",
            "{host}:{port}",
            "[::1]:8080",
            "127.0.0.1:1",
            "read:./data",
            "write:/tmp/x",
            "64MB",
            "1GiB",
            "1h2m3.5s",
            "9223372036854775807ns",
            "Example.COM.:65535",
        ];
        for (number, text) in permissions.iter().enumerate() {
            self.write("permissions", number.to_string(), text.as_bytes())?;
        }
        let project = "# ours\nregistries:\n  default: https://example.com/ # theirs\n  own: {url: file:///x, key: k+1+x, min_release_age: 3d}\nplugins:\n  dependencies:\n    # one\n    geo: ^1.2\n    proj: {version: '2', registry: own}\n    here: ./x.tar.gz\n  config: {geo: {host: a}}\n";
        self.write("project", "written-by-hand", project.as_bytes())
    }
}
