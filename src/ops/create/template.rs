//! What a new plugin consists of, for each runtime and language.

use std::path::Path;

use pocket_index::manifest::Runtime;
use pocket_index::name::{PluginName, Target};

use super::kit::Kit;

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// C.
    C,
    /// Zig.
    Zig,
    /// AssemblyScript.
    AssemblyScript,
    /// Luau.
    Lua,
}

impl Language {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Rust => "rust",
            Self::C => "c",
            Self::Zig => "zig",
            Self::AssemblyScript => "assemblyscript",
            Self::Lua => "lua",
        }
    }
}

/// What one kind of plugin consists of.
pub struct Template {
    /// The kit that it is built with.
    pub kit: Option<Kit>,
    runtime: Runtime,
    /// Files and texts; `{{name}}` and others stand for values.
    files: Files,
    /// What builds it, in its folder; lines with `{{name}}`.
    build: &'static [&'static str],
    /// What is loaded then.
    load: &'static str,
    /// What `binary` names.
    binary: &'static str,
    /// Whether the library says what it is, and has no manifest with examples.
    examples: Examples,
}

/// Where a plugin's examples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Examples {
    InManifest,
    Nowhere,
}

/// Paths and texts.
type Files = &'static [(&'static str, &'static str)];

const README: (&str, &str) = ("README.md", include_str!("../../../sdk/templates/README.md"));
const MANIFEST: (&str, &str) = ("manifest.yaml", include_str!("../../../sdk/templates/manifest.yaml"));
const CARGO: (&str, &str) = ("Cargo.toml", include_str!("../../../sdk/templates/rust/Cargo.toml"));
const LIBRARY: (&str, &str) = ("src/lib.rs", include_str!("../../../sdk/templates/rust/lib.rs"));
/// What is built, and what it is built from, are no part of an archive.
const RUST_IGNORED: (&str, &str) = (".pocketignore", "target/\nsrc/\nCargo.toml\nCargo.lock\n");

/// A plugin that needs no JSON library.
const CAPITALS: (&str, &str) = ("manifest.yaml", include_str!("../../../sdk/templates/c/manifest.yaml"));

const C_MODULE: Files = &[
    README,
    CAPITALS,
    ("plugin.c", include_str!("../../../sdk/templates/wasm/c/plugin.c")),
    (".pocketignore", "*.c\n"),
];
const C_BUILD: &[&str] =
    &["zig cc --target=wasm32-wasi -mexec-model=reactor -Wl,-z,stack-size=262144 -Os -s -o plugin.wasm plugin.c"];

const GO_MODULE: Files = &[
    README,
    MANIFEST,
    ("go.mod", include_str!("../../../sdk/templates/wasm/go/go.mod")),
    ("plugin.go", include_str!("../../../sdk/templates/wasm/go/plugin.go")),
    ("glue.go", include_str!("../../../sdk/templates/wasm/go/glue.go")),
    (".pocketignore", "*.go\ngo.mod\n"),
];
const GO_BUILD: &[&str] = &["env GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o plugin.wasm ."];

const ZIG_MODULE: Files = &[
    README,
    MANIFEST,
    ("plugin.zig", include_str!("../../../sdk/templates/wasm/zig/plugin.zig")),
    (".pocketignore", "*.zig\n"),
];
const ZIG_BUILD: &[&str] = &[
    "zig build-exe plugin.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic -femit-bin=plugin.wasm",
];

const SCRIPT_MODULE: Files = &[
    README,
    CAPITALS,
    ("plugin.ts", include_str!("../../../sdk/templates/wasm/assemblyscript/plugin.ts")),
    (".pocketignore", "*.ts\n"),
];
const SCRIPT_BUILD: &[&str] = &["asc plugin.ts -O3 --runtime minimal --use abort= --exportRuntime -o plugin.wasm"];

impl Template {
    /// What makes such a plugin; none if nothing does.
    pub fn of(runtime: Runtime, language: Language) -> Option<Self> {
        match (runtime, language) {
            (Runtime::Lua, Language::Lua) => Some(Self::lua()),
            (Runtime::Native, Language::Go) => Some(Self::go()),
            (Runtime::Native, Language::C) => Some(Self::c()),
            (Runtime::Native | Runtime::Wasm, Language::Rust) => Some(Self::rust(runtime)),
            (Runtime::Wasm, Language::C) => Some(Self::module(C_MODULE, C_BUILD)),
            (Runtime::Wasm, Language::Go) => Some(Self::module(GO_MODULE, GO_BUILD)),
            (Runtime::Wasm, Language::Zig) => Some(Self::module(ZIG_MODULE, ZIG_BUILD)),
            (Runtime::Wasm, Language::AssemblyScript) => Some(Self::module(SCRIPT_MODULE, SCRIPT_BUILD)),
            _ => None,
        }
    }

