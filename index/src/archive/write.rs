//! Writing: the same files give the same bytes on every machine.

use std::io::{self, Write};

use flate2::Crc;

use super::header::{BLOCK, Block, checksum};
use super::names::Names;
use super::pax::Pax;
use super::read::find_manifest;
use super::{ArchiveError, Entry, MANIFEST};
use crate::limits::{Limits, MANIFEST_BYTES};

/// Bytes of a header's name field.
const NAME: usize = 100;
/// Bytes of a header's prefix field.
const PREFIX: usize = 155;
/// Deflate, no flags, no time, best compression, no operating system in particular (RFC 1952).
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
/// The best that every zlib has.
const LEVEL: u8 = 9;

/// Packs files into a canonical archive: sorted by path, no owner, no time, modes 0644 and 0755.
///
/// # Errors
/// Refuses what [`super::read`] would refuse under the same limits: no manifest, two paths that meet, too much.
pub fn pack(entries: &[Entry], limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
    check(entries, limits)?;
    let mut tar = Vec::new();
    write_tar(entries, &mut tar).map_err(ArchiveError::Io)?;
    let archive = gzip(&tar, LEVEL);
    if archive.len() as u64 > limits.archive {
        return Err(ArchiveError::TooLarge { limit: limits.archive });
    }
    Ok(archive)
}

/// One gzip member. Always by the same compressor: two that are both right write different bytes.
pub(super) fn gzip(tar: &[u8], level: u8) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(tar);
    let deflated = miniz_oxide::deflate::compress_to_vec(tar, level);
    // The length is counted modulo 2^32, as `amount` does it.
    [&GZIP_HEADER[..], &deflated, &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()].concat()
}

fn check(entries: &[Entry], limits: &Limits) -> Result<(), ArchiveError> {
    if entries.len() as u64 > limits.entries {
        return Err(ArchiveError::TooManyEntries { limit: limits.entries });
    }
    let mut names = Names::default();
    let mut total = 0;
    for entry in entries {
        names.add_file(&entry.path)?;
        let size = entry.content.len() as u64;
        if entry.path.as_str() == MANIFEST && size > MANIFEST_BYTES {
            return Err(ArchiveError::ManifestTooLarge { size });
        }
        total += size;
        if total > limits.unpacked {
            let entry = entry.path.to_string();
            return Err(ArchiveError::Unpacked { entry, total, limit: limits.unpacked });
        }
    }
    find_manifest(entries).map(|_| ())
}

/// Writes the canonical tar stream of the files.
pub(super) fn write_tar(entries: &[Entry], out: &mut impl Write) -> io::Result<()> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|one, other| one.path.cmp(&other.path));
    for entry in sorted {
        write_entry(entry, out)?;
    }
    out.write_all(&[0; 2 * BLOCK])
}

fn write_entry(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let path = entry.path.as_str();
    let (prefix, name) = match split(path) {
        Some(parts) => parts,
        None => {
            let record = Pax::path_record(path);
            out.write_all(&header("", "././@PaxHeader", b'x', 0o644, record.len()))?;
            write_content(&record, out)?;
            ("", &path[..path.floor_char_boundary(NAME)])
        }
    };
    let mode = if entry.executable { 0o755 } else { 0o644 };
    out.write_all(&header(prefix, name, b'0', mode, entry.content.len()))?;
    write_content(&entry.content, out)
}

/// Prefix and name of a path that fits a ustar header: whole, or parted at the last `/` that the prefix can hold.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME {
        return Some(("", path));
    }
    let slash = path.as_bytes().iter().take(PREFIX + 1).rposition(|byte| *byte == b'/')?;
    let (prefix, name) = (&path[..slash], &path[slash + 1..]);
    (name.len() <= NAME).then_some((prefix, name))
}

fn header(prefix: &str, name: &str, kind: u8, mode: u32, size: usize) -> Block {
    let mut block = [0; BLOCK];
    put(&mut block, 0, name.as_bytes());
    put(&mut block, 100, format!("{mode:07o}").as_bytes());
    put(&mut block, 108, b"0000000");
    put(&mut block, 116, b"0000000");
    put(&mut block, 124, format!("{size:011o}").as_bytes());
    put(&mut block, 136, b"00000000000");
    block[156] = kind;
    put(&mut block, 257, b"ustar\x0000");
    put(&mut block, 329, b"0000000");
    put(&mut block, 337, b"0000000");
    put(&mut block, 345, prefix.as_bytes());
    let sum = format!("{:06o}\0 ", checksum(&block));
    put(&mut block, 148, sum.as_bytes());
    block
}

fn put(block: &mut Block, at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

fn write_content(content: &[u8], out: &mut impl Write) -> io::Result<()> {
    out.write_all(content)?;
    out.write_all(&[0; BLOCK][..(BLOCK - content.len() % BLOCK) % BLOCK])
}
