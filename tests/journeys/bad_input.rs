//! Broken files name the file, the line, the column, the field, and what was expected.

use crate::support::Sandbox;

#[test]
fn a_broken_manifest_names_line_column_and_field() {
    let sandbox = Sandbox::new();
    sandbox.write("p/manifest.yaml", "name: p\nversion: one\nruntime: lua\nbinary: m.lua\nnodes: [{type: n}]\n");
    sandbox.write("p/m.lua", "");
    sandbox.pocket(&["plugin", "pack", "p"]).failure(1, &["`p`", "line 2, column 10", "version", "one"]);
    sandbox.write("p/manifest.yaml", "name: p\nname: q\n");
    sandbox.pocket(&["plugin", "pack", "p"]).failure(1, &["line 2", "name"]);
}

#[test]
fn a_folder_with_a_link_is_not_packed() {
    let sandbox = Sandbox::new();
    sandbox.write("p/manifest.yaml", "name: p\nversion: 1.0.0\nruntime: lua\nbinary: m.lua\nnodes: [{type: n}]\n");
    sandbox.write("p/m.lua", "");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("p/secret")).unwrap();
    sandbox.pocket(&["plugin", "pack", "p"]).failure(1, &["secret"]);
    assert!(!sandbox.path("p-1.0.0.tar.gz").exists());
}

#[test]
fn a_broken_workflow_shows_every_problem_at_its_place() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nstart: a\nnodes:\n  - name: a\n    type: ecko\n  - name: b\n    type: echo\n    config: {message: '{{.x'}\nconnections:\n  - {from: a, to: bb}\n",
    );
    let outcome = sandbox.pocket(&["run", "w.yaml"]).failure(3, &["w.yaml:5:11", "`ecko`", "echo", "w.yaml:8:"]);
    assert_eq!(outcome.stderr.matches("there is no node type").count(), 1, "{}", outcome.stderr);
}

#[test]
fn a_workflow_that_is_no_yaml_names_the_place() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nnodes: [\n");
    sandbox.pocket(&["run", "w.yaml"]).failure(3, &["w.yaml:"]);
    sandbox.pocket(&["run", "missing.yaml"]).failure(1, &["cannot read `missing.yaml`"]);
}

#[test]
fn an_input_that_is_no_json_names_the_place() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nstart: a\nnodes: [{name: a, type: echo}]\n");
    sandbox
        .pocket(&["run", "w.yaml", "--input", "{"])
        .failure(3, &["the input in --input is no JSON", "line 1 column 1"]);
    sandbox.write("i.json", "{\"a\": }");
    sandbox.pocket(&["run", "w.yaml", "--input-file", "i.json"]).failure(3, &["`i.json`", "line 1 column 7"]);
}

#[test]
fn a_broken_project_file_names_the_place_and_a_near_name() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "plugins:\n  dependancies: {}\n");
    sandbox.pocket(&["plugin", "list"]).failure(1, &["pocket.yaml", "line 2, column 3", "dependencies"]);
}

#[test]
fn a_lock_with_conflict_marks_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("pocket.yaml", "");
    sandbox.pocket(&["plugin", "install", "data-processor"]).success();
    let lock = sandbox.read("pocket.lock");
    sandbox.write("pocket.lock", &format!("<<<<<<< ours\n{lock}=======\n{lock}>>>>>>> theirs\n"));
    sandbox.pocket(&["plugin", "install"]).failure(1, &["pocket.lock", "line 1"]);
}

#[test]
fn a_hostile_archive_is_refused_and_writes_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let fixture = pocket_index::archive::fixture::Fixture::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        // Some fixtures lower the limits, which the program has no flag for.
        let (Some(_), true) = (&fixture.refusal, fixture.limits == pocket_index::limits::Limits::default()) else {
            continue;
        };
        let sandbox = Sandbox::new();
        sandbox.write("pocket.yaml", "");
        std::fs::write(sandbox.path("hostile.tar.gz"), &fixture.archive).unwrap();
        let before = sandbox.snapshot();
        let outcome = sandbox.pocket(&["plugin", "install", "./hostile.tar.gz", "--yes"]);
        assert_eq!(outcome.code, 6, "{}: {}", path.display(), outcome.stderr);
        assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\u{202e}'), "{}", path.display());
        assert_eq!(sandbox.snapshot(), before, "{}", path.display());
        tried += 1;
    }
    assert!(tried > 50, "only {tried} fixtures were tried");
}
