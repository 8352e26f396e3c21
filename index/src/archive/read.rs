//! Reading: every entry is looked at before anything is given out.

use std::io::Read;

use super::header::{Header, Kind, shown};
use super::names::Names;
use super::path::EntryPath;
use super::pax::Pax;
use super::stream::TarStream;
use super::{Archive, ArchiveError, Entry, MANIFEST};
use crate::limits::{END_PADDING_BYTES, Limits, MANIFEST_BYTES, PAX_BYTES};

/// Reads a whole archive, and refuses it for the first thing that is not as it must be.
///
/// # Errors
/// Names the entry and the reason. Nothing of a refused archive is given out.
pub fn read(bytes: impl Read, limits: &Limits) -> Result<Archive, ArchiveError> {
    let mut archive = Vec::new();
    bytes.take(limits.archive.saturating_add(1)).read_to_end(&mut archive).map_err(ArchiveError::Io)?;
    if archive.len() as u64 > limits.archive {
        return Err(ArchiveError::TooLarge { limit: limits.archive });
    }
    Reader::new(&archive, limits).run()
}

struct Reader<'a> {
    stream: TarStream<'a>,
    limits: &'a Limits,
    names: Names,
    entries: Vec<Entry>,
    count: u64,
    unpacked: u64,
}

impl<'a> Reader<'a> {
    fn new(archive: &'a [u8], limits: &'a Limits) -> Self {
        let stream = TarStream::new(archive, limits);
        Self { stream, limits, names: Names::default(), entries: Vec::new(), count: 0, unpacked: 0 }
    }

    fn run(mut self) -> Result<Archive, ArchiveError> {
        while let Some(header) = self.next_header()? {
            match header.kind {
                Kind::Pax => self.extended(&header)?,
                Kind::File | Kind::Folder => self.entry(&header, Pax::default())?,
            }
        }
        self.stream.finish()?;
        find_manifest(&self.entries)?;
        Ok(Archive { entries: self.entries })
    }

    /// The next header, or none after the end marker, when the stream has been read to its last byte.
    fn next_header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let block = self.stream.block()?.ok_or(ArchiveError::NoEndMarker)?;
        if block.iter().any(|byte| *byte != 0) {
            return Header::parse(&block).map(Some);
        }
        self.end().map(|()| None)
    }

    /// After the first block of zeros: a second one, and then nothing but zeros.
    fn end(&mut self) -> Result<(), ArchiveError> {
        let start = self.stream.taken;
        let mut blocks = 0;
        while let Some(block) = self.stream.block()? {
            if block.iter().any(|byte| *byte != 0) {
                return Err(ArchiveError::AfterEnd);
            }
            if self.stream.taken - start > END_PADDING_BYTES {
                return Err(ArchiveError::EndPadding);
            }
            blocks += 1;
        }
        if blocks == 0 { Err(ArchiveError::NoEndMarker) } else { Ok(()) }
    }

    /// A PAX header together with the entry it speaks of.
    fn extended(&mut self, header: &Header) -> Result<(), ArchiveError> {
        if header.size > PAX_BYTES {
            return Err(ArchiveError::PaxTooLarge { size: header.size });
        }
        let records = self.stream.content(header.size, &shown(&header.name))?;
        let pax = Pax::parse(&records)?;
        match self.next_header()? {
            Some(header) if header.kind != Kind::Pax => self.entry(&header, pax),
            _ => Err(ArchiveError::PaxAlone),
        }
    }

    fn entry(&mut self, header: &Header, pax: Pax) -> Result<(), ArchiveError> {
        let name = pax.path.unwrap_or_else(|| header.name.clone());
        let entry = shown(&name);
        if let Some(size) = pax.size.filter(|size| *size != header.size) {
            return Err(ArchiveError::PaxSize { entry, header: header.size, pax: size });
        }
        self.count += 1;
        if self.count > self.limits.entries {
            return Err(ArchiveError::TooManyEntries { limit: self.limits.entries });
        }
        let Ok(name) = str::from_utf8(&name) else { return Err(ArchiveError::NotUtf8 { entry }) };
        if header.kind == Kind::Folder { self.folder(name, header.size) } else { self.file(name, header) }
    }

    fn folder(&mut self, name: &str, size: u64) -> Result<(), ArchiveError> {
        let entry = shown(name.as_bytes());
        if size > 0 {
            return Err(ArchiveError::FolderContent { entry, size });
        }
        // `tar -C folder .` puts the folder itself in front.
        if name == "./" {
            return Ok(());
        }
        self.names.add_folder(&parse_path(name.strip_suffix('/').unwrap_or(name))?)
    }

    fn file(&mut self, name: &str, header: &Header) -> Result<(), ArchiveError> {
        let entry = shown(name.as_bytes());
        if name.ends_with('/') {
            return Err(ArchiveError::FileSlash { entry });
        }
        let path = parse_path(name)?;
        self.names.add_file(&path)?;
        if path.as_str() == MANIFEST && header.size > MANIFEST_BYTES {
            return Err(ArchiveError::ManifestTooLarge { size: header.size });
        }
        self.unpacked += header.size;
        if self.unpacked > self.limits.unpacked {
            return Err(ArchiveError::Unpacked { entry, total: self.unpacked, limit: self.limits.unpacked });
        }
        let content = self.stream.content(header.size, &entry)?;
        self.entries.push(Entry { path, executable: header.executable, content });
        Ok(())
    }
}

/// A path without the `./` that `tar -C folder .` puts in front of every name.
fn parse_path(name: &str) -> Result<EntryPath, ArchiveError> {
    let path = name.strip_prefix("./").unwrap_or(name);
    path.parse().map_err(|source| ArchiveError::Path { entry: shown(name.as_bytes()), source })
}

pub(super) fn find_manifest(entries: &[Entry]) -> Result<&Entry, ArchiveError> {
    if let Some(manifest) = entries.iter().find(|entry| entry.path.as_str() == MANIFEST) {
        return Ok(manifest);
    }
    let in_folder = entries.iter().find_map(|entry| entry.path.as_str().strip_suffix(MANIFEST)?.strip_suffix('/'));
    Err(match in_folder {
        Some(folder) => ArchiveError::ManifestInFolder { folder: folder.to_owned() },
        None => ArchiveError::NoManifest,
    })
}
