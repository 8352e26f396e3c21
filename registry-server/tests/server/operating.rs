//! Starting, configuring, watching and stopping it.

use std::io::Write as _;
use std::process::Command;

use crate::http::{connect, get, publish, read};
use crate::plugin::{author, release};
use crate::program::{PROGRAM, Program};

/// Runs the program to its end.
fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(PROGRAM).args(arguments).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_tls_it_listens_for_this_machine_only() {
    let (done, told) = run(&["--addr", "0.0.0.0:0"]);
    assert!(!done && told.contains("can be reached from other machines, and this server has no TLS"), "{told}");
}

#[test]
fn with_a_certificate_it_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    write("certificate.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    write("empty.pem", String::new());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let registry = path("registry");
    let tls = ["--tls-cert", &path("certificate.pem"), "--tls-key", &path("key.pem")];
    let server = Program::start(Command::new(PROGRAM).args(["--dir", &registry, "--addr", "0.0.0.0:0"]).args(tls));
    let server = server.expect("it listens for everybody");
    let url = format!("https://localhost:{}/log/checkpoint", server.address.port());
    let curl =
        |more: &[&str]| Command::new("curl").args(["-sS", "--cacert", tls[1]]).args(more).arg(&url).output().unwrap();
    for version in ["--http1.1", "--http2"] {
        let output = curl(&[version]);
        assert!(output.status.success() && output.stdout.starts_with(b"pocket-registry/"), "{output:?}");
    }
    let (done, told) = run(&["--tls-cert", &path("empty.pem"), "--tls-key", &path("key.pem")]);
    assert!(!done && told.contains("empty.pem` is of no use for TLS: it holds no certificate"), "{told}");
    let (done, told) = run(&["--tls-cert", &path("certificate.pem")]);
    assert!(!done && told.contains("--tls-key"), "{told}");
}

#[test]
fn a_file_and_the_environment_say_what_is_not_typed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("registry.yaml");
    let registry = folder.path().join("from-file");
    let text = format!("dir: {}\naddr: 127.0.0.1:0\nwith-bundled: true\nmax-body: 1\n", registry.display());
    std::fs::write(&config, text).unwrap();
    let server = Program::start(Command::new(PROGRAM).env("POCKET_REGISTRY_CONFIG", &config)).expect("it serves");
    assert_eq!(get(server.address, "/index/re/di/redis-cache").status, 200);
    drop(server);
    // The environment goes before the file, and what is typed before both.
    let other = folder.path().join("typed");
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(&config).env("POCKET_REGISTRY_DIR", folder.path().join("environment"));
    let server = Program::start(command.arg("--dir").arg(&other)).expect("it serves");
    assert!(other.join("tree").is_dir() && !folder.path().join("environment").exists());
    drop(server);
    for (text, said) in [
        ("adr: 127.0.0.1:0\n", "adr"),
        ("tls-cert: x\n", "go together"),
        ("witness: [x]\n", "no witness"),
        ("patience: 0\n", "`patience` is 0, expected 1 to 3600"),
        ("witness-timeout: 601\n", "`witness-timeout` is 601, expected 1 to 600"),
        ("max-publishes: 18446744073709551615\n", "expected 1 to 1000000"),
        ("trusted-proxy: [x]\n", "`x` is no network"),
    ] {
        std::fs::write(&config, text).unwrap();
        let (done, told) = run(&["--config", config.to_str().unwrap()]);
        assert!(!done && told.contains(said), "{told}");
    }
    for (option, value) in [("--patience", "0"), ("--patience", "18446744073709551615"), ("--max-body", "99999999999")]
    {
        let (done, told) = run(&["--addr", "127.0.0.1:0", option, value]);
        assert!(!done && told.contains(&format!("`{}` is {value}", &option[2..])), "{told}");
    }
}

#[test]
fn how_it_is_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::on_folder(folder.path(), &[]);
    assert_eq!(get(server.address, "/healthz").text(), "ok\n");
    assert_eq!(get(server.address, "/readyz").text(), "ready\n");
    get(server.address, "/config.json");
    get(server.address, "/a/none");
    let metrics = get(server.address, "/metrics").text();
    for line in [
        "pocket_registry_requests_total{kind=\"index\",status=\"2xx\"} 1",
        "pocket_registry_requests_total{kind=\"archive\",status=\"4xx\"} 1",
        "pocket_registry_request_duration_seconds_count{kind=\"index\"} 1",
        "# TYPE pocket_registry_request_duration_seconds histogram",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    std::fs::remove_file(folder.path().join("tree/log/checkpoint")).unwrap();
    let answer = get(server.address, "/readyz");
    assert_eq!((answer.status, answer.code().as_str()), (500, "storage"));
}

#[test]
fn what_happens_is_told_in_json_if_wished() {
    let folder = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--log-level", "info", "--log-format", "json", "--addr", "127.0.0.1:0"]).stderr(log);
    let server = Program::start(&mut command).expect("it serves");
    get(server.address, "/config.json?token=secret");
    let text = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&line["path"], &line["status"], &line["level"]), (&"/config.json".into(), &200.into(), &"INFO".into()));
    assert!(!text.contains("secret"), "what stands behind a `?` may be anything: {text}");
}

#[test]
fn a_server_that_is_stopped_finishes_what_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Program::on_folder(folder.path(), &[]);
    let body = release("greeting", "1.0.0", "return 1", &author(1));
    let mut stream = connect(server.address);
    let head = format!("PUT /api/v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..20]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.terminate();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(std::net::TcpStream::connect(server.address).is_err(), "nobody else comes in");
    stream.write_all(&body[20..]).unwrap();
    assert_eq!(read(&mut stream).expect("it is answered").status, 201);
    assert!(server.wait().success());
    let again = Program::on_folder(folder.path(), &[]);
    assert_eq!(publish(again.address, &body).status, 200);
}

#[test]
fn a_new_registry_is_made_by_a_command_and_a_second_server_keeps_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry");
    let path = path.to_str().unwrap();
    let (done, told) = run(&["init", "--dir", path]);
    assert!(done, "{told}");
    let _server = Program::on_folder(std::path::Path::new(path), &[]);
    let (done, told) = run(&["--dir", path, "--addr", "127.0.0.1:0"]);
    assert!(!done && told.contains("another server uses"), "{told}");
    let (done, told) = run(&["init"]);
    assert!(!done && told.contains("name the registry"), "{told}");
}
