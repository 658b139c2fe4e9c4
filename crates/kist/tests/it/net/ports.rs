//! Published ports: who reaches them, what they are called, and who gets them.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use expect_test::{Expect, expect};
use testkit::{App, Machine};

use super::{HOST, HOST6, OUTSIDE, Site, get, page, refused, silent};
use crate::inspect;

/// The PORTS column of a container's row.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that a call reads as a row")]
fn check_ports(site: &Site, container: &str, want: Expect) {
    want.assert_eq(&site.kist.ok(&["ps", "-a", "--filter", &format!("name=^{container}$"), "--format", "{{.Ports}}"]));
}

#[test]
fn a_port_is_reached_from_the_host_and_from_outside() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    assert_eq!(page(&site.host, "127.0.0.1:8080"), "web");
    assert_eq!(page(&site.host, &format!("{HOST}:8080")), "web");
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    // The container has no IPv6: its monitor relays.
    assert_eq!(page(&site.host, "[::1]:8080"), "web");
    assert_eq!(page(&site.outside, &format!("[{HOST6}]:8080")), "web");
    silent(&site.host, "127.0.0.1:80");
    silent(&site.outside, &format!("{HOST}:80"));
    site.kist.ok(&["stop", "-t", "0", "web"]);
    silent(&site.host, "127.0.0.1:8080");
    silent(&site.host, "[::1]:8080");
    silent(&site.outside, &format!("{HOST}:8080"));
    site.kist.ok(&["start", "web"]);
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    assert_eq!(page(&site.host, "[::1]:8080"), "web");
}

#[test]
fn port_ps_and_inspect_say_where_it_is() {
    let site = Site::new();
    site.serve("web", "-p 8080:80 --expose 81-82 --expose 53/udp");
    assert_eq!(site.kist.ok(&["port", "web"]), "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080");
    assert_eq!(site.kist.ok(&["port", "web", "80"]), "0.0.0.0:8080\n[::]:8080");
    assert_eq!(site.kist.ok(&["port", "web", "80/tcp"]), "0.0.0.0:8080\n[::]:8080");
    refused(&site.kist.run(&["port", "web", "81/tcp"]), 1, "No public port '81/tcp' published for web");
    check_ports(&site, "web", expect!["53/udp, 81-82/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"]);
    assert_eq!(
        inspect(&site.kist, "web", "{{json .NetworkSettings.Ports}}"),
        r#"{"53/udp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"81/tcp":null,"82/tcp":null}"#
    );
    assert_eq!(
        inspect(&site.kist, "web", "{{json .HostConfig.PortBindings}}"),
        r#"{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}"#
    );
    site.kist.ok(&["stop", "-t", "0", "web"]);
    check_ports(&site, "web", expect![""]);
    assert_eq!(site.kist.ok(&["port", "web"]), "");
    assert_eq!(inspect(&site.kist, "web", "{{json .NetworkSettings.Ports}}"), "{}");
}

#[test]
fn neighbouring_ports_are_one_range_in_ps() {
    let site = Site::new();
    site.idle("same", "-p 8000-8003:8000-8003 -p 8005:8005");
    check_ports(
        &site,
        "same",
        expect![
            "0.0.0.0:8000-8003->8000-8003/tcp, [::]:8000-8003->8000-8003/tcp, 0.0.0.0:8005->8005/tcp, [::]:8005->8005/tcp"
        ],
    );
    site.idle("others", "-p 127.0.0.1:9000-9001:80-81");
    check_ports(&site, "others", expect!["127.0.0.1:9000->80/tcp, 127.0.0.1:9001->81/tcp"]);
}

