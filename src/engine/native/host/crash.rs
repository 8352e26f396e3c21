//! What happens when the plugin crashes: where is written down for the engine, and the signal does what it always does.
//!
//! A plugin may put handlers of its own in the place of these (Go does): then a crash is reported without its place.

use std::ffi::{c_int, c_void};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::fault::FAULT_LINE;

/// The signals of a mistake in the plugin's code.
const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// Where the plugin's library lies in memory: from, to, and what its own addresses are counted from.
static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
static BASE: AtomicUsize = AtomicUsize::new(0);

/// Installs the handler.
pub fn install() -> io::Result<()> {
    // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_crash;
    action.sa_sigaction = handler as usize;
    // The first signal restores the default: when the handler returns, the instruction fails again and ends the process.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
    for signal in SIGNALS {
        // SAFETY: the action is fully initialised, and the old one is not asked for.
        if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Tells the handler which library is the plugin's: the one that has `address` in it.
pub fn set_library(address: usize) {
    let mut wanted = address;
    // SAFETY: the callback has the type that the function asks for, and `wanted` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(note_library), (&raw mut wanted).cast()) };
}

unsafe extern "C" fn note_library(info: *mut libc::dl_phdr_info, _size: usize, wanted: *mut c_void) -> c_int {
    // SAFETY: the loader hands over a description that is valid until the callback returns, and `set_library` a number.
    let (info, wanted) = unsafe { (&*info, *wanted.cast::<usize>()) };
    let base = info.dlpi_addr as usize;
    // SAFETY: the loader gives the table of that many entries.
    let segments = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let loaded = segments.iter().filter(|segment| segment.p_type == libc::PT_LOAD);
    let bounds = loaded.map(|segment| {
        let start = base.wrapping_add(segment.p_vaddr as usize);
        (start, start.wrapping_add(segment.p_memsz as usize))
    });
    let Some((start, end)) = bounds.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1))) else { return 0 };
    if !(start..end).contains(&wanted) {
        return 0;
    }
    START.store(start, Ordering::Relaxed);
    END.store(end, Ordering::Relaxed);
    BASE.store(base, Ordering::Relaxed);
    1 // found: no more libraries are shown
}

/// Only what is safe in a signal handler: no allocation, no lock.
extern "C" fn on_crash(_signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands over the siginfo of a fault, which has an address, and the context of the thread.
    let (address, (instruction, stack)) = unsafe { ((*info).si_addr() as usize, registers(&*context.cast())) };
    let inside = (START.load(Ordering::Relaxed)..END.load(Ordering::Relaxed)).contains(&instruction);
    let place = if inside { instruction - BASE.load(Ordering::Relaxed) } else { 0 };
    let mut line = Line::new();
    line.add(b"\n"); // the plugin may be in the midst of a line
    line.add(FAULT_LINE.as_bytes());
    line.add_hexadecimal(place);
    line.add(b" ");
    line.add_hexadecimal(address);
    line.add(b" ");
    line.add_hexadecimal(stack);
    line.add(b"\n");
    // SAFETY: the line is initialised memory; `write` is safe in signal handlers. If standard error is closed, the place is
    // lost.
    unsafe { libc::write(libc::STDERR_FILENO, line.bytes.as_ptr().cast(), line.size) };
}

/// The instruction and the stack pointer.
#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> (usize, usize) {
    let registers = &context.uc_mcontext.gregs;
    (registers[libc::REG_RIP as usize] as usize, registers[libc::REG_RSP as usize] as usize)
}

/// The instruction and the stack pointer.
#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> (usize, usize) {
    (context.uc_mcontext.pc as usize, context.uc_mcontext.sp as usize)
}

/// A text of known size on the stack.
struct Line {
    bytes: [u8; 96],
    size: usize,
}

impl Line {
    fn new() -> Self {
        const { assert!(FAULT_LINE.len() + 3 * 16 + 4 <= 96, "the words and three numbers fit") };
        Self { bytes: [0; 96], size: 0 }
    }

    fn add(&mut self, text: &[u8]) {
        self.bytes[self.size..self.size + text.len()].copy_from_slice(text);
        self.size += text.len();
    }

    fn add_hexadecimal(&mut self, number: usize) {
        let digits = number.checked_ilog2().unwrap_or(0) / 4 + 1;
        for digit in (0..digits).rev() {
            self.add(&[b"0123456789abcdef"[number >> (4 * digit) & 15]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fault::Fault;
    use super::*;

    #[test]
    fn the_numbers_are_written_as_the_engine_reads_them() {
        for number in [1, 15, 16, 0x1139, usize::MAX] {
            let mut line = Line::new();
            line.add(FAULT_LINE.as_bytes());
            for separator in [b" ", b" ", b"\n"] {
                line.add_hexadecimal(number);
                line.add(separator);
            }
            let text = std::str::from_utf8(&line.bytes[..line.size]).expect("it is ASCII").trim();
            let number = number as u64;
            assert_eq!(Fault::parse(text), Some(Fault { place: Some(number), address: number, stack: number }));
        }
    }

    #[test]
    fn a_place_in_a_loaded_library_is_told_from_others() {
        set_library(set_library as fn(usize) as usize);
        let bounds = START.load(Ordering::Relaxed)..END.load(Ordering::Relaxed);
        assert!(bounds.contains(&(install as fn() -> io::Result<()> as usize)));
        assert!(!bounds.contains(&(libc::write as *const () as usize)) && !bounds.contains(&0));
    }
}
