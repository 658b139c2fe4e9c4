//! Containers without IPv6, by IPv6.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::App;

use super::{HOST6, Site, get, page, silent};
use crate::inspect;

/// Dropped, by a failure too, the load ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const AT: &str = "[::1]:8080";

#[test]
fn nginx_serves_many_at_once_by_ipv6() {
    let image = match App::Nginx.image() {
        Ok(image) => image,
        Err(reason) => testkit::skip!("{reason}"),
    };
    let site = Site::new();
    site.kist.load(&image);
    site.kist.ok(&["run", "-d", "--name", "web", "-p", "8080:80", "nginx"]);
    let said = page(&site.host, AT);
    assert_eq!(page(&site.outside, &format!("[{HOST6}]:8080")), said);
    let open: Vec<TcpStream> = site.host.inside(|| (0..300).map(|_| TcpStream::connect(AT).unwrap()).collect());
    for stream in &open {
        let mut stream = stream;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    }
    for mut stream in open {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.trim_end(), said);
    }
}

#[test]
fn restarts_under_load_break_connections_and_nothing_else() {
    let site = Site::new();
    site.serve("web", "-p 8080:80 --restart always");
    page(&site.host, AT);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = get(&site.host, AT);
                }
            });
        }
        let over = Over(&over);
        for _ in 0..2 {
            let pid = inspect(&site.kist, "web", "{{.State.Pid}}");
            site.host.ok(&format!("kill -9 {pid}"));
            site.kist.wait_until("it runs again", |kist| {
                inspect(kist, "web", "{{.State.Status}}") == "running" && inspect(kist, "web", "{{.State.Pid}}") != pid
            });
            assert_eq!(page(&site.host, AT), "web");
            site.kist.ok(&["restart", "-t", "0", "web"]);
            assert_eq!(page(&site.host, AT), "web");
        }
        drop(over);
    });
    // Connections that are over for less than a minute do not keep the port.
    site.kist.ok(&["rm", "-f", "web"]);
    site.serve("next", "-p 8080:80");
    assert_eq!(page(&site.host, AT), "next");
}

#[test]
fn it_follows_the_container_to_another_network() {
    let site = Site::new();
    site.kist.ok(&["network", "create", "other"]);
    site.serve("web", "-p 8080:80");
    page(&site.host, AT);
    site.kist.ok(&["network", "disconnect", "bridge", "web"]);
    silent(&site.host, AT);
    site.kist.ok(&["network", "connect", "other", "web"]);
    assert_eq!(page(&site.host, AT), "web");
    let out = site.kist.run(&["run", "-d", "-p", "[::1]:8080:80", "busybox", "true"]);
    super::refused(&out, 125, "Bind for ::1:8080 failed: port is already allocated");
}

#[test]
fn a_program_that_listens_at_ipv6_alone_is_in_the_way_too() {
    let site = Site::new();
    let _listener = site.host.inside(|| std::net::TcpListener::bind("[::1]:8080").unwrap());
    let out = site.kist.run(&["run", "-d", "-p", "8080:80", "busybox", "true"]);
    super::refused(&out, 125, "8080/tcp: address already in use");
    // Nothing of ours serves datagrams there: they are not in each other's way.
    let _socket = site.host.inside(|| std::net::UdpSocket::bind("[::1]:8080").unwrap());
    site.idle("udp", "-p 8080:80/udp");
}
