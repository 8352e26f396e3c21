//! The system calls that a plugin may make with any arguments.

use libc::c_long;

macro_rules! calls {
    ($($name:ident)+) => { &[$(libc::$name),+] };
}

/// Everywhere.
const ALLOWED: &[c_long] = calls! {
    // Files: which ones is Landlock's business. No `chmod`, `chown`, `utimensat`, `setxattr`: Landlock does not cover them. No
    // `truncate`: it does not before Linux 6.2. No `openat2`: its flags are out of the filter's sight. `fcntl` and the flags of
    // `open` and `openat` are below.
    SYS_read SYS_write SYS_readv SYS_writev SYS_pread64 SYS_pwrite64
    SYS_preadv SYS_pwritev SYS_preadv2 SYS_pwritev2 SYS_lseek SYS_close
    SYS_close_range SYS_dup SYS_dup3 SYS_flock SYS_fsync
    SYS_fdatasync SYS_ftruncate SYS_fallocate SYS_fadvise64
    SYS_copy_file_range SYS_sendfile SYS_newfstatat
    SYS_fstat SYS_statx SYS_statfs SYS_fstatfs SYS_faccessat SYS_faccessat2
    SYS_readlinkat SYS_getcwd SYS_chdir SYS_getdents64 SYS_mkdirat SYS_unlinkat
    SYS_renameat SYS_renameat2 SYS_umask
    // Memory; `mmap` is below.
    SYS_mprotect SYS_munmap SYS_mremap SYS_madvise SYS_brk SYS_mincore
    SYS_membarrier SYS_mlock SYS_munlock
    // Threads; which `clone` is below.
    SYS_clone SYS_futex SYS_set_robust_list SYS_get_robust_list SYS_rseq
    SYS_set_tid_address SYS_gettid SYS_sched_yield SYS_sched_getaffinity
    SYS_sched_getparam SYS_sched_getscheduler SYS_getcpu SYS_exit SYS_exit_group
    // Signals; to whom is below.
    SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigpending SYS_rt_sigtimedwait
    SYS_rt_sigsuspend SYS_sigaltstack SYS_kill SYS_tgkill SYS_restart_syscall
    // Time.
    SYS_nanosleep SYS_clock_nanosleep SYS_clock_gettime SYS_clock_getres
    SYS_gettimeofday SYS_times SYS_timer_create SYS_timer_settime SYS_timer_gettime
    SYS_timer_getoverrun SYS_timer_delete SYS_setitimer SYS_getitimer
    SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime
    // Waiting.
    SYS_ppoll SYS_pselect6 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait
    SYS_epoll_pwait2 SYS_eventfd2 SYS_pipe2
    // The connections that the engine made; more of them below.
    SYS_recvfrom SYS_recvmsg SYS_recvmmsg SYS_shutdown SYS_getsockopt
    SYS_getsockname SYS_getpeername
    // About oneself and the machine.
    SYS_getpid SYS_getppid SYS_getpgid SYS_getsid SYS_getuid SYS_geteuid
    SYS_getgid SYS_getegid SYS_getresuid SYS_getresgid SYS_getgroups
    SYS_getpriority SYS_getrusage SYS_getrlimit SYS_setrlimit SYS_getrandom
    SYS_uname SYS_sysinfo
};

/// Older calls that exist on x86-64 alone; their newer forms stand above.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[c_long] = calls! {
    SYS_stat SYS_lstat SYS_access SYS_readlink SYS_mkdir
    SYS_rmdir SYS_unlink SYS_rename SYS_dup2 SYS_pipe SYS_poll
    SYS_select SYS_epoll_create SYS_epoll_wait SYS_eventfd SYS_getpgrp
    SYS_time SYS_arch_prctl
};
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];

/// All of them.
pub fn calls() -> impl Iterator<Item = c_long> {
    ALLOWED.iter().chain(ALLOWED_HERE).copied()
}

#[cfg(test)]
mod tests {
    use super::super::super::syscalls;
    use super::*;

    #[test]
    fn what_is_fatal_is_not_allowed() {
        for refused in syscalls::always_refused() {
            assert!(calls().all(|number| number != refused.number), "{}", refused.name);
        }
    }
}
