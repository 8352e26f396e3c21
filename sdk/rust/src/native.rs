//! A plugin as a native library: the symbols of `pocket_plugin.h`, and what the engine offers to it.
//!
//! A native plugin starts once and then serves many calls, one at a time, so what [`Plugin::start`](crate::Plugin::start)
//! returns may keep connections and caches. Its process ends without warning when a call exceeds its deadline.
//!
//! A panic does not end the process: the call returns an error of kind `failed` with the panic's message, and the plugin goes
//! on. What the panicking call left half-done stays so; hold such state under a `Mutex`, whose poison tells.

pub mod host;

use std::ffi::{c_char, c_int, c_uint};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

pub use self::host::HostTable;
use crate::{Error, Plugin, Settings, run_text};

/// `POCKET_PLUGIN_ABI`.
pub const ABI: c_uint = 1;

/// Where an exported plugin lives. [`export!`](crate::export) makes one.
pub type Slot<P> = OnceLock<P>;

/// `pocket_text`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    data: *const c_char,
    size: usize,
}

/// `pocket_buffer`.
#[repr(C)]
pub struct Buffer {
    data: *mut c_char,
    size: usize,
}

impl Text {
    fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), size: text.len() }
    }

    /// # Safety
    /// `size` bytes are readable at `data`, and stay so for `'a`.
    unsafe fn as_str<'a>(self) -> Result<&'a str, Error> {
        if self.size == 0 {
            return Ok("");
        }
        // SAFETY: the caller promises it.
        let bytes = unsafe { std::slice::from_raw_parts(self.data.cast(), self.size) };
        std::str::from_utf8(bytes).map_err(|_| Error::failed("the engine sent a text that is not UTF-8"))
    }
}

impl Buffer {
    fn of(text: String) -> Self {
        let text = Box::leak(text.into_boxed_str());
        Self { data: text.as_mut_ptr().cast(), size: text.len() }
    }
}

/// `pocket_plugin_start`.
///
/// # Safety
/// The arguments are as `pocket_plugin.h` says.
#[doc(hidden)]
pub unsafe fn start<P: Plugin>(slot: &Slot<P>, host: *const HostTable, settings: Text, error: *mut Buffer) -> c_int {
    host::remember(host);
    let started = caught(|| {
        // SAFETY: the engine keeps the settings until this function returns.
        let settings = unsafe { settings.as_str() }?;
        let settings = serde_json::from_str(settings)
            .map_err(|error| Error::invalid_input(format!("the settings do not fit: {error}")))?;
        started(slot, &settings).map(drop)
    });
    match started {
        Ok(()) => 0,
        Err(reason) => {
            // SAFETY: the engine lends a buffer to write to.
            unsafe { error.write(Buffer::of(error_text(&reason))) };
            1
        }
    }
}

/// `pocket_plugin_run`.
///
/// # Safety
/// The arguments are as `pocket_plugin.h` says.
#[doc(hidden)]
pub unsafe fn run<P: Plugin>(slot: &'static Slot<P>, texts: [Text; 4], result: *mut Buffer) -> c_int {
    let ran = caught(|| {
        // SAFETY: the engine keeps the texts until this function returns.
        let text = |at: usize| unsafe { texts[at].as_str() };
        let (node, texts) = (text(0)?, [text(1)?, text(2)?, text(3)?]);
        Ok(run_text::<P, &P>(|settings| started(slot, settings), node, texts))
    });
    let (code, text) = match ran {
        Ok(Ok(reply)) => (0, reply),
        Ok(Err(error)) => (1, error),
        Err(error) => (1, error_text(&error)),
    };
    // SAFETY: the engine lends a buffer to write to.
    unsafe { result.write(Buffer::of(text)) };
    code
}

/// `pocket_plugin_free`.
///
/// # Safety
/// The buffer was filled by this library, or is empty, and is freed once.
#[doc(hidden)]
pub unsafe fn free(buffer: Buffer) {
    if !buffer.data.is_null() {
        // SAFETY: a buffer with data comes from `Buffer::of`, which leaked a box of that size.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(buffer.data.cast::<u8>(), buffer.size)) });
    }
}

/// The plugin, started at the first time.
fn started<'a, P: Plugin>(slot: &'a Slot<P>, settings: &Settings) -> Result<&'a P, Error> {
    if let Some(plugin) = slot.get() {
        return Ok(plugin);
    }
    let plugin = P::start(settings)?;
    Ok(slot.get_or_init(|| plugin))
}

