//! What happens when the filter refuses a system call: its number is written down and the process ends.

use std::ffi::{c_int, c_void};
use std::io;

use super::super::syscalls::{REFUSED_LINE, REFUSED_STATUS};

/// What `siginfo_t` holds for SIGSYS on Linux with 64 bits (`signal.h`, `_sigsys`).
#[repr(C)]
struct SysInfo {
    signal: c_int,
    errno: c_int,
    code: c_int,
    padding: c_int,
    address: *mut c_void,
    number: c_int,
    architecture: u32,
}

/// Installs the handler. The filter keeps plugins from replacing it.
pub fn install() -> io::Result<()> {
    // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_refused;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the action is fully initialised, and the old one is not asked for.
    let result = unsafe { libc::sigaction(libc::SIGSYS, &action, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Only what is safe in a signal handler: no allocation, no lock.
extern "C" fn on_refused(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel hands over a siginfo of SIGSYS, whose layout is `SysInfo`.
    let number = unsafe { (*info.cast::<SysInfo>()).number };
    let mut line = [0; 64];
    let line = write_line(&mut line, number.unsigned_abs());
    // SAFETY: the line is initialised memory; `write` and `_exit` are safe in signal handlers. If standard error is closed,
    // the number is lost and the exit status still says what happened.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
        libc::_exit(REFUSED_STATUS)
    }
}

/// A line end (the plugin may be in the midst of a line), the words and the number in decimal.
fn write_line(line: &mut [u8; 64], number: u32) -> &[u8] {
    const { assert!(REFUSED_LINE.len() + 12 <= 64, "the words and ten digits fit") };
    let start = 1 + REFUSED_LINE.len();
    line[0] = b'\n';
    line[1..start].copy_from_slice(REFUSED_LINE.as_bytes());
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for at in (start..start + digits).rev() {
        line[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    line[start + digits] = b'\n';
    &line[..=start + digits]
}

#[cfg(test)]
mod tests {
    use super::super::super::syscalls::refused_number;
    use super::*;

    #[test]
    fn the_number_is_written_as_the_engine_reads_it() {
        for number in [0, 9, 41, 435, u32::MAX] {
            let mut line = [0; 64];
            let text = std::str::from_utf8(write_line(&mut line, number)).expect("it is ASCII").trim().to_owned();
            assert_eq!(refused_number(&text), Some(i64::from(number)));
        }
    }
}
