//! What a file is, by its first bytes and its name.

use std::path::Path;

use pocket_index::manifest::Runtime;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is in it.
    Empty,
    /// A program or library of Linux.
    Elf,
    /// One of macOS.
    MachO,
    /// One of Windows.
    Pe,
    /// Objects before they are linked: `.a`, `.o` of Windows.
    ObjectArchive,
    /// A WebAssembly core module.
    WasmModule,
    /// A WebAssembly component.
    WasmComponent,
    /// WebAssembly as text.
    WasmText,
    /// A Lua script.
    Lua,
    /// A compiled Lua script.
    LuaBytecode,
    /// A gzip file: archives of plugins are such.
    Archive,
    /// An archive of another kind.
    OtherArchive,
    /// A plugin's manifest.
    Manifest,
    /// A script that names its interpreter.
    Program,
    /// A source text that a compiler makes a plugin of.
    Source,
    /// Some other text.
    Text,
    /// Some other bytes.
    Bytes,
}

/// First bytes of files that are known.
const MAGICS: [(&[u8], Kind); 17] = [
    (b"\x7fELF", Kind::Elf),
    (b"\xfe\xed\xfa\xce", Kind::MachO),
    (b"\xfe\xed\xfa\xcf", Kind::MachO),
    (b"\xce\xfa\xed\xfe", Kind::MachO),
    (b"\xcf\xfa\xed\xfe", Kind::MachO),
    (b"\xca\xfe\xba\xbe", Kind::MachO),
    (b"MZ", Kind::Pe),
    (b"!<arch>\n", Kind::ObjectArchive),
    (b"\0asm\x01\0\0\0", Kind::WasmModule),
    (b"\0asm", Kind::WasmComponent),
    (b"\x1bLua", Kind::LuaBytecode),
    (b"\x1bLJ", Kind::LuaBytecode),
    (b"\x1f\x8b", Kind::Archive),
    (b"PK\x03\x04", Kind::OtherArchive),
    (b"\xfd7zXZ\0", Kind::OtherArchive),
    (b"BZh", Kind::OtherArchive),
    (b"\x28\xb5\x2f\xfd", Kind::OtherArchive),
];

/// Texts that are made into plugins.
const SOURCES: [&str; 12] = ["rs", "go", "c", "cc", "cpp", "h", "zig", "ts", "js", "py", "toml", "wit"];

/// A tar file says so at byte 257.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What the bytes are; texts are told apart by their names.
pub fn of(path: &Path, bytes: &[u8]) -> Kind {
    if bytes.is_empty() {
        return Kind::Empty;
    }
    if let Some((_, kind)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return *kind;
    }
    if bytes.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
        return Kind::OtherArchive;
    }
    match str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => of_text(path, text),
        _ => Kind::Bytes,
    }
}

fn of_text(path: &Path, text: &str) -> Kind {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "lua" | "luau" => Kind::Lua,
        "yaml" | "yml" if text.lines().any(|line| line.starts_with("runtime:")) => Kind::Manifest,
        "wat" => Kind::WasmText,
        _ if text.trim_start().starts_with("(module") || text.trim_start().starts_with("(component") => Kind::WasmText,
        _ if text.starts_with("#!") => Kind::Program,
        _ if SOURCES.contains(&extension) => Kind::Source,
        _ => Kind::Text,
    }
}

impl Kind {
    /// What runs it, if it is code of a plugin.
    pub fn runtime(self) -> Option<Runtime> {
        match self {
            Self::Elf | Self::MachO | Self::Pe => Some(Runtime::Native),
            Self::WasmModule | Self::WasmComponent => Some(Runtime::Wasm),
            Self::Lua => Some(Runtime::Lua),
            _ => None,
        }
    }

    /// A file whose name says something else than its bytes.
    pub fn misnamed(self, path: &Path) -> Option<String> {
        let expected: &[&str] = match self.runtime()? {
            Runtime::Native => &["so", "dylib", "dll"],
            Runtime::Wasm => &["wasm"],
            Runtime::Lua => &["lua"],
        };
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_fine = expected.contains(&extension);
        (!is_fine).then(|| format!("its name should end with `.{}`", expected[0]))
    }

    /// What it is.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::Elf => "an ELF file, as Linux has them",
            Self::MachO => "a Mach-O file, as macOS has them",
            Self::Pe => "a PE file, as Windows has them",
            Self::ObjectArchive => "a static library",
            Self::WasmModule => "a WebAssembly core module",
            Self::WasmComponent => "a WebAssembly component",
            Self::WasmText => "WebAssembly as text",
            Self::Lua => "a Lua script",
            Self::LuaBytecode => "a compiled Lua script",
            Self::Archive => "a gzip file",
            Self::OtherArchive => "an archive",
            Self::Manifest => "a plugin's manifest",
            Self::Program => "a script for another interpreter",
            Self::Source => "a source text",
            Self::Text => "a text",
            Self::Bytes => "a file of a kind that is not known",
        }
    }

    /// Why it is no plugin.
    pub fn problem(self) -> String {
        match self {
            Self::Empty => "nothing is in it".to_owned(),
            Self::LuaBytecode => "compiled scripts are not loaded: they could break out of their sandbox".to_owned(),
            Self::OtherArchive => "plugins' archives are `.tar.gz`".to_owned(),
            other => format!("{} is no plugin", other.describe()),
        }
    }

    /// What to do about it.
    pub fn hint(self) -> String {
        match self {
            Self::Empty => "was it built, or downloaded to its end?".to_owned(),
            Self::ObjectArchive => "link it as a shared library: `-shared` in C, `crate-type = [\"cdylib\"]` in Rust, \
                 `-buildmode=c-shared` in Go"
                .to_owned(),
            Self::WasmText => "make it binary: `wat2wasm`, or `wasm-tools parse`".to_owned(),
            Self::LuaBytecode => "give the source".to_owned(),
            Self::OtherArchive => "unpack it, and give the folder with `manifest.yaml`".to_owned(),
            Self::Source => "build it; `pocket plugin create NAME` shows how".to_owned(),
            Self::Program => {
                "plugins are Lua, WebAssembly or shared libraries; the node type `exec` runs programs".to_owned()
            }
            _ => "a plugin is a `.lua`, a `.wasm`, a `.so`, a folder with `manifest.yaml`, or such a folder packed"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_bytes_and_texts_by_their_names() {
        let kind = |name: &str, bytes: &[u8]| of(Path::new(name), bytes);
        assert_eq!(kind("x.so", b""), Kind::Empty);
        assert_eq!(kind("x.lua", b"\x7fELF\x02\x01"), Kind::Elf);
        assert_eq!(kind("x.so", b"\xca\xfe\xba\xbe\0\0\0\x02"), Kind::MachO);

        assert_eq!(kind("x", b"\0asm\x0d\0\x01\0"), Kind::WasmComponent);
        assert_eq!(kind("x.lua", b"return 1"), Kind::Lua);
        assert_eq!(kind("x.yaml", b"name: x\nruntime: lua\n"), Kind::Manifest);
        assert_eq!(kind("x.yaml", b"nodes: []\n"), Kind::Text);
        assert_eq!(kind("x.py", b"#!/usr/bin/python3\n"), Kind::Program);
        assert_eq!(kind("x.bin", b"\xff\xfe\0"), Kind::Bytes);
    }
}
