//! `sdk/c/pocket_plugin.h` in Rust.

use std::ffi::{c_char, c_int, c_uint};

/// `POCKET_PLUGIN_ABI`: the version of the interface that this host serves.
pub const ABI: c_uint = 1;

/// `POCKET_CONNECT_UNAVAILABLE`. The other codes come from the engine.
pub const CONNECT_UNAVAILABLE: c_int = -4;

/// `pocket_text`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    /// UTF-8; may be null when `size` is 0.
    pub data: *const c_char,
    /// Bytes.
    pub size: usize,
}

/// `pocket_buffer`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buffer {
    /// UTF-8; may be null when `size` is 0.
    pub data: *mut c_char,
    /// Bytes.
    pub size: usize,
}

/// `pocket_host`.
#[repr(C)]
pub struct Host {
    /// `sizeof(pocket_host)`.
    pub size: usize,
    /// Writes a line to the plugin's log.
    pub log: unsafe extern "C" fn(level: c_int, text: Text),
    /// Opens a connection.
    pub connect: unsafe extern "C" fn(host: Text, port: c_uint, error: *mut c_char, error_capacity: usize) -> c_int,
    /// Sends an HTTP request.
    pub http: unsafe extern "C" fn(request: Text, body: Text, head: *mut Buffer, answer: *mut Buffer) -> c_int,
    /// Takes a buffer back that the host made.
    pub release: unsafe extern "C" fn(buffer: Buffer),
}

/// `pocket_plugin_abi`.
pub type AbiFn = unsafe extern "C" fn() -> c_uint;
/// `pocket_plugin_start`.
pub type StartFn = unsafe extern "C" fn(host: *const Host, settings: Text, error: *mut Buffer) -> c_int;
/// `pocket_plugin_run`.
pub type RunFn =
    unsafe extern "C" fn(node: Text, config: Text, input: Text, context: Text, result: *mut Buffer) -> c_int;
/// `pocket_plugin_free`.
pub type FreeFn = unsafe extern "C" fn(buffer: Buffer);
/// `pocket_plugin_stop`.
pub type StopFn = unsafe extern "C" fn();
/// `pocket_plugin_describe`.
pub type DescribeFn = unsafe extern "C" fn() -> Text;

impl Text {
    /// `text`, for as long as it lives.
    pub fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), size: text.len() }
    }
}

impl Buffer {
    /// Nothing yet.
    pub const EMPTY: Self = Self { data: std::ptr::null_mut(), size: 0 };

    /// Bytes of the host's, which [`Buffer::release`] takes back.
    pub fn of(bytes: Vec<u8>) -> Self {
        let bytes = Box::leak(bytes.into_boxed_slice());
        Self { data: bytes.as_mut_ptr().cast(), size: bytes.len() }
    }

    /// Takes the bytes back.
    ///
    /// # Safety
    /// The buffer is empty, or comes from [`Buffer::of`] and is released once.
    pub unsafe fn release(self) {
        if !self.data.is_null() {
            let bytes = std::ptr::slice_from_raw_parts_mut(self.data.cast::<u8>(), self.size);
            // SAFETY: `of` made it from a box of that size, and the caller promises that nobody else releases it.
            drop(unsafe { Box::from_raw(bytes) });
        }
    }

    /// The same bytes as a text.
    pub fn text(self) -> Text {
        Text { data: self.data, size: self.size }
    }
}

/// The bytes of a text that foreign code made; `None` for a null pointer with a size.
///
/// # Safety
/// If `text.data` is not null, `text.size` bytes are readable there and stay unchanged for `'a`.
pub unsafe fn bytes<'a>(text: Text) -> Option<&'a [u8]> {
    match (text.data.is_null(), text.size) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: the pointer is not null and the caller promises the rest.
        (false, size) => Some(unsafe { std::slice::from_raw_parts(text.data.cast(), size) }),
    }
}
