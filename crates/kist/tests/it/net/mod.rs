//! Networks as their users meet them: a host with kist, another computer on a cable, programs that people run. Each test has hosts of its
//! own; what is left on them when it is over fails it.

mod apps;
mod broken;
mod many;
mod modes;
mod names;
mod networks;
mod ports;
mod relay;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use testkit::{Kist, Machine, Output};

use crate::PROGRAM;

/// A host with an engine, and another computer that knows no way but to the host. What is last here is gone last.
struct Site {
    kist: Kist,
    host: Machine,
    outside: Machine,
}

/// The host's addresses on the cable, and the other computer's.
const HOST: &str = "192.0.2.1";
const HOST6: &str = "2001:db8::1";
const OUTSIDE: &str = "192.0.2.2";
const OUTSIDE6: &str = "2001:db8::2";

impl Site {
    /// With the image `busybox`.
    fn new() -> Site {
        let (host, outside) = (Machine::with_mounts(), Machine::new());
        host.connect(&outside, &format!("{HOST}/24 {HOST6}/64"), &format!("{OUTSIDE}/24 {OUTSIDE6}/64"));
        let kist = host.kist(PROGRAM);
        kist.load(&testkit::busybox_image());
        Site { kist, host, outside }
    }

    /// Starts a container `name` that serves its name on port 80 of both families.
    #[track_caller]
    fn serve(&self, name: &str, flags: &str) -> String {
        let script = format!("mkdir -p /www && echo {name} >/www/index.html && exec httpd -f -p 80 -h /www");
        crate::background(&self.kist, &format!("--name {name} {flags}"), &script)
    }

    /// A container `name` that does nothing.
    #[track_caller]
    fn idle(&self, name: &str, flags: &str) -> String {
        crate::idle(&self.kist, &format!("--name {name} {flags}"))
    }

    /// What a script in a running container prints.
    #[track_caller]
    fn exec(&self, container: &str, script: &str) -> String {
        self.kist.ok(&["exec", container, "sh", "-c", script])
    }

    /// What becomes of a script in a running container.
    fn try_exec(&self, container: &str, script: &str) -> Output {
        self.kist.run(&["exec", container, "sh", "-c", script])
    }

    /// What the container gets from there by HTTP; a server may be on its way up.
    #[track_caller]
    fn wget(&self, container: &str, address: &str) -> String {
        self.exec(
            container,
            &format!("for n in 1 2 3 4 5; do timeout 2 wget -qO- http://{address}/ && exit; sleep 0.2; done; exit 1"),
        )
    }

    /// Asserts that the container gets nothing from there.
    #[track_caller]
    fn wget_fails(&self, container: &str, address: &str) {
        let output = self.try_exec(container, &format!("timeout 1 wget -qO- http://{address}/"));
        assert_ne!(output.code, 0, "{container} got {} from {address}", output.stdout);
    }

    /// The container's address on its only network.
    #[track_caller]
    fn address(&self, container: &str) -> String {
        crate::inspect(&self.kist, container, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
    }
}

/// One request from a host: the body, or why there is none.
fn get(from: &Machine, address: &str) -> Result<String, String> {
    let address: SocketAddr = address.parse().unwrap();
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = from.inside(ask).map_err(|error: std::io::Error| error.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {answer}"))?;
    Ok(body.trim_end().to_owned())
}

/// The same from a server that may be on its way up.
#[track_caller]
fn page(from: &Machine, address: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match get(from, address) {
            Ok(body) => return body,
            Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asserts that nobody answers there.
#[track_caller]
fn silent(from: &Machine, address: &str) {
    if let Ok(body) = get(from, address) {
        panic!("{address} says {body}");
    }
}

/// Asserts a failure with this code whose message has this text.
#[track_caller]
fn refused(output: &Output, code: i32, text: &str) {
    assert!(output.code == code && output.stderr.contains(text), "wanted {code}: {text}\n{output:?}");
}
