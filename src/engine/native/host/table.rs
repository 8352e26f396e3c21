//! What a plugin is given at its start: the functions of `pocket_host`.

use std::ffi::{c_char, c_int, c_uint};
use std::os::fd::IntoRawFd;

use super::abi::{self, Buffer, CONNECT_UNAVAILABLE, Host, Text};
use super::channel::Channel;

/// Longer log texts are cut: the engine takes no longer lines anyway.
const MAX_LOG_BYTES: usize = 8 << 10;

/// The table. It only ever grows at its end.
pub static HOST: Host =
    Host { size: size_of::<Host>(), log: host_log, connect: host_connect, http: host_http, release: host_release };

/// `log` of `pocket_host`.
///
/// # Safety
/// `text` is as the header says.
unsafe extern "C" fn host_log(level: c_int, text: Text) {
    // SAFETY: the plugin promises a readable text by calling this function.
    let Some(bytes) = (unsafe { abi::bytes(text) }) else { return };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_LOG_BYTES)]);
    let level = level.clamp(0, 3) as u8; // just clamped
    if let Some(channel) = Channel::get() {
        channel.log(level, &text);
    }
}

/// `connect` of `pocket_host`.
///
/// # Safety
/// `host` is as the header says, and `error` is null or has room for `capacity` bytes.
unsafe extern "C" fn host_connect(host: Text, port: c_uint, error: *mut c_char, capacity: usize) -> c_int {
    // SAFETY: the plugin promises a readable text by calling this function.
    let host = unsafe { abi::bytes(host) }.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let result = match (Channel::get(), host, u16::try_from(port)) {
        (Some(channel), Some(host), Ok(port)) => channel.connect(host, port),
        (None, _, _) => Err((CONNECT_UNAVAILABLE, "the host is not ready".to_owned())),
        (_, None, _) => Err((CONNECT_UNAVAILABLE, "the host name is no UTF-8 text".to_owned())),
        (_, _, Err(_)) => Err((CONNECT_UNAVAILABLE, format!("{port} is no port"))),
    };
    match result {
        Ok(descriptor) => descriptor.into_raw_fd(),
        Err((code, reason)) => {
            // SAFETY: the plugin promises `capacity` writable bytes by calling this function.
            unsafe { write_reason(&reason, error, capacity) };
            code
        }
    }
}

/// Writes as much of `reason` as fits, and a zero byte.
///
/// # Safety
/// `error` is null or has room for `capacity` bytes.
unsafe fn write_reason(reason: &str, error: *mut c_char, capacity: usize) {
    if error.is_null() || capacity == 0 {
        return;
    }
    let end = reason.floor_char_boundary(capacity - 1);
    // SAFETY: `end` is below `capacity`, which the caller vouches for; the two cannot overlap, since `reason` is ours.
    unsafe {
        std::ptr::copy_nonoverlapping(reason.as_ptr().cast(), error, end);
        *error.add(end) = 0;
    }
}

/// `http` of `pocket_host`.
///
/// # Safety
/// The texts are as the header says, and `head` and `answer` can be written.
unsafe extern "C" fn host_http(request: Text, body: Text, head: *mut Buffer, answer: *mut Buffer) -> c_int {
    // SAFETY: the plugin promises readable texts by calling this function.
    let (request, body) = unsafe { (abi::bytes(request), abi::bytes(body)) };
    let request = request.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let result = match (Channel::get(), request, body) {
        (Some(channel), Some(request), Some(body)) => channel.http(request, body),
        (None, ..) => Err((CONNECT_UNAVAILABLE, "the host is not ready".to_owned())),
        _ => Err((CONNECT_UNAVAILABLE, "the request is no UTF-8 text".to_owned())),
    };
    let (code, texts) = match result {
        Ok(texts) => (0, texts),
        Err((code, reason)) => (code, (reason.into_bytes(), Vec::new())),
    };
    // SAFETY: the plugin promises two buffers to write by calling this function.
    unsafe {
        head.write(Buffer::of(texts.0));
        answer.write(Buffer::of(texts.1));
    }
    code
}

/// `release` of `pocket_host`.
///
/// # Safety
/// The buffer comes from `http` and is released once.
unsafe extern "C" fn host_release(buffer: Buffer) {
    // SAFETY: the plugin promises so by calling this function.
    unsafe { buffer.release() }
}
