//! The tar stream inside the one gzip member, measured as it goes by.

use std::io::{self, Read, Write};

use flate2::bufread::GzDecoder;

use super::ArchiveError;
use super::header::{BLOCK, Block};
use crate::limits::Limits;

/// 64 KiB at a time.
const PIECE: usize = 64 << 10;
/// 1 MiB: more is reserved for an entry only as it comes, for its size is only claimed.
const RESERVED: usize = 1 << 20;

pub(super) struct TarStream<'a> {
    gzip: GzDecoder<&'a [u8]>,
    archive: u64,
    ratio: u64,
    most: u64,
    /// Bytes of tar so far.
    pub(super) taken: u64,
}

impl<'a> TarStream<'a> {
    pub(super) fn new(archive: &'a [u8], limits: &Limits) -> Self {
        let bytes = archive.len() as u64;
        Self {
            gzip: GzDecoder::new(archive),
            archive: bytes,
            ratio: limits.ratio,
            most: limits.ratio_from.max(bytes.saturating_mul(limits.ratio)),
            taken: 0,
        }
    }

    /// Fills the buffer as far as the stream goes, and says how far that was.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.gzip.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => return Err(self.explain(&error)),
            }
        }
        self.taken += filled as u64;
        if self.taken > self.most {
            return Err(ArchiveError::Ratio { ratio: self.ratio, archive: self.archive });
        }
        Ok(filled)
    }

    /// The next block, or none where the stream ends between two.
    pub(super) fn block(&mut self) -> Result<Option<Block>, ArchiveError> {
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(ArchiveError::HeaderTruncated { at: self.taken }),
        }
    }

    /// An entry's content, without the zeros that fill its last block.
    pub(super) fn content(&mut self, size: u64, entry: &str) -> Result<Vec<u8>, ArchiveError> {
        let truncated = || ArchiveError::ContentTruncated { entry: entry.to_owned(), size };
        let size_or = |most: usize, size: u64| usize::try_from(size).unwrap_or(most).min(most);
        let mut content = Vec::with_capacity(size_or(RESERVED, size));
        while (content.len() as u64) < size {
            let start = content.len();
            content.resize(start + size_or(PIECE, size - start as u64), 0);
            if self.fill(&mut content[start..])? < content.len() - start {
                return Err(truncated());
            }
        }
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..(BLOCK - content.len() % BLOCK) % BLOCK];
        if self.fill(padding)? < padding.len() {
            return Err(truncated());
        }
        // Bytes here are invisible to every reader, and to every reviewer.
        if padding.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::HiddenContent { entry: entry.to_owned() });
        }
        Ok(content)
    }

    /// Once the tar stream has been read to its end: nothing may stand behind the gzip member.
    pub(super) fn finish(self) -> Result<(), ArchiveError> {
        let rest = self.gzip.into_inner();
        if rest.is_empty() { Ok(()) } else { Err(ArchiveError::AfterGzip { bytes: rest.len() }) }
    }

    fn explain(&self, error: &io::Error) -> ArchiveError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return ArchiveError::GzipTruncated;
        }
        if self.gzip.header().is_none() {
            return ArchiveError::NotGzip;
        }
        ArchiveError::GzipDamaged { detail: error.to_string() }
    }
}

/// Takes bytes as long as they are those of a tar stream.
pub(super) struct Compared<'a> {
    gzip: GzDecoder<&'a [u8]>,
}

impl<'a> Compared<'a> {
    /// Compares with the tar stream of an archive.
    pub(super) fn with(archive: &'a [u8]) -> Self {
        Self { gzip: GzDecoder::new(archive) }
    }

    /// Whether the stream has no more bytes than were written.
    pub(super) fn ends(mut self) -> bool {
        matches!(self.gzip.read(&mut [0]), Ok(0))
    }
}

impl Write for Compared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut there = vec![0; bytes.len().min(PIECE)];
        self.gzip.read_exact(&mut there)?;
        if there == bytes[..there.len()] { Ok(there.len()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
