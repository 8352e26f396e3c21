//! Frames: `u32` length, `u32` number of the question, one byte that says what it is, then fields of `u32` length and bytes.
//! All numbers big-endian.
//!
//! The reader trusts no length: a frame above its limit is refused before anything is allocated for it, and what is
//! allocated grows with what really arrives.

use std::io::{self, ErrorKind};

/// Bytes around the contents of a frame: its length, its number, its tag and the lengths of up to eight fields.
pub const OVERHEAD: usize = 64;

/// The length in front of a frame.
const LENGTH: usize = 4;

/// What is read at once, and kept between two frames: a call of usual size is one system call.
const CHUNK: usize = 64 << 10;

/// Why no frame came through.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side is gone.
    #[error("the other side closed the connection")]
    Closed,
    /// The deadline passed.
    #[error("the deadline passed")]
    TimedOut,
    /// The frame is longer than this side takes.
    #[error("a message of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// What was announced or is to be sent.
        size: usize,
        /// What is taken.
        limit: usize,
    },
    /// The frame is none.
    #[error("a malformed message: {0}")]
    Malformed(&'static str),
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Self::Closed,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// The bytes of one frame.
pub fn encode(number: u32, tag: u8, fields: &[&[u8]]) -> Result<Vec<u8>, FrameError> {
    let size = LENGTH + 1 + fields.iter().map(|field| LENGTH + field.len()).sum::<usize>();
    let length = u32::try_from(size).map_err(|_| FrameError::TooLarge { size, limit: u32::MAX as usize })?;
    let mut bytes = Vec::with_capacity(LENGTH + size);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.push(tag);
    for field in fields {
        bytes.extend_from_slice(&(field.len() as u32).to_be_bytes()); // no field is longer than the frame
        bytes.extend_from_slice(field);
    }
    Ok(bytes)
}

/// What arrived and was not taken yet.
#[derive(Debug, Default)]
pub struct Arrivals {
    bytes: Vec<u8>,
    /// How many of `bytes` were filled.
    filled: usize,
}

impl Arrivals {
    /// Takes the body of the next frame, if all of it is there. It may have `limit` bytes at most.
    pub fn take(&mut self, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(size) = self.announced() else { return Ok(None) };
        if size > limit {
            return Err(FrameError::TooLarge { size, limit });
        }
        let end = LENGTH + size;
        if self.filled < end {
            return Ok(None);
        }
        let body = self.bytes[LENGTH..end].to_vec();
        self.bytes.copy_within(end..self.filled, 0);
        self.filled -= end;
        if self.filled < CHUNK && self.bytes.len() > CHUNK {
            self.bytes.truncate(CHUNK);
            self.bytes.shrink_to(CHUNK);
        }
        Ok(Some(body))
    }

    /// Has `read` add bytes. None means that no more will come.
    pub fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> Result<(), FrameError> {
        if self.filled == self.bytes.len() {
            let missing = self.announced().map_or(0, |size| (LENGTH + size).saturating_sub(self.filled));
            // As much again as has arrived: an announcement alone allocates nothing.
            let more = missing.min(self.filled).max(CHUNK);
            self.bytes.resize(self.filled + more, 0);
        }
        match read(&mut self.bytes[self.filled..])? {
            0 => Err(FrameError::Closed),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }

    /// The length that the next frame claims to have.
    fn announced(&self) -> Option<usize> {
        let length = self.bytes[..self.filled].first_chunk::<LENGTH>()?;
        Some(u32::from_be_bytes(*length) as usize)
    }
}

/// Takes a frame's body apart: its number, its tag, and its fields by [`Fields::take`] until [`Fields::end`].
pub struct Fields<'a> {
    /// The question that the frame belongs to.
    pub number: u32,
    /// What it is.
    pub tag: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `body`.
    pub fn new(body: &'a [u8]) -> Result<Self, FrameError> {
        let (number, rest) = body.split_first_chunk::<4>().ok_or(FrameError::Malformed("it is too short"))?;
        let (tag, rest) = rest.split_first().ok_or(FrameError::Malformed("it is too short"))?;
        Ok(Self { number: u32::from_be_bytes(*number), tag: *tag, rest })
    }

    /// The next field.
    pub fn take(&mut self) -> Result<&'a [u8], FrameError> {
        let truncated = FrameError::Malformed("a field is cut off");
        let Some((length, rest)) = self.rest.split_first_chunk::<LENGTH>() else { return Err(truncated) };
        let Some((field, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            return Err(truncated);
        };
        self.rest = rest;
        Ok(field)
    }

    /// The next field as text.
    pub fn text(&mut self) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.take()?).map_err(|_| FrameError::Malformed("a field is not UTF-8"))
    }

    /// The next field, of as many bytes as the result has.
    pub fn exact<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take()?.try_into().map_err(|_| FrameError::Malformed("a field has another length than it must have"))
    }

    /// Makes sure that nothing is left.
    pub fn end(self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::Malformed("bytes follow the last field")) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn frame() -> Vec<u8> {
        encode(9, 7, &[b"one", b"", "zwölf".as_bytes()]).expect("it is short")
    }

    /// Feeds `bytes` in pieces of `piece` bytes.
    fn arrive(arrivals: &mut Arrivals, mut bytes: &[u8], piece: usize) {
        while !bytes.is_empty() {
            arrivals.fill(|room| bytes.by_ref().take(piece as u64).read(room)).expect("there are bytes");
        }
    }

    #[test]
    fn a_frame_comes_back_field_by_field() {
        for piece in [1, 3, 1000] {
            let mut arrivals = Arrivals::default();
            arrive(&mut arrivals, &frame(), piece);
            let body = arrivals.take(100).expect("it is well-formed").expect("it is whole");
            let mut fields = Fields::new(&body).expect("it has a tag");
            assert_eq!((fields.number, fields.tag), (9, 7));
            assert_eq!(fields.take().expect("the first"), b"one");
            assert_eq!(fields.take().expect("the second"), b"");
            assert_eq!(fields.text().expect("the third"), "zwölf");
            fields.end().expect("nothing follows");
        }
    }

    #[test]
    fn frames_that_arrive_together_come_one_by_one() {
        let large = encode(1, 2, &[&vec![b'x'; 3 * CHUNK]]).expect("it is short enough");
        let mut arrivals = Arrivals::default();
        arrive(&mut arrivals, &[frame(), large.clone(), frame()].concat(), 1000);
        for expected in [frame(), large, frame()] {
            assert_eq!(arrivals.take(4 * CHUNK).expect("it is well-formed").expect("it is whole"), expected[4..]);
        }
        assert!(arrivals.take(100).expect("nothing is wrong").is_none());
        assert!(arrivals.bytes.capacity() <= 2 * CHUNK, "what a large frame took is given back");
    }

    #[test]
    fn a_length_above_the_limit_is_refused_and_nothing_is_allocated_for_it() {
        let mut arrivals = Arrivals::default();
        arrive(&mut arrivals, &[0xff; 6], 6);
        let error = arrivals.take(100).expect_err("4 GiB are too many");
        assert!(matches!(error, FrameError::TooLarge { size: 0xffff_ffff, limit: 100 }), "{error}");
        assert!(arrivals.bytes.capacity() <= CHUNK);
    }

    #[test]
    fn every_cut_of_a_frame_is_noticed() {
        let whole = frame();
        for cut in 0..whole.len() {
            let mut arrivals = Arrivals::default();
            arrive(&mut arrivals, &whole[..cut], 1000);
            assert!(arrivals.take(100).expect("nothing is wrong yet").is_none(), "{cut}");
            assert!(matches!(arrivals.fill(|_| Ok(0)), Err(FrameError::Closed)), "{cut}");
        }
        let body = &whole[4..];
        for cut in 0..body.len() {
            let read_all = || -> Result<(), FrameError> {
                let mut fields = Fields::new(&body[..cut])?;
                fields.take()?;
                fields.take()?;
                fields.text()?;
                fields.end()
            };
            assert!(matches!(read_all(), Err(FrameError::Malformed(_))), "{cut}");
        }
    }
}
