//! Bytes over a socket, with a descriptor beside them (`SCM_RIGHTS`).

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// Sends a copy of `descriptor` with as many of the bytes as go at once; returns how many.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptor: BorrowedFd<'_>, flags: SendFlags) -> io::Result<usize> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // The space is made for exactly one.
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags | SendFlags::NOSIGNAL)?)
}

/// Receives bytes, and adds a descriptor that comes with them. It is closed on `exec`.
pub fn receive(socket: impl AsFd, bytes: &mut [u8], descriptors: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok(message.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_arrives_as_the_same_open_file_in_the_midst_of_bytes() {
        let (mut ours, theirs) = UnixStream::pair().expect("a socket pair");
        let (mut reader, writer) = io::pipe().expect("a pipe");
        ours.write_all(b"before ").expect("the pair is open");
        assert_eq!(send(&ours, b"with it", writer.as_fd(), SendFlags::empty()).expect("the pair is open"), 7);
        ours.write_all(b" after").expect("the pair is open");
        drop((writer, ours));
        let (mut text, mut descriptors) = (Vec::new(), VecDeque::new());
        let mut chunk = [0; 64];
        while let read @ 1.. = receive(&theirs, &mut chunk, &mut descriptors).expect("the pair is open") {
            text.extend_from_slice(&chunk[..read]);
        }
        assert_eq!(text, b"before with it after");
        let received = descriptors.pop_front().expect("it was sent");
        io::PipeWriter::from(received).write_all(b"through").expect("the pipe is open");
        let mut through = String::new();
        reader.read_to_string(&mut through).expect("the writer is closed");
        assert_eq!(through, "through");
    }
}