#[test]
fn a_port_can_be_for_one_address_of_the_host() {
    let site = Site::new();
    site.serve("inner", "-p 127.0.0.1:8080:80");
    site.serve("outer", &format!("-p {HOST}:8080:80"));
    site.kist.ok(&["network", "create", "--ipv6", "six"]);
    site.serve("six", &format!("--network six -p [{HOST6}]:8080:80"));
    assert_eq!(page(&site.host, "127.0.0.1:8080"), "inner");
    assert_eq!(page(&site.host, &format!("{HOST}:8080")), "outer");
    assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "outer");
    assert_eq!(page(&site.outside, &format!("[{HOST6}]:8080")), "six");
    silent(&site.host, "[::1]:8080");
    check_ports(&site, "inner", expect!["127.0.0.1:8080->80/tcp"]);
    check_ports(&site, "six", expect!["[2001:db8::1]:8080->80/tcp"]);
    refused(
        &site.kist.run(&["run", "-d", "-p", "203.0.113.9:8080:80", "busybox", "true"]),
        125,
        "cannot assign requested address",
    );
}

#[test]
fn a_port_of_the_loopback_is_not_reached_over_the_cable() {
    let site = Site::new();
    site.serve("web", "-p 127.0.0.1:8080:80");
    page(&site.host, "127.0.0.1:8080");
    // A neighbour may send what he likes: here to 127.0.0.1, and to the container itself.
    site.outside.ok("echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet");
    site.outside
        .ok(&format!("ip route del local 127.0.0.1 table local; ip route add 127.0.0.1 via {HOST} src {OUTSIDE}"));
    silent(&site.outside, "127.0.0.1:8080");
    let address = site.address("web");
    site.outside.route("172.16.0.0/12", HOST);
    silent(&site.outside, &format!("{address}:80"));
}

#[test]
fn a_port_that_is_not_published_is_not_reached_from_outside() {
    let site = Site::new();
    site.serve("web", "");
    let address = format!("{}:80", site.address("web"));
    assert_eq!(page(&site.host, &address), "web");
    site.outside.route("172.16.0.0/12", HOST);
    silent(&site.outside, &address);
}

#[test]
fn a_free_port_is_found_where_none_is_named() {
    let site = Site::new();
    site.serve("web", "-p 80");
    let ports = site.kist.ok(&["port", "web", "80"]);
    let (four, six) = ports.split_once('\n').unwrap();
    let port: u16 = four.strip_prefix("0.0.0.0:").unwrap().parse().unwrap();
    assert_eq!(six, format!("[::]:{port}"));
    assert!((32768..=60999).contains(&port), "{port}");
    assert_eq!(page(&site.outside, &format!("{HOST}:{port}")), "web");
    site.serve("other", "-p 127.0.0.1::80");
    assert!(site.kist.ok(&["port", "other"]).starts_with("80/tcp -> 127.0.0.1:"));
}

#[test]
fn all_exposed_ports_are_published_when_asked_for() {
    let site = Site::new();
    site.kist.load_image(
        &testkit::busybox()
            .unnamed()
            .name("exposing:latest")
            .config("ExposedPorts", serde_json::json!({ "80/tcp": {} })),
    );
    site.kist.ok(&[
        "run", "-d", "--name", "box", "-P", "--expose", "90-91", "--expose", "53/udp", "exposing", "sleep", "1000",
    ]);
    let ports = site.kist.ok(&["port", "box"]);
    let named: Vec<_> = ports.lines().map(|line| line.split(" -> ").next().unwrap()).collect();
    assert_eq!(named, ["53/udp", "80/tcp", "80/tcp", "90/tcp", "90/tcp", "91/tcp", "91/tcp"]);
}

#[test]
fn the_first_free_port_of_a_range_is_taken() {
    let site = Site::new();
    let _taken = site.host.inside(|| TcpListener::bind("0.0.0.0:8001").unwrap());
    for (name, port) in [("first", 8000), ("second", 8002)] {
        site.serve(name, "-p 8000-8002:80");
        assert_eq!(site.kist.ok(&["port", name, "80"]), format!("0.0.0.0:{port}\n[::]:{port}"));
        assert_eq!(page(&site.host, &format!("127.0.0.1:{port}")), name);
    }
    assert_eq!(site.kist.run(&["run", "-d", "-p", "8000-8002:80", "busybox", "true"]).code, 125);
    refused(
        &site.kist.run(&["run", "-d", "-p", "8000-8003:80-81", "busybox", "true"]),
        125,
        "invalid ranges specified for container and host Ports: 80-81 and 8000-8003",
    );
}

