//! File access by Landlock: the system's libraries to read, and what the user granted.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::super::message::{Confinement, LoadOrder};
use super::HostError;

/// The newest version whose rights this file names. On an older kernel the rights that it knows are taken.
const NEWEST: ABI = ABI::V6;

/// What a library needs to be loaded and to work with time zones and certificates: the same for every user of the machine.
/// Those that do not exist are left out. Not `/dev/zero`: mapped and shared, it is memory that no limit counts.
const SYSTEM_READ: [&str; 16] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/ssl/certs",
    "/usr/share/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/sys/devices/system/cpu",
    "/dev/null",
    "/dev/urandom",
];

/// Restricts this thread, which is the only one, and all that it starts. Returns whether the kernel does so.
pub fn restrict(order: &LoadOrder) -> Result<bool, HostError> {
    let status = ruleset(order).and_then(|ruleset| Ok(ruleset.restrict_self().map_err(fail)?.ruleset))?;
    let confined = status != RulesetStatus::NotEnforced;
    if !confined && order.confinement == Confinement::Required {
        let reason = "this kernel has no Landlock (Linux 5.13 has it, when it is enabled at boot)".to_owned();
        return Err(HostError::Confine { what: "confine file access", reason });
    }
    Ok(confined)
}

fn ruleset(order: &LoadOrder) -> Result<RulesetCreated, HostError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .map_err(fail)?;
    for path in SYSTEM_READ.map(Path::new).into_iter().filter(|path| path.exists()) {
        rules = allow(rules, path, reading())?;
    }
    rules = allow(rules, Path::new("/dev/null"), AccessFs::WriteFile.into())?;
    for path in &order.read {
        rules = allow(rules, Path::new(path), reading())?;
    }
    for path in &order.write {
        rules = allow(rules, Path::new(path), writing())?;
    }
    Ok(rules)
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// Files and folders, but no links, devices, pipes or sockets: a symbolic link would be a trap for whoever follows it.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, HostError> {
    let file = PathFd::new(path).map_err(|error| HostError::Confine {
        what: "grant access to a file or folder",
        reason: format!("`{}`: {error}", path.display()),
    })?;
    // The kernel refuses rights on folders for a path that is a file.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    rules.add_rule(PathBeneath::new(file, access)).map_err(fail)
}

fn fail(error: landlock::RulesetError) -> HostError {
    HostError::Confine { what: "confine file access", reason: error.to_string() }
}
