//! How a record stands in the file: 32 bytes of head, then its JSON.
//!
//! ```text
//! "pjr1"  checksum  length  kind  number            durable           JSON …
//! 4       4         4       4     8                 8                 length
//! ```
//!
//! Numbers are little-endian. `checksum` is the CRC-32 of everything behind it. `number` counts records from 1, and `durable` is the
//! last record that was known to be on the disk when this one was written: a damaged record with a lower number than some later
//! `durable` was there once, so it is damage; any other is the torn end of a process or machine that stopped.

/// How long a head is.
pub(super) const HEAD: usize = 32;
/// What a record begins with.
pub(super) const MARK: [u8; 4] = *b"pjr1";

/// What kind of record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the journal is of; the first and no other.
    Header = 1,
    /// Something happened.
    Event = 2,
    /// The event before it made the run fail.
    Failure = 3,
    /// The run was over.
    End = 4,
    /// The run was taken up again.
    Resumed = 5,
    /// A fallback value stands for the output of a node.
    Recovered = 6,
}

/// A record's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub checksum: u32,
    pub length: usize,
    pub kind: Kind,
    pub number: u64,
    pub durable: u64,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        [Self::Header, Self::Event, Self::Failure, Self::End, Self::Resumed, Self::Recovered]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// Begins a record in an empty buffer: its JSON is to be appended.
pub(super) fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEAD, 0);
}

/// Writes the head of the record in a buffer. False if it is too long for one.
pub(super) fn seal(buffer: &mut [u8], kind: Kind, number: u64, durable: u64) -> bool {
    let Ok(length) = u32::try_from(buffer.len() - HEAD) else { return false };
    buffer[..4].copy_from_slice(&MARK);
    buffer[8..12].copy_from_slice(&length.to_le_bytes());
    buffer[12..16].copy_from_slice(&(kind as u32).to_le_bytes());
    buffer[16..24].copy_from_slice(&number.to_le_bytes());
    buffer[24..32].copy_from_slice(&durable.to_le_bytes());
    let checksum = crc32fast::hash(&buffer[8..]);
    buffer[4..8].copy_from_slice(&checksum.to_le_bytes());
    true
}

/// Reads a head; none if it is no head.
pub(super) fn head(bytes: &[u8; HEAD]) -> Option<Head> {
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    if bytes[..4] != MARK {
        return None;
    }
    let length = usize::try_from(word(8)).ok()?;
    Some(Head { checksum: word(4), length, kind: Kind::of(word(12))?, number: long(16), durable: long(24) })
}

/// Whether a head and its JSON are what was written.
pub(super) fn is_whole(bytes: &[u8; HEAD], head: &Head, json: &[u8]) -> bool {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[8..]);
    hasher.update(json);
    hasher.finalize() == head.checksum
}
