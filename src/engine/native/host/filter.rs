//! System calls by seccomp, in two layers. `docs/decisions/0010-native-sandbox.md` says why.
//!
//! 1. What no plugin does by accident (sockets, programs, other processes, the machine) ends the process, by name.
//! 2. Of the rest, what a library needs to compute is allowed; everything else does not exist (`ENOSYS`), as on an older
//!    kernel, so that libraries fall back by themselves. A system call that is invented tomorrow is refused today.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule,
};

use super::super::syscalls;
use super::allowed;

/// `PR_SET_VMA`: names a memory area, for debuggers. Go does it.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Flags of `clone` that make more of it than a thread.
const NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWCGROUP,
];

/// No `F_SETOWN`, `F_SETOWN_EX` and `F_SETSIG`: they have the kernel send any signal to any process of the user. No leases,
/// no notifications, no larger pipes.
const FCNTL_COMMANDS: [i32; 15] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETOWN,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
    libc::F_GETPIPE_SZ,
    libc::F_GET_SEALS,
];

/// Which rules apply to a system call: none means any arguments; otherwise one of them must match.
type Rules = BTreeMap<c_long, Vec<Rule>>;

/// Installs both layers for this process, for ever.
pub fn apply() -> Result<(), String> {
    let own = u64::from(std::process::id());
    // The second layer does not allow installing another, so the fatal one comes first. The kernel takes the stricter answer.
    let fatal = program(fatal_rules(own)?, SeccompAction::Allow, SeccompAction::Trap)?;
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    let allowed = program(allowed_rules(own)?, missing, SeccompAction::Allow)?;
    seccompiler::apply_filter(&fatal).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&allowed).map_err(|error| error.to_string())
}

fn program(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, String> {
    let architecture =
        std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    let filter = SeccompFilter::new(rules, otherwise, matched, architecture).map_err(|error| error.to_string())?;
    filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())
}

fn fatal_rules(own: u64) -> Result<Rules, String> {
    let mut rules: Rules = syscalls::always_refused().map(|refused| (refused.number, vec![])).collect();
    let thread = libc::CLONE_THREAD as u64;
    let mut more_than_a_thread = vec![all([condition(0, Len::Qword, Op::MaskedEq(thread), 0)])?];
    for flag in NAMESPACE_FLAGS.map(|flag| flag as u64) {
        more_than_a_thread.push(all([condition(0, Len::Qword, Op::MaskedEq(flag), flag)])?);
    }
    rules.insert(libc::SYS_clone, more_than_a_thread);
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        rules.insert(call, vec![all([condition(0, Len::Dword, Op::Ne, own)])?]);
    }
    Ok(rules)
}

fn allowed_rules(own: u64) -> Result<Rules, String> {
    let mut rules: Rules = allowed::calls().map(|number| (number, vec![])).collect();
    let any_of = |index, values: &[u64]| -> Result<Vec<Rule>, String> {
        values.iter().map(|value| all([equal(index, *value)])).collect()
    };
    let unset = |index, flag: i32| condition(index, Len::Dword, Op::MaskedEq(u64::from(flag.unsigned_abs())), 0);
    open_rules(&mut rules)?;
    rules.insert(libc::SYS_fcntl, any_of(1, &FCNTL_COMMANDS.map(|command| command.unsigned_abs().into()))?);
    // Shared anonymous memory does not count against `RLIMIT_DATA`.
    rules.insert(libc::SYS_mmap, vec![all([unset(3, libc::MAP_SHARED)])?, all([unset(3, libc::MAP_ANONYMOUS)])?]);
    // Whoever takes SIGSYS over could go on after a refused call, and hide it.
    let not_sigsys = condition(0, Len::Dword, Op::Ne, libc::SIGSYS as u64);
    rules.insert(libc::SYS_rt_sigaction, vec![all([not_sigsys])?]);
    // An address, or MSG_FASTOPEN, would connect a socket elsewhere.
    let no_address = condition(4, Len::Qword, Op::Eq, 0);
    rules.insert(libc::SYS_sendto, vec![all([no_address, unset(3, libc::MSG_FASTOPEN)])?]);
    rules.insert(libc::SYS_sendmsg, vec![all([unset(2, libc::MSG_FASTOPEN)])?]);
    rules.insert(libc::SYS_sendmmsg, vec![all([unset(3, libc::MSG_FASTOPEN)])?]);
    rules.insert(libc::SYS_setsockopt, any_of(1, &[libc::SOL_SOCKET as u64, libc::IPPROTO_TCP as u64])?);
    let terminal_free = [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::FIONCLEX, libc::TCGETS, libc::TIOCGWINSZ];
    rules.insert(libc::SYS_ioctl, any_of(1, &terminal_free)?);
    rules.insert(libc::SYS_prctl, any_of(0, &[libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, PR_SET_VMA])?);
    rules.insert(libc::SYS_prlimit64, any_of(0, &[0, own])?);
    Ok(rules)
}

/// `O_TRUNC` empties a file though it is opened for reading alone, and Landlock does not see it before Linux 6.2.
fn open_rules(rules: &mut Rules) -> Result<(), String> {
    let flag = |index, mask: i32, value: i32| {
        condition(index, Len::Dword, Op::MaskedEq(u64::from(mask.unsigned_abs())), u64::from(value.unsigned_abs()))
    };
    let calls = [
        (libc::SYS_openat, 2),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, 1),
    ];
    for (call, index) in calls {
        let allowed = vec![
            all([flag(index, libc::O_TRUNC, 0)])?,
            all([flag(index, libc::O_ACCMODE, libc::O_WRONLY)])?,
            all([flag(index, libc::O_ACCMODE, libc::O_RDWR)])?,
        ];
        rules.insert(call, allowed);
    }
    Ok(())
}

fn equal(argument: u8, value: u64) -> Result<Condition, String> {
    condition(argument, Len::Dword, Op::Eq, value)
}

fn condition(argument: u8, length: Len, operation: Op, value: u64) -> Result<Condition, String> {
    Condition::new(argument, length, operation, value).map_err(|error| error.to_string())
}

fn all<const N: usize>(conditions: [Result<Condition, String>; N]) -> Result<Rule, String> {
    let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>()?;
    Rule::new(conditions).map_err(|error| error.to_string())
}
