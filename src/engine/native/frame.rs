//! Frames: `u32` length, one byte that says what it is, then fields of `u32` length and bytes. All lengths big-endian.
//!
//! The reader trusts no length: a frame above its limit is refused before anything is allocated for it, and what is
//! allocated grows with what really arrives.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Bytes around the contents of a frame: its length, its tag and the lengths of up to eight fields.
pub const OVERHEAD: usize = 64;

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

/// Writes one frame.
pub fn write_frame(writer: &mut impl Write, tag: u8, fields: &[&[u8]]) -> Result<(), FrameError> {
    let size = 1 + fields.iter().map(|field| 4 + field.len()).sum::<usize>();
    let length = u32::try_from(size).map_err(|_| FrameError::TooLarge { size, limit: u32::MAX as usize })?;
    let mut bytes = Vec::with_capacity(4 + size);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(tag);
    for field in fields {
        bytes.extend_from_slice(&(field.len() as u32).to_be_bytes()); // no field is longer than the frame
        bytes.extend_from_slice(field);
    }
    Ok(writer.write_all(&bytes)?)
}

/// Reads the body of one frame, which may have `limit` bytes at most.
pub fn read_frame(reader: &mut impl Read, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut length = [0; 4];
    reader.read_exact(&mut length)?;
    let size = u32::from_be_bytes(length) as usize;
    if size > limit {
        return Err(FrameError::TooLarge { size, limit });
    }
    let mut body = Vec::new();
    reader.take(size as u64).read_to_end(&mut body)?;
    if body.len() < size { Err(FrameError::Closed) } else { Ok(body) }
}

/// Takes a frame's body apart: its tag and exactly `N` fields come from [`Fields::take`] and [`Fields::end`].
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The tag and what follows it.
    pub fn new(body: &'a [u8]) -> Result<(u8, Self), FrameError> {
        let (tag, rest) = body.split_first().ok_or(FrameError::Malformed("it is empty"))?;
        Ok((*tag, Self(rest)))
    }

    /// The next field.
    pub fn take(&mut self) -> Result<&'a [u8], FrameError> {
        let truncated = FrameError::Malformed("a field is cut off");
        let Some((length, rest)) = self.0.split_first_chunk::<4>() else { return Err(truncated) };
        let Some((field, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            return Err(truncated);
        };
        self.0 = rest;
        Ok(field)
    }

    /// The next field as text.
    pub fn text(&mut self) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.take()?).map_err(|_| FrameError::Malformed("a field is not UTF-8"))
    }

    /// Makes sure that nothing is left.
    pub fn end(self) -> Result<(), FrameError> {
        if self.0.is_empty() { Ok(()) } else { Err(FrameError::Malformed("bytes follow the last field")) }
    }
}

/// A socket whose reads and writes end at a deadline.
pub struct Timed<'a> {
    /// The socket.
    pub socket: &'a UnixStream,
    /// When a read or write gives up.
    pub deadline: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, 7, &[b"one", b"", "zwölf".as_bytes()]).expect("a Vec takes everything");
        bytes
    }

    #[test]
    fn a_frame_comes_back_field_by_field() {
        let body = read_frame(&mut frame().as_slice(), 100).expect("it is whole");
        let (tag, mut fields) = Fields::new(&body).expect("it has a tag");
        assert_eq!(tag, 7);
        assert_eq!(fields.take().expect("the first"), b"one");
        assert_eq!(fields.take().expect("the second"), b"");
        assert_eq!(fields.text().expect("the third"), "zwölf");
        fields.end().expect("nothing follows");
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_read() {
        let error = read_frame(&mut [0xff, 0xff, 0xff, 0xff].as_slice(), 100).expect_err("4 GiB are too many");
        assert!(matches!(error, FrameError::TooLarge { size: 0xffff_ffff, limit: 100 }), "{error}");
    }

    #[test]
    fn every_cut_of_a_frame_is_noticed() {
        let whole = frame();
        for cut in 0..whole.len() {
            let error = read_frame(&mut &whole[..cut], 100).expect_err("it is cut");
            assert!(matches!(error, FrameError::Closed), "{cut}: {error}");
        }
        let body = &whole[4..];
        for cut in 0..body.len() {
            let read_all = || -> Result<(), FrameError> {
                let (_, mut fields) = Fields::new(&body[..cut])?;
                fields.take()?;
                fields.take()?;
                fields.text()?;
                fields.end()
            };
            assert!(matches!(read_all(), Err(FrameError::Malformed(_))), "{cut}");
        }
    }

    #[test]
    fn a_read_ends_at_its_deadline() {
        let (ours, _theirs) = UnixStream::pair().expect("a socket pair");
        let deadline = Instant::now() + Duration::from_millis(5);
        let error = read_frame(&mut Timed { socket: &ours, deadline }, 100).expect_err("nobody writes");
        assert!(matches!(error, FrameError::TimedOut), "{error}");
    }
}
