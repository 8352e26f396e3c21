//! What a host process uses, as the kernel counts it, and what it may use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::plugin::Usage;

/// What a process may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes of memory of its own.
    pub memory: u64,
    /// Threads.
    pub threads: u64,
}

/// What a process used more of than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overuse {
    /// Memory.
    Memory,
    /// Threads.
    Threads,
}

/// What a process used so far, as far as the system says.
pub fn of(pid: u32) -> Usage {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
    let memory_peak = number_after(&status, "VmHWM:").map(|kilobytes| kilobytes << 10);
    Usage { memory_peak, processor: processor_time(&folder), ..Usage::default() }
}

/// The time that all of a process's threads had on a processor. `schedstat` counts in nanoseconds, `stat` in hundredths of a second.
fn processor_time(folder: &Path) -> Option<Duration> {
    let threads = fs::read_dir(folder.join("task")).ok()?;
    let of_thread = |thread: io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.map(of_thread).sum()
}

impl Allowance {
    /// What the process uses too much of. A process that is gone uses nothing.
    pub fn exceeded_by(self, pid: u32) -> Option<Overuse> {
        self.exceeded(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn exceeded(self, status: &str) -> Option<Overuse> {
        // `RssAnon`: without files that are mapped, which other processes share.
        let memory = number_after(status, "RssAnon:").map(|kilobytes| kilobytes << 10);
        if memory.is_some_and(|used| used > self.memory) {
            return Some(Overuse::Memory);
        }
        let threads = number_after(status, "Threads:");
        threads.is_some_and(|count| count > self.threads).then_some(Overuse::Threads)
    }
}

fn number_after(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_counts_is_compared_with_what_is_allowed() {
        let status = "Name:\tx\nVmRSS:\t9999 kB\nRssAnon:\t    2048 kB\nThreads:\t12\n";
        let exceeded = |memory, threads| Allowance { memory, threads }.exceeded(status);
        assert_eq!(exceeded(2 << 20, 12), None);
        assert_eq!(exceeded((2 << 20) - 1, 12), Some(Overuse::Memory));
        assert_eq!(exceeded(2 << 20, 11), Some(Overuse::Threads));
        let nothing = Allowance { memory: 0, threads: 0 };
        assert_eq!(nothing.exceeded_by(std::process::id()), Some(Overuse::Memory));
        assert_eq!(nothing.exceeded_by(u32::MAX), None);
    }
}
