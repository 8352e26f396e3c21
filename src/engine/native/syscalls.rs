//! The system calls that end a plugin's process, with what they would have been for.
//!
//! The filter in the host process and the message in the engine read the same table.

/// The exit status of a process that the filter ended: 128 and the number of SIGSYS, as shells write it.
pub const REFUSED_STATUS: i32 = 159;

/// What such a process writes last, the number of the system call behind it.
pub const REFUSED_LINE: &str = "pocket: refused system call ";

/// The number in a line that starts with [`REFUSED_LINE`].
pub fn refused_number(line: &str) -> Option<i64> {
    line.strip_prefix(REFUSED_LINE)?.parse().ok()
}

/// What a refused system call would have been for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reaching the network or another process by a socket.
    Network,
    /// Starting a process.
    Processes,
    /// Looking into or signalling another process.
    OtherProcesses,
    /// Changing the machine.
    Machine,
}

impl Purpose {
    /// What an author does instead.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Network => "a native plugin gets its connections from `connect` of its host",
            Self::Processes => "a native plugin cannot start processes",
            Self::OtherProcesses => "a native plugin cannot touch other processes",
            Self::Machine => "a native plugin cannot change the machine",
        }
    }
}

/// A system call that ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Its number on this architecture.
    pub number: i64,
    /// Its name.
    pub name: &'static str,
    /// What it would have been for.
    pub purpose: Purpose,
}

macro_rules! refused {
    ($($purpose:ident: $($name:ident => $number:ident),+;)+) => {
        &[$($(Refused { number: libc::$number, name: stringify!($name), purpose: Purpose::$purpose }),+),+]
    };
}

/// Refused whatever their arguments are.
const ALWAYS: &[Refused] = refused! {
    Network: socket => SYS_socket, socketpair => SYS_socketpair, connect => SYS_connect, bind => SYS_bind,
        listen => SYS_listen, accept => SYS_accept, accept4 => SYS_accept4;
    Processes: execve => SYS_execve, execveat => SYS_execveat;
    OtherProcesses: ptrace => SYS_ptrace, process_vm_readv => SYS_process_vm_readv,
        process_vm_writev => SYS_process_vm_writev, process_madvise => SYS_process_madvise, tkill => SYS_tkill,
        rt_sigqueueinfo => SYS_rt_sigqueueinfo, rt_tgsigqueueinfo => SYS_rt_tgsigqueueinfo, pidfd_open => SYS_pidfd_open,
        pidfd_send_signal => SYS_pidfd_send_signal, pidfd_getfd => SYS_pidfd_getfd, kcmp => SYS_kcmp;
    Machine: mount => SYS_mount, umount2 => SYS_umount2, pivot_root => SYS_pivot_root, chroot => SYS_chroot,
        unshare => SYS_unshare, setns => SYS_setns, open_tree => SYS_open_tree, move_mount => SYS_move_mount,
        fsopen => SYS_fsopen, fsconfig => SYS_fsconfig, fsmount => SYS_fsmount, fspick => SYS_fspick,
        mount_setattr => SYS_mount_setattr, io_uring_setup => SYS_io_uring_setup, io_uring_enter => SYS_io_uring_enter,
        io_uring_register => SYS_io_uring_register, bpf => SYS_bpf, perf_event_open => SYS_perf_event_open,
        userfaultfd => SYS_userfaultfd, init_module => SYS_init_module, finit_module => SYS_finit_module,
        delete_module => SYS_delete_module, kexec_load => SYS_kexec_load, reboot => SYS_reboot, swapon => SYS_swapon,
        swapoff => SYS_swapoff, sethostname => SYS_sethostname, setdomainname => SYS_setdomainname,
        settimeofday => SYS_settimeofday, clock_settime => SYS_clock_settime, adjtimex => SYS_adjtimex,
        keyctl => SYS_keyctl, add_key => SYS_add_key, request_key => SYS_request_key,
        open_by_handle_at => SYS_open_by_handle_at, fanotify_init => SYS_fanotify_init, quotactl => SYS_quotactl,
        acct => SYS_acct, syslog => SYS_syslog;
};

/// These exist on x86-64 alone.
#[cfg(target_arch = "x86_64")]
const ALWAYS_HERE: &[Refused] = refused! {
    Processes: fork => SYS_fork, vfork => SYS_vfork;
    Machine: ioperm => SYS_ioperm, iopl => SYS_iopl;
};
#[cfg(not(target_arch = "x86_64"))]
const ALWAYS_HERE: &[Refused] = &[];

/// Refused unless they concern the process itself: `clone` of a thread, a signal to its own process.
const SOMETIMES: &[Refused] = refused! {
    Processes: clone => SYS_clone;
    OtherProcesses: kill => SYS_kill, tgkill => SYS_tgkill;
};

/// The calls that are refused whatever their arguments are.
pub fn always_refused() -> impl Iterator<Item = &'static Refused> {
    ALWAYS.iter().chain(ALWAYS_HERE)
}

/// The call of that number, if it is one that ends a plugin's process.
pub fn refused(number: i64) -> Option<&'static Refused> {
    always_refused().chain(SOMETIMES).find(|refused| refused.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_is_known_by_its_number() {
        let socket = refused(libc::SYS_socket).expect("sockets are refused");
        assert_eq!((socket.name, socket.purpose), ("socket", Purpose::Network));
        assert_eq!(refused(libc::SYS_read), None);
    }
}