/// A panic must not unwind into the engine's frames: it becomes an error of the call.
fn caught<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(Error::failed(format!("the plugin panicked: {}", message.unwrap_or("without a message"))))
    })
}

fn error_text(error: &Error) -> String {
    serde_json::to_string(error).unwrap_or_else(|_| error.message.clone())
}

/// Exports a type that implements [`Plugin`](crate::Plugin) with the symbols of `pocket_plugin.h`.
#[doc(hidden)]
#[macro_export]
macro_rules! export_native {
    ($plugin:ty) => {
        const _: () = {
            use $crate::native::{Buffer, HostTable, Slot, Text};

            static PLUGIN: Slot<$plugin> = Slot::new();

            #[unsafe(no_mangle)]
            extern "C" fn pocket_plugin_abi() -> ::std::ffi::c_uint {
                $crate::native::ABI
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn pocket_plugin_start(
                host: *const HostTable,
                settings: Text,
                error: *mut Buffer,
            ) -> ::std::ffi::c_int {
                // SAFETY: the engine's promises are passed on unchanged.
                unsafe { $crate::native::start(&PLUGIN, host, settings, error) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn pocket_plugin_run(
                node: Text,
                config: Text,
                input: Text,
                context: Text,
                result: *mut Buffer,
            ) -> ::std::ffi::c_int {
                // SAFETY: the engine's promises are passed on unchanged.
                unsafe { $crate::native::run(&PLUGIN, [node, config, input, context], result) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn pocket_plugin_free(buffer: Buffer) {
                // SAFETY: the engine's promises are passed on unchanged.
                unsafe { $crate::native::free(buffer) }
            }
        };
    };
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Context, Node, Nodes, Reply};

    struct Double {
        by: i64,
    }

    impl Node for Double {
        type Config = Value;
        type Input = i64;
        type Output = i64;

        fn run(&self, _: Value, input: i64, _: &Context) -> Result<Reply<i64>, Error> {
            assert!(input != 13, "thirteen is not doubled");
            Ok(Reply::new(input * self.by).with_action("doubled"))
        }
    }

    impl Plugin for Double {
        fn start(settings: &Settings) -> Result<Self, Error> {
            let by = settings.get("by").and_then(Value::as_i64);
            Ok(Self { by: by.ok_or_else(|| Error::invalid_input("`by` is missing"))? })
        }

        fn nodes(&self) -> Nodes<'_> {
            Nodes::new().with("double", self)
        }
    }

    fn take(buffer: Buffer) -> Value {
        let text = Text { data: buffer.data, size: buffer.size };
        // SAFETY: the buffer was just filled and is freed below, once.
        let value = serde_json::from_str(unsafe { text.as_str() }.expect("it is UTF-8")).expect("it is JSON");
        // SAFETY: as above; the value is a copy.
        unsafe { free(buffer) };
        value
    }

    fn run_double(slot: &'static Slot<Double>, input: &str) -> (c_int, Value) {
        let mut buffer = Buffer { data: std::ptr::null_mut(), size: 0 };
        let texts = ["double", "null", input, r#"{"settings":{"by":2}}"#].map(Text::of);
        // SAFETY: the texts and the buffer outlive the call.
        let code = unsafe { run(slot, texts, &mut buffer) };
        (code, take(buffer))
    }

    #[test]
    fn a_call_goes_from_texts_to_a_buffer() {
        static SLOT: Slot<Double> = Slot::new();
        assert_eq!(run_double(&SLOT, "21"), (0, json!({"output": 42, "action": "doubled"})));
    }

    #[test]
    fn a_panic_is_an_error_and_the_plugin_goes_on() {
        static SLOT: Slot<Double> = Slot::new();
        let expected = json!({"kind": "failed", "message": "the plugin panicked: thirteen is not doubled"});
        assert_eq!(run_double(&SLOT, "13"), (1, expected));
        assert_eq!(run_double(&SLOT, "14").0, 0);
    }

    #[test]
    fn a_plugin_that_cannot_start_says_why() {
        let slot = Slot::<Double>::new();
        let mut buffer = Buffer { data: std::ptr::null_mut(), size: 0 };
        // SAFETY: the text and the buffer outlive the call; no host table is given.
        let code = unsafe { start(&slot, std::ptr::null(), Text::of("{}"), &mut buffer) };
        assert_eq!((code, take(buffer)), (1, json!({"kind": "invalid_input", "message": "`by` is missing"})));
    }

    #[test]
    fn an_empty_buffer_is_freed_as_well() {
        // SAFETY: it is empty.
        unsafe { free(Buffer { data: std::ptr::null_mut(), size: 0 }) };
    }
}
