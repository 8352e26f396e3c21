//! The plugin's library in this process, and its functions as safe ones.

use std::os::fd::{AsRawFd, OwnedFd};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::super::message::FromHost;
use super::abi::{self, ABI, AbiFn, Buffer, DescribeFn, FreeFn, RunFn, StartFn, StopFn, Text};
use super::crash;
use super::table::HOST;

/// A plugin's error may have this many bytes even where outputs must be smaller.
const MIN_ERROR_BYTES: u64 = 64 << 10;

/// A loaded plugin.
pub struct PluginLibrary {
    run: RunFn,
    free: FreeFn,
    start: Option<StartFn>,
    stop: Option<StopFn>,
    describe: Option<DescribeFn>,
    max_output: u64,
}

/// What a node's function did.
pub enum Outcome {
    /// It returned 0.
    Returned(String),
    /// It returned something else.
    Raised(String),
    /// The result is larger than allowed.
    TooLarge,
    /// The result is no text.
    Unusable(String),
}

impl Outcome {
    /// How the engine is told.
    pub fn message(&self) -> FromHost<'_> {
        match self {
            Self::Returned(text) => FromHost::Returned(text),
            Self::Raised(text) => FromHost::Raised(text),
            Self::TooLarge => FromHost::TooLarge,
            Self::Unusable(reason) => FromHost::Unusable(reason),
        }
    }
}

impl PluginLibrary {
    /// Loads the library that stands behind the descriptor. Its initialisers run here: the process is confined by now.
    pub fn load(file: OwnedFd, max_output: u64) -> Result<Self, String> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // SAFETY: loading runs foreign code, which may do anything to this process. The process holds nothing but that
        // plugin, and what it can reach was taken away before.
        let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| e.to_string())?;
        // A library that is never unloaded keeps its functions valid for the life of the process.
        let library: &'static Library = Box::leak(Box::new(library));
        let abi: AbiFn = required(library, "pocket_plugin_abi")?;
        // SAFETY: the header gives the symbol this type; it takes nothing and returns a number.
        let found = unsafe { abi() };
        if found != ABI {
            return Err(format!(
                "it is made for version {found} of the plugin interface, this engine serves version {ABI}"
            ));
        }
        crash::set_library(abi as usize);
        Ok(Self {
            run: required(library, "pocket_plugin_run")?,
            free: required(library, "pocket_plugin_free")?,
            start: symbol(library, "pocket_plugin_start"),
            stop: symbol(library, "pocket_plugin_stop"),
            describe: symbol(library, "pocket_plugin_describe"),
            max_output,
        })
    }

    /// Starts the plugin, if it wants to be started. The error is the plugin's.
    pub fn start(&self, settings: &str) -> Result<(), String> {
        let Some(start) = self.start else { return Ok(()) };
        let mut buffer = Buffer::EMPTY;
        // SAFETY: the texts and the buffer live until the function returns, and the host table for ever.
        let code = unsafe { start(&HOST, Text::of(settings), &mut buffer) };
        match self.outcome(code, buffer) {
            _ if code == 0 => Ok(()),
            Outcome::Returned(text) | Outcome::Raised(text) | Outcome::Unusable(text) => Err(text),
            Outcome::TooLarge => Err("the plugin did not start, with an error that is too long".to_owned()),
        }
    }

    /// Runs a node.
    pub fn run(&self, node: &str, config: &str, input: &str, context: &str) -> Outcome {
        let mut buffer = Buffer::EMPTY;
        let [node, config, input, context] = [node, config, input, context].map(Text::of);
        // SAFETY: the texts and the buffer live until the function returns.
        let code = unsafe { (self.run)(node, config, input, context, &mut buffer) };
        self.outcome(code, buffer)
    }

    /// The plugin's manifest; empty when it has none.
    pub fn describe(&self) -> Result<String, String> {
        let Some(describe) = self.describe else { return Ok(String::new()) };
        // SAFETY: the function takes nothing, and the header promises that its text lives as long as the library.
        let bytes = unsafe { abi::bytes(describe()) }.ok_or("its description is a null pointer with a size")?;
        String::from_utf8(bytes.to_owned()).map_err(|_| "its description is not UTF-8".to_owned())
    }

    /// Stops the plugin.
    pub fn stop(&self) {
        if let Some(stop) = self.stop {
            // SAFETY: the function takes nothing and is called once, last.
            unsafe { stop() }
        }
    }

    /// Copies the plugin's buffer and gives it back.
    fn outcome(&self, code: i32, buffer: Buffer) -> Outcome {
        let limit = if code == 0 { self.max_output } else { self.max_output.max(MIN_ERROR_BYTES) };
        let outcome = if buffer.size as u64 > limit {
            Outcome::TooLarge
        } else {
            // SAFETY: the plugin filled the buffer, and keeps it until it is given back below.
            match unsafe { abi::bytes(buffer.text()) }.map(|bytes| String::from_utf8(bytes.to_owned())) {
                None => Outcome::Unusable("its result is a null pointer with a size".to_owned()),
                Some(Err(_)) => Outcome::Unusable("its result is not UTF-8".to_owned()),
                Some(Ok(text)) if code == 0 => Outcome::Returned(text),
                Some(Ok(text)) => Outcome::Raised(text),
            }
        };
        // SAFETY: the buffer is the plugin's, and nobody reads it any more.
        unsafe { (self.free)(buffer) };
        outcome
    }
}

fn required<T: Copy + 'static>(library: &'static Library, name: &str) -> Result<T, String> {
    symbol(library, name).ok_or_else(|| format!("it does not export `{name}`, which `pocket_plugin.h` asks for"))
}

fn symbol<T: Copy + 'static>(library: &'static Library, name: &str) -> Option<T> {
    // SAFETY: the callers name the symbols with the types that the header gives them.
    unsafe { library.get::<T>(name) }.ok().map(|symbol| *symbol)
}
