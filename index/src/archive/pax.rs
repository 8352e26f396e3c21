//! PAX extended headers: `path` and `size`, each at most once.

use super::ArchiveError;

/// What a PAX header says of the entry that follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

impl Pax {
    /// Reads the records `<length> <key>=<value>\n`, the length counting the whole record.
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mut pax = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(ArchiveError::PaxMalformed)?;
            pax.set(key, value)?;
            bytes = rest;
        }
        Ok(pax)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        let shown = || super::header::shown(key);
        let before = match key {
            b"path" => self.path.replace(value.to_vec()).is_some(),
            b"size" => self.size.replace(decimal(value).ok_or(ArchiveError::PaxMalformed)?).is_some(),
            // `linkpath` would turn a file into a link, `GNU.sparse.*` would give it another name and size.
            _ => return Err(ArchiveError::PaxKey { key: shown() }),
        };
        if before { Err(ArchiveError::PaxTwice { key: shown() }) } else { Ok(()) }
    }

    /// The header's content for a path, as [`Pax::parse`] reads it.
    pub(super) fn path_record(path: &str) -> Vec<u8> {
        let body = format!(" path={path}\n");
        // The length counts its own digits.
        let mut length = body.len() + 1;
        while length.to_string().len() + body.len() != length {
            length += 1;
        }
        format!("{length}{body}").into_bytes()
    }
}

/// The first record's key and value, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    (!key.is_empty() && !value.is_empty()).then_some((key, value, rest))
}

/// Decimal digits without a leading zero.
fn decimal(digits: &[u8]) -> Option<u64> {
    let canonical = !digits.is_empty() && digits.len() <= 18 && (digits == b"0" || digits[0] != b'0');
    (canonical && digits.iter().all(u8::is_ascii_digit))
        .then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_record_is_read_again() {
        // 86 to 90 bytes: where the length's own digits change from two to three.
        for bytes in (1..200).chain([997, 1_024]) {
            let path = "p".repeat(bytes);
            let record = Pax::path_record(&path);
            assert_eq!(Pax::parse(&record).expect("it is well-formed").path, Some(path.into_bytes()));
        }
    }

    #[test]
    fn every_cut_record_is_refused() {
        let record = Pax::path_record("a/b");
        for end in 1..record.len() {
            assert!(Pax::parse(&record[..end]).is_err(), "{end}");
        }
    }
}