#[test]
fn two_containers_cannot_have_one_port() {
    let site = Site::new();
    site.serve("one", "-p 8080:80");
    let out = site.kist.run(&["run", "-d", "--name", "two", "-p", "8080:80", "busybox", "sleep", "1000"]);
    let id = inspect(&site.kist, "two", "{{.Id}}");
    assert_eq!(out.code, 125);
    // Docker prints the identifier of what it has made, and then that it does not start.
    assert_eq!(out.stdout, format!("{id}\n"));
    let endpoint =
        "failed to set up container networking: driver failed programming external connectivity on endpoint two (";
    assert!(out.stderr.starts_with(&format!("kist: Error response from daemon: {endpoint}")), "{}", out.stderr);
    assert!(out.stderr.contains("): Bind for 0.0.0.0:8080 failed: port is already allocated"), "{}", out.stderr);
    assert!(out.stderr.contains("Run 'kist run --help' for more information"), "{}", out.stderr);
    assert_eq!(inspect(&site.kist, "two", "{{.State.Status}}"), "created");
    refused(
        &site.kist.run(&["run", "--name", "two", "busybox", "true"]),
        125,
        r#"Conflict. The container name "/two" is already in use by container"#,
    );
    refused(&site.kist.run(&["start", "two"]), 1, "port is already allocated");
    assert_eq!(page(&site.host, "127.0.0.1:8080"), "one");
    site.kist.ok(&["stop", "-t", "0", "one"]);
    site.kist.ok(&["start", "two"]);
    refused(&site.kist.run(&["start", "one"]), 1, "Bind for 0.0.0.0:8080 failed: port is already allocated");
}

#[test]
fn one_port_for_all_addresses_is_in_the_way_of_the_same_for_one() {
    let site = Site::new();
    site.idle("one", "-p 8080:80");
    refused(&site.kist.run(&["run", "-d", "-p", "127.0.0.1:8080:80", "busybox", "true"]), 125, "127.0.0.1:8080");
    site.idle("udp", "-p 8080:80/udp");
}

#[test]
fn a_process_of_the_host_and_a_container_cannot_have_one_port() {
    let site = Site::new();
    let listener = site.host.inside(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let out = site.kist.run(&["run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sleep", "1000"]);
    refused(&out, 125, "driver failed programming external connectivity on endpoint web (");
    refused(&out, 125, "failed to bind host port 0.0.0.0:8080/tcp: address already in use");
    drop(listener);
    site.kist.ok(&["start", "web"]);
    for address in ["0.0.0.0:8080", "127.0.0.1:8080"] {
        assert!(site.host.inside(|| TcpListener::bind(address)).is_err(), "{address} is the container's");
    }
    site.kist.ok(&["rm", "-f", "web"]);
    drop(site.host.inside(|| TcpListener::bind("0.0.0.0:8080").unwrap()));
}

/// Asks until an answer comes: the server may be on its way up, and nobody says so in UDP.
#[track_caller]
fn echo(from: &Machine, address: &str) -> String {
    let bind = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = from.inside(|| UdpSocket::bind(bind).unwrap());
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = [0; 64];
    for _ in 0..50 {
        let _ = socket.send(b"hello\n");
        if let Ok(n) = socket.recv(&mut answer) {
            return String::from_utf8_lossy(&answer[..n]).trim_end().to_owned();
        }
    }
    panic!("{address} does not answer");
}

#[test]
fn datagrams_find_their_way_there_and_back() {
    // Of all images of the tests it has a Perl.
    let image = match App::Nginx.image() {
        Ok(image) => image,
        Err(reason) => testkit::skip!("{reason}"),
    };
    let site = Site::new();
    site.kist.load(&image);
    let script = "socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(53, INADDR_ANY)); \
                  while ($from = recv(S, $text, 512, 0)) { send(S, $text, 0, $from) }";
    let run = ["run", "-d", "--name", "echo", "-p", "5353:53/udp", "nginx", "perl", "-MSocket", "-e", script];
    site.kist.ok(&run);
    assert_eq!(site.kist.ok(&["port", "echo"]), "53/udp -> 0.0.0.0:5353");
    assert_eq!(echo(&site.host, "127.0.0.1:5353"), "hello");
    assert_eq!(echo(&site.host, "192.0.2.1:5353"), "hello");
    assert_eq!(echo(&site.outside, "192.0.2.1:5353"), "hello");
}

#[test]
fn a_container_reaches_published_ports_by_the_hosts_addresses() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    site.kist.ok(&["network", "create", "other"]);
    site.idle("far", "--network other");
    site.idle("near", "");
    for container in ["web", "near", "far"] {
        assert_eq!(site.wget(container, &format!("{HOST}:8080")), "web", "from {container}");
    }
    let gateway = inspect(&site.kist, "near", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}");
    assert_eq!(site.wget("near", &format!("{gateway}:8080")), "web");
}

