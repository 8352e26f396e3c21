//! What the process holds, for the tests that see to it that nothing is left behind.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// What the process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    pub descriptors: usize,
    pub threads: usize,
    pub processes: usize,
    /// Bytes of anonymous memory that are resident.
    pub memory: u64,
}

impl Holdings {
    pub fn now() -> Self {
        let count = |folder| fs::read_dir(folder).expect("it is this process's").count();
        let children = |task: std::io::Result<fs::DirEntry>| {
            let file = task.expect("it is this process's").path().join("children");
            fs::read_to_string(file).unwrap_or_default().split_whitespace().count()
        };
        let tasks = fs::read_dir("/proc/self/task").expect("it is this process's");
        Self {
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            processes: tasks.map(children).sum(),
            memory: anonymous_bytes(),
        }
    }

    pub fn without_memory(self) -> (usize, usize, usize) {
        (self.descriptors, self.threads, self.processes)
    }

    /// What is held when nothing ends any more.
    pub fn settled() -> Self {
        loop {
            let before = Self::now();
            thread::sleep(Duration::from_secs(1));
            let now = Self::now();
            if now.without_memory() == before.without_memory() {
                return now;
            }
        }
    }

    /// What is held once no more is than `before`, or after a while: a watching thread ends a moment after its process.
    pub fn back_at(before: Self) -> Self {
        let patience = Instant::now() + Duration::from_secs(20);
        while Self::now().without_memory() != before.without_memory() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        Self::now()
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, threads, processes, memory } = self;
        let mebibytes = *memory as f64 / f64::from(1 << 20);
        write!(f, "{descriptors} descriptors, {threads} threads, {processes} processes, {mebibytes:.1} MiB")
    }
}

/// `RssAnon` of `/proc/self/status`, in kB there.
fn anonymous_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it is this process's");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the kernel counts it");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number");
    kilobytes << 10
}
