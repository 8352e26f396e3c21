use super::*;

fn inspect(text: &str) -> Inspection {
    wasm(&wat::parse_str(text).expect("the test's file is well-formed")).expect("it can be inspected")
}

const RUN_MODULE: &str = r#"(func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)"#;

fn import(interface: &str) -> Import {
    inspect(&format!(r#"(component (import "{interface}" (instance (export "send" (func)))))"#)).imports.remove(0)
}

#[test]
fn a_core_module_says_what_it_imports_and_exports() {
    let found = inspect(&format!(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) {RUN_MODULE})"#
    ));
    assert_eq!((found.kind, found.run), (Kind::CoreModule, Run::Fits));
    assert!(found.is_preview1() && found.words().is_empty());
    assert_eq!(found.imports[0].functions, ["fd_write"]);
    let exports: Vec<_> = found.exports.iter().map(|export| (export.name.as_str(), export.kind)).collect();
    assert_eq!(exports, [("memory", ExportKind::Other), ("run", ExportKind::Function)]);
}

#[test]
fn a_run_of_another_type_is_no_run() {
    assert_eq!(inspect(r#"(module (func (export "run") (param i32)))"#).run, Run::OtherType);
    assert_eq!(inspect(r#"(module (memory (export "run") 1))"#).run, Run::OtherType);
    assert_eq!(inspect("(module)").run, Run::Missing);
}

#[test]
fn an_import_takes_a_permission_that_the_manifest_must_list() {
    let found = inspect(r#"(component (import "wasi:sockets/tcp@0.2.3" (instance (export "create" (func)))))"#);
    assert_eq!(found.imports[0].functions, ["create"]);
    assert_eq!(found.words(), [Word::NetworkAccess].into());
    let unasked = found.unasked(&Permissions::default());
    insta::assert_snapshot!(unasked[0], @"it imports `wasi:sockets/tcp@0.2.3`, which takes `permissions.network` in its manifest");
    let asked = Permissions { network: vec!["example.com:443".into()], ..Permissions::default() };
    assert_eq!(found.unasked(&asked), []);
}

#[test]
fn what_is_not_offered_cannot_be_asked_for() {
    let asked = Permissions { http: vec!["*.example.com:443".into()], ..Permissions::default() };
    for name in
        ["acme:mail/send@1.0.0", "wasi:nn/graph@0.2.0", "pocket:plugin/http@2.0.0", "wasi:cli/environment@0.3.0"]
    {
        let found = inspect(&format!(r#"(component (import "{name}" (instance (export "send" (func)))))"#));
        assert_eq!(found.unasked(&asked), [UnaskedImport::NotGiven { import: name.to_owned() }]);
    }
}

#[test]
fn what_libraries_import_by_themselves_takes_nothing() {
    assert_eq!(import("wasi:cli/environment@0.2.6").need, Need::Reach(Word::ReadEnv));
    assert_eq!(import("wasi:filesystem/types@0.2.0").need, Need::Reach(Word::ReadFiles));
    assert_eq!(import("wasi:clocks/wall-clock@0.2.9").need, Need::Nothing);
    assert_eq!(import("pocket:plugin/log@1.7.0").need, Need::Nothing);
    assert_eq!(import("pocket:plugin/http@1.0.0").need, Need::Permission(Word::HttpClient));
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused_or_read_and_never_panics() {
    let whole = wat::parse_str(format!("(module {RUN_MODULE})")).expect("it is well-formed");
    for end in 0..whole.len() {
        let _ = wasm(&whole[..end]);
    }
    insta::assert_snapshot!(wasm(b"hello").expect_err("it is no WebAssembly"), @r"the file is no WebAssembly: it does not start with `\0asm`");
}