#[test]
fn a_container_reaches_the_outside_with_the_hosts_address() {
    let site = Site::new();
    site.idle("box", "");
    let listener = site.outside.inside(|| TcpListener::bind("0.0.0.0:7000").unwrap());
    let accept = std::thread::spawn(move || listener.accept().unwrap().1.ip().to_string());
    site.exec("box", &format!("echo x | nc -w 3 {OUTSIDE} 7000"));
    assert_eq!(accept.join().unwrap(), HOST);
}

#[test]
fn ports_with_a_network_that_is_not_the_containers() {
    let site = Site::new();
    let out = site.kist.run(&["run", "--rm", "--network", "host", "-p", "8080:80", "busybox", "true"]);
    assert_eq!(
        (out.code, out.stderr.trim_end()),
        (0, "WARNING: Published ports are discarded when using host network mode")
    );
    site.idle("other", "");
    refused(
        &site.kist.run(&["run", "--rm", "--network", "container:other", "-p", "8080:80", "busybox", "true"]),
        125,
        "conflicting options: port publishing and the container type network mode",
    );
    refused(
        &site.kist.run(&["run", "--rm", "--network", "container:other", "--expose", "80", "busybox", "true"]),
        125,
        "conflicting options: port exposing and the container type network mode",
    );
    site.idle("none", "--network none -p 8080:80");
    silent(&site.host, "127.0.0.1:8080");
}

#[test]
fn ports_that_are_none_are_refused() {
    let site = Site::new();
    for (port, text) in [
        ("99999:80", "invalid hostPort: 99999"),
        ("80:99999", "invalid containerPort: 99999"),
        ("8080:80/nonsense", "invalid proto: nonsense"),
        ("1.2.3:8080:80", "invalid IP address: 1.2.3"),
    ] {
        refused(&site.kist.run(&["run", "-p", port, "busybox", "true"]), 125, text);
    }
    assert_eq!(site.kist.ok(&["ps", "-aq"]), "");
}

#[test]
fn a_published_port_holds_through_many_restarts() {
    let site = Site::new();
    site.serve("web", "-p 8080:80");
    for _ in 0..5 {
        site.kist.ok(&["restart", "-t", "0", "web"]);
        assert_eq!(page(&site.outside, &format!("{HOST}:8080")), "web");
    }
    site.kist.ok(&["kill", "web"]);
    site.kist.wait_until("it has ended", |kist| inspect(kist, "web", "{{.State.Running}}") == "false");
    assert!(get(&site.host, "127.0.0.1:8080").is_err());
}
