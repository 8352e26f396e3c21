//! One tar header of 512 bytes: ustar, or GNU's without its extensions.
//!
//! Read here and not by a library, because libraries forgive what this format must refuse: they skip global headers, guess
//! at numbers, and stop names where they like.

use super::ArchiveError;

/// Bytes of a header, and what every content is filled up to.
pub(super) const BLOCK: usize = 512;

/// A block of the tar stream.
pub(super) type Block = [u8; BLOCK];

/// What a header stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Pax,
}

/// A checked header.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// The path's bytes as the header has them, prefix included.
    pub(super) name: Vec<u8>,
    /// Bytes of content.
    pub(super) size: u64,
    /// Whether the owner may execute it.
    pub(super) executable: bool,
}

impl Header {
    /// Reads one header.
    pub(super) fn parse(block: &Block) -> Result<Self, ArchiveError> {
        let name = Name::of(block);
        let entry = || shown(&name.bytes);
        if !checksum_fits(block) {
            return Err(ArchiveError::Checksum { entry: entry() });
        }
        match &block[257..265] {
            b"ustar\x0000" => {}
            // GNU keeps its extensions where ustar has the prefix.
            b"ustar  \0" if block[345..].iter().all(|byte| *byte == 0) => {}
            b"ustar  \0" => return Err(ArchiveError::GnuExtension { entry: entry() }),
            _ => return Err(ArchiveError::Format { entry: entry() }),
        }
        let kind = kind(block, entry())?;
        let number = |field, digits| octal(digits).ok_or_else(|| ArchiveError::Number { entry: entry(), field });
        let size = number("size", &block[124..136])?;
        let mode = number("mode", &block[100..108])?;
        if name.hides {
            return Err(ArchiveError::HiddenName { entry: entry() });
        }
        // The owner's bit alone counts; set-user-id and everything else is dropped.
        Ok(Self { kind, name: name.bytes, size, executable: mode & 0o100 != 0 })
    }
}

/// A name's bytes for a message: what is not UTF-8 replaced, what does not print escaped.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}

struct Name {
    bytes: Vec<u8>,
    hides: bool,
}

impl Name {
    fn of(block: &Block) -> Self {
        let (name, name_hides) = until_zero(&block[..100]);
        let ustar = &block[257..265] == b"ustar\x0000";
        let (prefix, prefix_hides) = if ustar { until_zero(&block[345..500]) } else { (&[][..], false) };
        let bytes = if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() };
        Self { bytes, hides: name_hides || prefix_hides }
    }
}

/// A field's text, and whether anything stands behind the zero that ends it.
fn until_zero(field: &[u8]) -> (&[u8], bool) {
    match field.iter().position(|byte| *byte == 0) {
        Some(end) => (&field[..end], field[end..].iter().any(|byte| *byte != 0)),
        None => (field, false),
    }
}

/// The sum of the header's bytes, with the checksum's own eight taken as spaces.
pub(super) fn checksum(block: &Block) -> u32 {
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    let own: u32 = block[148..156].iter().copied().map(u32::from).sum();
    sum - own + 8 * u32::from(b' ')
}

fn checksum_fits(block: &Block) -> bool {
    octal(&block[148..156]) == Some(u64::from(checksum(block)))
}

/// One or more octal digits, then only zeros and spaces.
fn octal(field: &[u8]) -> Option<u64> {
    let end = field.iter().position(|byte| !matches!(byte, b'0'..=b'7')).unwrap_or(field.len());
    let (digits, rest) = field.split_at(end);
    if digits.is_empty() || rest.iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return None;
    }
    // 12 digits at most: 36 bits.
    Some(digits.iter().fold(0, |number, digit| number * 8 + u64::from(digit - b'0')))
}

fn kind(block: &Block, entry: String) -> Result<Kind, ArchiveError> {
    let special = |kind| ArchiveError::Special { entry: entry.clone(), kind };
    let link = |kind| {
        let target = shown(until_zero(&block[157..257]).0);
        ArchiveError::Link { entry: entry.clone(), kind, target }
    };
    match block[156] {
        b'0' => Ok(Kind::File),
        b'5' => Ok(Kind::Folder),
        b'x' => Ok(Kind::Pax),
        b'1' => Err(link("hard")),
        b'2' => Err(link("symbolic")),
        b'3' => Err(special("character device")),
        b'4' => Err(special("block device")),
        b'6' => Err(special("FIFO")),
        b'S' => Err(special("sparse file")),
        b'g' => Err(ArchiveError::GlobalPax { entry }),
        b'K' | b'L' => Err(ArchiveError::GnuExtension { entry }),
        other => Err(ArchiveError::UnknownKind { entry, kind: char::from(other).escape_debug().to_string() }),
    }
}
