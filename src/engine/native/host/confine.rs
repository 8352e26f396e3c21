//! Takes away what a plugin must not have, in the order in which it can still be done.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::super::message::{Confined, Confinement, LoadOrder};
use super::{HostError, crash, files, filter, trap};

/// 8 MiB that stay in memory, the usual limit of a user: secrets have room.
const MAX_LOCKED_BYTES: u64 = 8 << 20;

/// 256 signals and timers that wait. They count against what the user may have in all processes together.
const MAX_PENDING_SIGNALS: u64 = 256;

/// 64 MiB beyond twice the limit: the stacks of eight threads. Languages with a collector hold much more address space than
/// memory (Go: 290 MiB for 15 MiB), so the engine watches the memory that is really used, and this limit only keeps a plugin
/// from taking everything before the engine looks.
const MAPPED_ALLOWANCE: u64 = 64 << 20;

/// First of all: dies with the engine, holds no descriptor but standard output, error and the socket, which is returned.
pub fn settle() -> Result<OwnedFd, HostError> {
    close_others().map_err(failed("close inherited descriptors"))?;
    rustix::thread::set_no_new_privs(true).map_err(failed("give up gaining privileges"))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("die with the engine"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("refuse to be inspected"))?;
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(failed("keep the socket"))?;
    let nothing = File::open("/dev/null").map_err(failed("open /dev/null"))?;
    replace_stdin(&nothing).map_err(failed("empty standard input"))?;
    Ok(socket)
}

/// Everything else, just before the library is loaded. The process has one thread.
pub fn confine(order: &LoadOrder) -> Result<Confined, HostError> {
    drop_capabilities().map_err(failed("drop capabilities"))?;
    limit_resources(order).map_err(failed("limit resources"))?;
    for (name, value) in &order.env {
        // SAFETY: the process has one thread, so nobody reads the environment meanwhile. The dynamic loader read its own
        // variables (`LD_PRELOAD`) when the process started, so a granted one of that name has no power any more.
        unsafe { std::env::set_var(name, value) };
    }
    let files = files::restrict(order)?;
    trap::install().map_err(failed("watch refused system calls"))?;
    crash::install().map_err(failed("watch crashes"))?;
    let system_calls = match filter::apply() {
        Ok(()) => true,
        Err(reason) if order.confinement == Confinement::Required => {
            return Err(HostError::Confine { what: "filter system calls", reason });
        }
        Err(_) => false,
    };
    Ok(Confined { files, system_calls })
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> HostError {
    move |error| HostError::Confine { what, reason: error.into().to_string() }
}

fn close_others() -> io::Result<()> {
    // SAFETY: nothing in this process uses a descriptor above 2 yet.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn replace_stdin(file: &File) -> io::Result<()> {
    // SAFETY: both descriptors are open; descriptor 0 belongs to `std`, which holds no state of what it read.
    let result = unsafe { libc::dup2(file.as_raw_fd(), libc::STDIN_FILENO) };
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A host that root runs keeps one capability, so that a granted folder of another user is as usable as for other plugins.
fn drop_capabilities() -> io::Result<()> {
    let had = rustix::thread::capabilities(None)?;
    let keep = had.permitted & CapabilitySet::DAC_OVERRIDE;
    let sets = CapabilitySets { effective: keep, permitted: keep, inheritable: CapabilitySet::empty() };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// No `RLIMIT_NPROC`: it counts all processes of the user, so that any number would depend on what else runs. Processes are
/// refused by the filter, and the engine counts threads.
fn limit_resources(order: &LoadOrder) -> io::Result<()> {
    // `RLIMIT_DATA` counts private writable mappings. `RLIMIT_AS` would count reservations too, and Go reserves gigabytes.
    let data = own_data_bytes()?.saturating_add(MAPPED_ALLOWANCE).saturating_add(order.memory.saturating_mul(2));
    for (resource, limit) in [
        (Resource::Data, data),
        (Resource::Nofile, order.open_files.into()),
        (Resource::Core, 0),
        (Resource::Sigpending, MAX_PENDING_SIGNALS),
        (Resource::Memlock, MAX_LOCKED_BYTES),
    ] {
        // A limit that is already lower stays.
        let limit = rustix::process::getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        rustix::process::setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    io::stdout().flush()
}

/// What counts against `RLIMIT_DATA` already (`VmData` in `/proc/self/status`, in kB).
fn own_data_bytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes << 10).ok_or_else(|| io::Error::other("`/proc/self/status` has no `VmData`"))
}
