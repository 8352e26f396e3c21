//! What this machine's kernel can hold a native plugin with.

use std::ffi::{c_long, c_uint, c_ulong};

use landlock::{AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};

/// What a kernel can hold a process with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// By the files that it may use: Landlock.
    pub files: bool,
    /// By the system calls that it may make: seccomp.
    pub system_calls: bool,
}

impl Kernel {
    /// This machine's. Nothing is confined by asking.
    pub fn of_this_machine() -> Self {
        Self { files: has_landlock(), system_calls: has_seccomp() }
    }

    /// Whether it can do all that is wanted.
    pub fn confines(self) -> bool {
        self.files && self.system_calls
    }

    /// What a plugin does that runs all the same; a sentence without its subject.
    pub fn consequence(self) -> String {
        let what = match (self.files, self.system_calls) {
            (true, true) => return "does what it was granted".to_owned(),
            (false, true) => "reads and writes every file that you may",
            (true, false) => "makes any system call",
            (false, false) => "does whatever you may",
        };
        format!("{what}: {}", self.lack())
    }

    /// What is missing, as a sentence.
    pub fn lack(self) -> &'static str {
        match (self.files, self.system_calls) {
            (true, true) => "this kernel has Landlock and seccomp",
            (false, true) => "this kernel has no Landlock",
            (true, false) => "this kernel has no seccomp",
            (false, false) => "this kernel has neither Landlock nor seccomp",
        }
    }
}

fn has_landlock() -> bool {
    let strict = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    strict.handle_access(AccessFs::ReadFile).and_then(Ruleset::create).is_ok()
}

fn has_seccomp() -> bool {
    let action: c_uint = libc::SECCOMP_RET_TRAP;
    // SAFETY: this asks whether the action behind the pointer, which lives as long as the call, is known, and changes nothing.
    let answer: c_long = unsafe {
        libc::syscall(libc::SYS_seccomp, c_ulong::from(libc::SECCOMP_GET_ACTION_AVAIL), 0, &raw const action)
    };
    answer == 0
}
