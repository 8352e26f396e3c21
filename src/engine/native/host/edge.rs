//! Where the stack ends for an exception that a plugin lets escape.
//!
//! Whoever throws one looks for a handler first, frame by frame, and unwinds nothing until there is one. Rust's own start-up code
//! would be found, which cannot take it and ends the process without a word about it. A frame without a description ends the search:
//! then C++ ends the process where the exception was thrown, and writes its type and `what()` down.

use std::ffi::c_int;

/// What runs beyond the edge. Not `extern "C"`: that has a handler, which says nothing of the exception.
pub type Work = extern "C-unwind" fn() -> c_int;

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".text",
    ".globl pocket_native_edge",
    ".hidden pocket_native_edge",
    ".type pocket_native_edge,@function",
    "pocket_native_edge:",
    "push rbp",
    "mov rbp, rsp",
    "call rdi",
    "pop rbp",
    "ret",
    ".size pocket_native_edge, . - pocket_native_edge",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".text",
    ".globl pocket_native_edge",
    ".hidden pocket_native_edge",
    ".type pocket_native_edge,@function",
    "pocket_native_edge:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "blr x0",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".size pocket_native_edge, . - pocket_native_edge",
);

/// Runs `work`, out of which no exception is followed.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub fn run(work: Work) -> c_int {
    unsafe extern "C" {
        fn pocket_native_edge(work: Work) -> c_int;
    }
    // SAFETY: the function above calls its argument with an aligned stack, keeps the registers that it must, and returns what that
    // returns. Nothing unwinds through it: the search for a handler ends at it, and without a handler nothing unwinds.
    unsafe { pocket_native_edge(work) }
}

/// Elsewhere an exception that escapes ends the process all the same, without its text.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn run(work: Work) -> c_int {
    work()
}