    fn lua() -> Self {
        Self {
            kit: None,
            runtime: Runtime::Lua,
            files: &[README, MANIFEST, ("main.lua", include_str!("../../../sdk/templates/lua/main.lua"))],
            build: &[],
            load: ".",
            binary: "main.lua",
            examples: Examples::InManifest,
        }
    }

    /// The library says itself what it is, so there are the four files that the documentation shows.
    fn go() -> Self {
        Self {
            kit: Some(Kit::Go),
            runtime: Runtime::Native,
            files: &[
                ("go.mod", include_str!("../../../sdk/templates/go/go.mod")),
                ("plugin.go", include_str!("../../../sdk/templates/go/plugin.go")),
                ("nodes.go", include_str!("../../../sdk/templates/go/nodes.go")),
                README,
            ],
            build: &["go build -buildmode=c-shared -o {{name}}.so ."],
            load: "./{{name}}.so",
            binary: "{{name}}.so",
            examples: Examples::Nowhere,
        }
    }

    fn c() -> Self {
        Self {
            kit: None,
            runtime: Runtime::Native,
            files: &[
                README,
                CAPITALS,
                ("plugin.c", include_str!("../../../sdk/templates/c/plugin.c")),
                ("pocket_plugin.h", include_str!("../../../sdk/c/pocket_plugin.h")),
                (".pocketignore", "*.c\n*.h\n"),
            ],
            build: &["cc -shared -fPIC -o {{name}}.so plugin.c"],
            load: ".",
            binary: "{ {{target}}: {{name}}.so }",
            examples: Examples::InManifest,
        }
    }

    fn rust(runtime: Runtime) -> Self {
        let (build, binary): (&[&str], _) = match runtime {
            Runtime::Wasm => (
                &[
                    "cargo build --release --target wasm32-unknown-unknown",
                    "cp target/wasm32-unknown-unknown/release/{{crate}}.wasm plugin.wasm",
                ],
                "plugin.wasm",
            ),
            _ => (
                &["cargo build --release", "cp target/release/lib{{crate}}.so {{name}}.so"],
                "{ {{target}}: {{name}}.so }",
            ),
        };
        let files = &[README, MANIFEST, CARGO, LIBRARY, RUST_IGNORED];
        Self { kit: Some(Kit::Rust), runtime, files, build, load: ".", binary, examples: Examples::InManifest }
    }

    /// A module without a kit: what stands between it and the engine is a few functions in its own source.
    fn module(files: Files, build: &'static [&'static str]) -> Self {
        let (load, binary) = (".", "plugin.wasm");
        Self { kit: None, runtime: Runtime::Wasm, files, build, load, binary, examples: Examples::InManifest }
    }

    /// The files with their paths.
    pub fn files(&self) -> impl Iterator<Item = (String, String)> + use<> {
        self.files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
    }

    /// What the placeholders stand for, those that hold others first.
    pub fn values(&self, name: &PluginName, kit: Option<&Path>) -> Vec<(&'static str, String)> {
        let build: String = self.build.iter().map(|line| format!("$ {line}\n")).collect();
        let build = if build.is_empty() { String::new() } else { format!("```console\n{build}```\n\n") };
        let again = if self.build.is_empty() { "" } else { " and a build" };
        let test = match self.examples {
            Examples::InManifest => "",
            Examples::Nowhere => " --input data.json",
        };
        let kit = kit.map(|kit| kit.display().to_string()).unwrap_or_default();
        vec![
            ("{{build}}\n", build),
            ("{{load}}", self.load.to_owned()),
            ("{{test}}", test.to_owned()),
            ("{{again}}", again.to_owned()),
            ("{{binary}}", self.binary.to_owned()),
            ("{{runtime}}", self.runtime.to_string()),
            ("{{sdk}}", kit),
            ("{{target}}", Target::host().to_string()),
            ("{{crate}}", name.as_str().replace('-', "_")),
            ("{{function}}", node(name).replace('-', "_")),
            ("{{node}}", node(name)),
            ("{{name}}", name.to_string()),
        ]
    }

    /// What to type next.
    pub fn next(&self, name: &PluginName) -> Vec<String> {
        let load = format!("pocket plugin load {}", self.load);
        let lines = self.build.iter().map(|line| (*line).to_owned()).chain([load]);
        let filled = |line: String| {
            let line = line.replace("{{name}}", name.as_str());
            line.replace("{{crate}}", &name.as_str().replace('-', "_"))
        };
        lines.map(filled).collect()
    }
}

/// The node type has the plugin's name before it: that of another plugin could be called the same.
fn node(name: &PluginName) -> String {
    format!("{name}-greet")
}
