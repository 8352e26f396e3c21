//! Faults: a process killed at any moment, many processes at once, a disk without room.

mod crowd;
mod disk;
mod kill;
mod strace;
