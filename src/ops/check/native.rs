//! A shared library: for which machine it is, whether it has the plugin's functions, and what it needs.

use object::read::elf::{Dyn as _, FileHeader as _};
use object::{Architecture, BinaryFormat, Endianness, Object as _, ObjectKind, ObjectSymbol as _, elf};

use super::{Checked, Code};
use crate::ops::plugins::near;

/// The functions that every library has.
const REQUIRED: [&str; 3] = ["pocket_plugin_abi", "pocket_plugin_run", "pocket_plugin_free"];
/// Those that it may have.
const OPTIONAL: [&str; 3] = ["pocket_plugin_start", "pocket_plugin_stop", "pocket_plugin_describe"];
/// What the functions' names start with.
const PREFIX: &str = "pocket_plugin_";

/// What else a library may be for, by what it exports.
const OTHERS: [(&str, &str); 6] = [
    ("PyInit_", "a Python extension"),
    ("JNI_OnLoad", "a Java native library"),
    ("napi_register_module", "a Node.js addon"),
    ("luaopen_", "a Lua C module"),
    ("go:link.pluginpath", "a Go plugin of `-buildmode=plugin`"),
    ("go.link.pluginpath", "a Go plugin of `-buildmode=plugin`"),
];

/// Looks at the library; nothing of it runs.
pub fn look(checked: &mut Checked, code: &Code<'_>) {
    let file = match object::File::parse(code.bytes) {
        Ok(file) => file,
        Err(error) => {
            let hint = "was it built, or downloaded to its end?".to_owned();
            checked.problem(format!("it cannot be read: {error}"), hint);
            return;
        }
    };
    let machine = machine(&file);
    checked.what = format!("{} for {machine}", what(&file));
    checked.exports = exports(&file);
    checked.imports = needed(code.bytes);
    if !is_for_this_system(checked, &file) || !is_for_this_processor(checked, &file, &machine) {
        return;
    }
    if is_library(checked, &file) {
        functions(checked, &file);
        c_library(checked);
    }
}

fn what(file: &object::File<'_>) -> &'static str {
    match (file.format(), file.kind()) {
        (BinaryFormat::Elf, ObjectKind::Dynamic) if file.section_by_name(".interp").is_none() => {
            "an ELF shared library"
        }
        (BinaryFormat::Elf, ObjectKind::Executable | ObjectKind::Dynamic) => "an ELF program",
        (BinaryFormat::Elf, ObjectKind::Relocatable) => "an ELF object file",
        (BinaryFormat::Elf, ObjectKind::Core) => "an ELF core dump",
        (BinaryFormat::MachO, ObjectKind::Dynamic) => "a Mach-O library",
        (BinaryFormat::MachO, _) => "a Mach-O file",
        (BinaryFormat::Pe, ObjectKind::Dynamic) => "a Windows library",
        (BinaryFormat::Pe, _) => "a Windows program",
        _ => "a native file",
    }
}

fn machine(file: &object::File<'_>) -> String {
    let name = processor(file.architecture()).map_or_else(|| format!("{:?}", file.architecture()), str::to_owned);
    let order = if file.is_little_endian() { "" } else { ", big-endian" };
    format!("{name}{order}")
}

/// The name as Rust and targets have it.
fn processor(architecture: Architecture) -> Option<&'static str> {
    Some(match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::I386 => "x86",
        Architecture::Aarch64 => "aarch64",
        Architecture::Arm => "arm",
        Architecture::Riscv64 => "riscv64",
        Architecture::S390x => "s390x",
        Architecture::PowerPc64 => "powerpc64",
        Architecture::LoongArch64 => "loongarch64",
        _ => return None,
    })
}

fn is_for_this_system(checked: &mut Checked, file: &object::File<'_>) -> bool {
    let system = match file.format() {
        BinaryFormat::MachO => "macOS",
        BinaryFormat::Pe | BinaryFormat::Coff => "Windows",
        _ if cfg!(target_os = "linux") => return true,
        _ => "Linux",
    };
    let hint = "build a shared library for Linux, or a WebAssembly module, which runs everywhere".to_owned();
    checked.problem(format!("it is for {system}, and native plugins run on Linux"), hint);
    false
}

fn is_for_this_processor(checked: &mut Checked, file: &object::File<'_>, machine: &str) -> bool {
    let own = std::env::consts::ARCH;
    if processor(file.architecture()) == Some(own) {
        checked.fine(format!("it is for this processor, {own}"));
        return true;
    }
    let hint = format!("build it for `{}`", pocket_index::name::Target::host());
    checked.problem(format!("it is for {machine}, and this machine is {own}"), hint);
    false
}

