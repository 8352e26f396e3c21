//! Faults: a process killed at any moment, many processes at once, a disk without room.

mod kill;
mod strace;
