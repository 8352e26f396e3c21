//! Native plugins where there is no way to confine them: they are refused.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use pocket_index::digest::Digest;

use super::error::CallError;
use super::plugin::{Border, Call, PluginFiles, Reply, Usage};

/// The hidden subcommand that turns the program into a plugin's host.
pub const HOST_ARGUMENT: &str = "__plugin-host";

const REASON: &str = "native plugins run on Linux only, where they can be confined; a WebAssembly or Lua build of the plugin runs everywhere";

/// What to do where the kernel lacks Landlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confinement {
    /// Native plugins do not run there.
    #[default]
    Required,
    /// They run with access to the user's files: the user said so.
    AllowUnconfined,
}

/// What a kernel can hold a process with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// By the files that it may use.
    pub files: bool,
    /// By the system calls that it may make.
    pub system_calls: bool,
}

impl Kernel {
    /// Nothing is known of other systems.
    pub fn of_this_machine() -> Self {
        Self { files: false, system_calls: false }
    }

    /// It cannot.
    pub fn confines(self) -> bool {
        false
    }

    /// What a plugin does that runs all the same; a sentence without its subject.
    pub fn consequence(self) -> String {
        "is not run".to_owned()
    }

    /// What is missing, as a sentence.
    pub fn lack(self) -> &'static str {
        "this system cannot confine processes"
    }
}

/// How native plugins are held.
#[derive(Debug, Clone)]
pub struct NativeOptions {
    /// The program that is executed as `<program> __plugin-host`.
    pub host_program: PathBuf,
    /// What the library's file must be; `None` takes what is there.
    pub library_digest: Option<Digest>,
    /// What to do where the kernel cannot confine file access.
    pub confinement: Confinement,
}

/// No value of this exists here.
pub enum NativePlugin {}

impl NativePlugin {
    /// Says that there are no native plugins here.
    pub fn load(_: &PluginFiles, _: Border, _: NativeOptions) -> Result<Self, CallError> {
        Err(CallError::load(REASON))
    }

    /// Never happens.
    pub fn call(&self, _: &Call<'_>) -> Result<Reply, CallError> {
        match *self {}
    }

    /// Never happens.
    pub fn usage(&self) -> Usage {
        match *self {}
    }

    /// Never happens.
    pub fn unload(&self, _: Instant) {
        match *self {}
    }
}

/// Says that there are no native plugins here.
pub fn describe(_: &Path, _: &NativeOptions) -> Result<Option<String>, CallError> {
    Err(CallError::load(REASON))
}

/// Says that there are no native plugins here.
pub fn run_host() -> ExitCode {
    eprintln!("error: {REASON}");
    ExitCode::FAILURE
}
