//! Reads records one by one, and tells a torn end from damage.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::JournalError;
use super::frame::{self, HEAD, Head, MARK};

/// Reads a journal from its beginning.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    length: u64,
    /// Where the next record begins; where the last whole one ended.
    offset: u64,
    /// The number of the last record.
    number: u64,
    json: Vec<u8>,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(JournalError::io("read", path))?;
        let length = file.metadata().map_err(JournalError::io("read", path))?.len();
        Ok(Self { path: path.to_owned(), file: BufReader::new(file), length, offset: 0, number: 0, json: Vec::new() })
    }

    /// Where the last whole record ended.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes follow the last whole record.
    pub fn rest(&self) -> u64 {
        self.length.saturating_sub(self.offset)
    }

    /// The number of the last record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next record's head, and its JSON; none at the end, torn or not.
    ///
    /// # Errors
    /// A record is damaged that had reached the disk.
    pub fn next(&mut self) -> Result<Option<(Head, &[u8])>, JournalError> {
        let Some((bytes, head)) = self.head()? else { return Ok(None) };
        self.json.resize(head.length, 0);
        self.file.read_exact(&mut self.json).map_err(JournalError::io("read", &self.path))?;
        if !frame::is_whole(&bytes, &head, &self.json) {
            self.refuse_damage("its checksum does not fit")?;
            return Ok(None);
        }
        self.offset += (HEAD + head.length) as u64;
        self.number = head.number;
        Ok(Some((head, &self.json)))
    }

    fn head(&mut self) -> Result<Option<([u8; HEAD], Head)>, JournalError> {
        if self.rest() < HEAD as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEAD];
        self.file.read_exact(&mut bytes).map_err(JournalError::io("read", &self.path))?;
        let left = self.rest() - HEAD as u64;
        match frame::head(&bytes) {
            Some(head) if head.number == self.number + 1 && head.length as u64 <= left => Ok(Some((bytes, head))),
            Some(_) => self.refuse_damage("its head does not fit").map(|()| None),
            None => self.refuse_damage("no record begins there").map(|()| None),
        }
    }

    /// Looks behind a record that is not whole for one that was written when this one had reached the disk.
    fn refuse_damage(&mut self, message: &str) -> Result<(), JournalError> {
        let failed = |source| JournalError::io("read", &self.path)(source);
        self.file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest).map_err(failed)?;
        let missing = self.number + 1;
        let is_later = |at: usize| {
            let bytes: Option<&[u8; HEAD]> = rest.get(at..at + HEAD).and_then(|bytes| bytes.try_into().ok());
            let Some(bytes) = bytes else { return false };
            let Some(head) = frame::head(bytes).filter(|head| head.durable >= missing) else { return false };
            rest.get(at + HEAD..at + HEAD + head.length).is_some_and(|json| frame::is_whole(bytes, &head, json))
        };
        if memchr::memmem::find_iter(&rest, &MARK).any(is_later) {
            let message = format!("{message}, and later records say that it was on the disk");
            return Err(JournalError::Damaged { path: self.path.clone(), offset: self.offset, message });
        }
        Ok(())
    }
}
