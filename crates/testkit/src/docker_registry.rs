//! The registry of the distribution project, from Debian's package `docker-registry`: the peer that was not written by us.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Root;

/// A registry with a storage and a port of its own. When it is dropped, it ends.
pub struct DockerRegistry {
    process: Child,
    address: String,
    root: Root,
}

impl DockerRegistry {
    /// Starts one that lets everybody in, or only those in `htpasswd` (lines `user:bcrypt`). None where the package is not installed.
    ///
    /// # Panics
    /// When it does not listen within ten seconds.
    pub fn start(htpasswd: Option<&str>) -> Option<DockerRegistry> {
        let root = Root::new();
        // Free a moment ago; whoever takes it in between makes the test fail, and that has not been seen.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let auth = htpasswd.map(|lines| {
            let file = root.write("htpasswd", lines);
            format!("auth: {{htpasswd: {{realm: here, path: {}}}}}\n", file.display())
        });
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n{}",
            root.join("storage").display(),
            auth.unwrap_or_default()
        );
        let config = root.write("config.yml", config);
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().ok()?;
        let registry = DockerRegistry { process, address, root };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&registry.address).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen on {}", registry.address);
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(registry)
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `127.0.0.1:<port>/<rest>`.
    pub fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// Its files, and a place for those that a test shares with it.
    pub fn root(&self) -> &Root {
        &self.root
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
