//! A plain nginx on a free port, ended by its own process id.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running nginx that serves a folder.
pub struct Nginx {
    process: Child,
    pub url: String,
    folder: tempfile::TempDir,
}

impl Nginx {
    /// Over HTTP/1.1.
    pub fn serve(tree: &Path) -> Self {
        Self::start(tree, tempfile::tempdir().unwrap(), "http", "", "")
    }

    /// Over TLS with HTTP/2 or 1.1, with a certificate for 127.0.0.1 from an authority that nobody knows.
    pub fn serve_tls(tree: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: String| fs::write(folder.path().join(name), content).unwrap();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        write("authority.pem", authority.self_signed(&authority_key).unwrap().pem());
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        write("server.pem", certificate.signed_by(&key, &issuer).unwrap().pem());
        write("server.key", key.serialize_pem());
        let tls = "ssl_certificate server.pem; ssl_certificate_key server.key;";
        Self::start(tree, folder, "https", " ssl http2", tls)
    }

    fn start(tree: &Path, folder: tempfile::TempDir, scheme: &str, listen: &str, more: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "daemon off; user root; pid nginx.pid; error_log stderr; events {{}}\n\
             http {{ log_format plain '$server_protocol $status $uri'; access_log access.log plain;\n\
             client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n\
             server {{ listen 127.0.0.1:{port}{listen}; {more} root {}; }} }}\n",
            tree.display()
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed: ./test installs it");
        let give_up = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < give_up, "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, url: format!("{scheme}://127.0.0.1:{port}/"), folder }
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Protocol, status and path of each request so far.
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.log")).unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