fn is_library(checked: &mut Checked, file: &object::File<'_>) -> bool {
    let has_interpreter = file.section_by_name(".interp").is_some();
    let shared = "link it as a shared library: `-shared -fPIC` in C, `crate-type = [\"cdylib\"]` in Rust, \
                  `-buildmode=c-shared` in Go";
    match file.kind() {
        ObjectKind::Dynamic if !has_interpreter => {
            checked.fine("it is a shared library");
            true
        }
        ObjectKind::Relocatable => {
            checked.problem("it is an object file, not linked yet", shared.to_owned());
            false
        }
        ObjectKind::Core => {
            checked.problem("it is the memory of a program that crashed", None);
            false
        }
        _ => {
            checked.problem("it is a program, and plugins are shared libraries", shared.to_owned());
            false
        }
    }
}

fn exports(file: &object::File<'_>) -> Vec<String> {
    let exported = file.exports().unwrap_or_default();
    let mut names: Vec<String> =
        exported.iter().map(|export| String::from_utf8_lossy(export.name()).into_owned()).collect();
    names.sort();
    names
}

fn functions(checked: &mut Checked, file: &object::File<'_>) {
    let has = |name: &&str| checked.exports.iter().any(|export| export == name);
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| !has(name)).collect();
    let optional: Vec<&str> = OPTIONAL.into_iter().filter(has).collect();
    if missing.is_empty() {
        let all: Vec<String> = REQUIRED.into_iter().chain(optional).map(|name| format!("`{name}`")).collect();
        checked.fine(format!("it exports {}", all.join(", ")));
    } else if missing.len() == REQUIRED.len() && !mentions_us(file) {
        stranger(checked);
    } else {
        for name in missing {
            let hint = near_miss(file, &checked.exports, name);
            checked.problem(format!("it does not export `{name}`"), hint);
        }
    }
    let known: Vec<&str> = REQUIRED.into_iter().chain(OPTIONAL).collect();
    let ours = checked.exports.iter().filter(|name| name.starts_with(PREFIX) && !known.contains(&name.as_str()));
    let unknown: Vec<String> = ours.cloned().collect();
    for name in unknown {
        let near = near(&name, known.iter().copied());
        let hint = near.first().map(|near| format!("did you mean `{near}`?"));
        checked.note(format!("it exports `{name}`, which nobody calls"), hint);
    }
}

/// Whether any of its symbols has to do with plugins.
fn mentions_us(file: &object::File<'_>) -> bool {
    let mut names = file.symbols().chain(file.dynamic_symbols()).filter_map(|symbol| symbol.name().ok());
    names.any(|name| name.contains("pocket_plugin"))
}

/// A library that was never meant for Pocket.
fn stranger(checked: &mut Checked) {
    let exports = &checked.exports;
    let other = OTHERS.iter().find(|(prefix, _)| exports.iter().any(|name| name.starts_with(prefix)));
    let what = other.map_or_else(String::new, |(_, what)| format!("; it looks like {what}"));
    let hint = "a native plugin is built with `sdk/c/pocket_plugin.h`, or one of the other kits in `sdk`".to_owned();
    checked.problem(format!("it has none of the functions of a plugin{what}"), hint);
}

/// Why a function that was probably meant to be there is not.
fn near_miss(file: &object::File<'_>, exports: &[String], name: &str) -> Option<String> {
    let symbols = || file.symbols().chain(file.dynamic_symbols()).filter(|symbol| symbol.is_definition());
    let names = || symbols().filter_map(|symbol| symbol.name().ok());
    if names().any(|found| found == name) {
        return Some(
            "it is there and hidden: mark it with `POCKET_PLUGIN_EXPORT`, or build without `-fvisibility=hidden`"
                .to_owned(),
        );
    }
    if let Some(mangled) = names().find(|found| found.contains(name) && found.starts_with('_')) {
        return Some(format!(
            "`{mangled}` has a name for C++ or Rust: declare it `extern \"C\"`, in Rust with `#[unsafe(no_mangle)]` as well"
        ));
    }
    let close = near(name, exports.iter().map(String::as_str));
    close.first().map(|close| format!("did you mean `{close}`?"))
}

/// The libraries that it needs.
fn needed(bytes: &[u8]) -> Vec<String> {
    let read = || -> object::Result<Vec<String>> {
        let header = elf::FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes)?;
        let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(Vec::new()) };
        let strings = sections.strings(endian, bytes, link)?;
        let needed = entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED);
        needed.map(|entry| Ok(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned())).collect()
    };
    read().unwrap_or_default()
}

/// A library for the other C library is not loaded.
fn c_library(checked: &mut Checked) {
    let is_musl = checked.imports.iter().any(|name| name.starts_with("libc.musl") || name == "libc.so");
    let is_glibc = checked.imports.iter().any(|name| name == "libc.so.6");
    let hint = format!("build it for `{}`", pocket_index::name::Target::host());
    if is_musl && !cfg!(target_env = "musl") {
        checked.problem("it needs musl, and this program has glibc", hint);
    } else if is_glibc && cfg!(target_env = "musl") {
        checked.problem("it needs glibc, and this program has musl", hint);
    }
}
