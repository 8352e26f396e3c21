//! SeaweedFS, the S3-compatible server that a registry may stand on.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStoreExt as _, RetryConfig};

/// How often it is started anew when it ends by itself: somebody may have taken one of its ports.
const STARTS: u32 = 5;

/// SeaweedFS with a bucket `pocket`; killed when dropped.
pub struct Seaweed {
    process: Child,
    folder: tempfile::TempDir,
    ports: [u16; PORTS],
}

/// S3, master, volume, filer, admin.
const PORTS: usize = 5;

/// The one that tests share which leave it running. It ends with the last of them.
pub fn shared() -> Arc<Seaweed> {
    static RUNNING: Mutex<Weak<Seaweed>> = Mutex::new(Weak::new());
    // Held while it starts: whoever comes meanwhile waits for this one instead of starting another.
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let seaweed = Arc::new(Seaweed::start());
        *running = Arc::downgrade(&seaweed);
        seaweed
    })
}

impl Seaweed {
    pub fn start() -> Self {
        let mut said = String::new();
        for _ in 0..STARTS {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let ports = free_ports();
            let mut seaweed = Self { process: spawn(folder.path(), ports), folder, ports };
            match seaweed.answers() {
                Ok(()) => return seaweed,
                Err(log) => said = log,
            }
        }
        panic!("SeaweedFS ended {STARTS} times, and said at last:\n{said}");
    }

    /// Where S3 is spoken.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// A client of the bucket.
    pub fn store(&self, retry: RetryConfig) -> AmazonS3 {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = AmazonS3Builder::new().with_bucket_name("pocket").with_endpoint(self.endpoint());
        let builder = builder.with_access_key_id("admin").with_secret_access_key("secret").with_region("us-east-1");
        builder.with_allow_http(true).with_retry(retry).build().expect("a client")
    }

    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it on the same files and ports again.
    pub fn start_again(&mut self) {
        self.process = spawn(self.folder.path(), self.ports);
        self.answers().unwrap_or_else(|log| panic!("SeaweedFS ended, and said:\n{log}"));
    }

    /// Waits until something can be written, however long that takes as long as it runs.
    ///
    /// # Errors
    /// It ended; with what it said.
    fn answers(&mut self) -> Result<(), String> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let store = self.store(RetryConfig { max_retries: 0, ..RetryConfig::default() });
        loop {
            let written = runtime.block_on(store.put(&"ready".into(), "yes".into()));
            if written.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait().expect("it is a child") {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(format!("{log}\n{status}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(folder: &Path, [s3, master, volume, filer, admin]: [u16; PORTS]) -> Child {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let services = std::env::var_os("POCKET_SERVICES").map_or(home.join(".cache/pocket-services"), PathBuf::from);
    let log = File::create(folder.join("log")).expect("a log");
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("a folder for its files");
    Command::new(services.join("bin/weed"))
        .arg("mini")
        .arg(format!("-dir={}", data.display()))
        .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-bucket=pocket", "-admin.ui=false", "-webdav=false"])
        // What nobody needs here listens on one port for all servers of a machine, and the second to start ends with that.
        .arg("-s3.port.lance=0")
        .args([format!("-admin.port={admin}"), "-metricsPort=0".to_owned(), "-master.telemetry=false".to_owned()])
        .args(["-s3.port.iceberg=0", &format!("-s3.port={s3}"), &format!("-master.port={master}")])
        .args([format!("-volume.port={volume}"), format!("-filer.port={filer}")])
        .env("AWS_ACCESS_KEY_ID", "admin")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("SeaweedFS is installed: fixtures/services/install, which ./test calls")
}

/// Ports that are free, and those 10,000 above them, which it takes as well. All are below those that the system gives to outgoing
/// connections, so that none is taken between here and there by one of those.
fn free_ports() -> [u16; PORTS] {
    let mut found = Vec::new();
    let mut listeners = Vec::new();
    while found.len() < PORTS {
        let Ok(chance) = TcpListener::bind("127.0.0.1:0") else { continue };
        let port = 11_000 + chance.local_addr().expect("an address").port() % 11_000;
        let both = [port, port + 10_000].map(|port| TcpListener::bind(("127.0.0.1", port)));
        if both.iter().all(Result::is_ok) {
            found.push(port);
            listeners.extend(both);
        }
    }
    found.try_into().expect("as many as were looked for")
}
