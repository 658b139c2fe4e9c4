//! Reserved host ports.

use std::net::{TcpListener, TcpStream, UdpSocket};

use network::NetworkError;
use network::port::reserve;
use spec::network::{Publish, Published};

use crate::host::{Host, ip, port};

fn wish(port: &str, host_ip: Option<&str>, host_ports: Option<(u16, u16)>) -> Publish {
    Publish { port: port.parse().unwrap(), host_ip: host_ip.map(ip), host_ports }
}

const BOTH: [bool; 2] = [true, true];

fn reserved(host: &Host, wishes: &[Publish]) -> Result<network::port::Reserved, NetworkError> {
    reserve(&host.home, wishes, BOTH, ip("0.0.0.0"))
}

#[test]
fn a_port_is_held_in_both_families_and_told_as_two() {
    let host = Host::new();
    let held = reserved(&host, &[wish("80/tcp", None, Some((8080, 8080)))]).unwrap();
    assert_eq!(held.published, [port("0.0.0.0", 8080, "80/tcp"), port("::", 8080, "80/tcp")]);
    for taken in ["0.0.0.0:8080", "127.0.0.1:8080", "[::1]:8080", "[::]:8080"] {
        assert!(TcpListener::bind(taken).is_err(), "{taken}");
    }
    UdpSocket::bind("0.0.0.0:8080").unwrap();
    drop(held);
    TcpListener::bind("0.0.0.0:8080").unwrap();
    let four = reserve(&host.home, &[wish("80/tcp", None, Some((8081, 8081)))], [true, false], ip("0.0.0.0")).unwrap();
    assert_eq!(four.published, [port("0.0.0.0", 8081, "80/tcp"), port("::", 8081, "80/tcp")], "one is relayed");
    assert!(TcpStream::connect("[::1]:8081").is_err(), "nobody listens before it leads anywhere");
}

#[test]
fn one_family_and_one_address_leave_the_others_free() {
    let host = Host::new();
    let four = reserve(&host.home, &[wish("80/udp", None, Some((8080, 8080)))], [true, false], ip("0.0.0.0")).unwrap();
    assert_eq!(four.published, [port("0.0.0.0", 8080, "80/udp")], "nobody relays datagrams");
    UdpSocket::bind("[::1]:8080").unwrap();
    let lo = reserve(&host.home, &[wish("80/tcp", None, Some((8081, 8081)))], BOTH, ip("127.0.0.1")).unwrap();
    assert_eq!(lo.published, [port("127.0.0.1", 8081, "80/tcp")]);
    let six = reserved(&host, &[wish("80/tcp", Some("::"), Some((8080, 8080)))]).unwrap();
    assert_eq!(six.published, [port("::", 8080, "80/tcp")]);
}

#[test]
fn ranges_take_the_first_free_one_and_any_takes_one_for_both_families() {
    let host = Host::new();
    let _taken = (TcpListener::bind("127.0.0.1:9000").unwrap(), TcpListener::bind("[::1]:9001").unwrap());
    let held = reserved(&host, &[wish("80/tcp", None, Some((9000, 9005))), wish("81/tcp", None, None)]).unwrap();
    assert_eq!(held.published[0].host_port, 9002);
    let [four, six] = [held.published[2], held.published[3]];
    assert_eq!(four.host_port, six.host_port);
    assert_ne!(four.host_port, 0);
}

#[test]
fn the_loser_hears_whether_a_container_or_a_program_has_it() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let mut server = host.container(&[&network]);
    let wanted = [wish("80/tcp", None, Some((8080, 8080)))];
    let _held = reserved(&host, &wanted).unwrap();
    let lost = |wish: Publish| reserved(&host, &[wish]).unwrap_err().to_string();
    let program = "failed to bind host port 0.0.0.0:8080/tcp: address already in use";
    assert_eq!(lost(wanted[0].clone()), program, "nothing is published yet");
    host.publish(&mut server, &[port("0.0.0.0", 8080, "80/tcp"), port("::", 8080, "80/tcp")]).unwrap();
    assert_eq!(lost(wanted[0].clone()), "Bind for 0.0.0.0:8080 failed: port is already allocated");
    let on_loopback = wish("80/tcp", Some("127.0.0.1"), Some((8080, 8080)));
    assert_eq!(lost(on_loopback), "Bind for 127.0.0.1:8080 failed: port is already allocated");
    let foreign = wish("80/tcp", Some("203.0.113.7"), Some((8080, 8080)));
    assert!(matches!(reserved(&host, &[foreign]), Err(NetworkError::Bind(Published { .. }, _))));
    let twice = [wish("80/tcp", None, Some((8081, 8081))), wish("81/tcp", None, Some((8081, 8081)))];
    let twice = reserved(&host, &twice).unwrap_err().to_string();
    assert_eq!(twice, "Bind for 0.0.0.0:8081 failed: port is already allocated");
}

#[test]
fn connections_that_are_over_do_not_keep_a_port_and_two_never_share_one() {
    let host = Host::new();
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let client = TcpStream::connect("127.0.0.1:8080").unwrap();
    let (served, _) = listener.accept().unwrap();
    // Who closes first has the connection for another minute.
    drop((served, listener));
    drop(client);
    let wanted = [wish("80/tcp", None, Some((8080, 8080)))];
    let held = reserved(&host, &wanted).unwrap();
    assert!(reserved(&host, &wanted).is_err());
    assert!(TcpListener::bind("0.0.0.0:8080").is_err(), "with SO_REUSEADDR, as std sets it");
    drop(held);
    reserved(&host, &wanted).unwrap();
}

#[test]
fn a_thousand_ports_are_published_and_given_back() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let mut server = host.container(&[&network]);
    server.serve(10_500);
    let wishes: Vec<Publish> = (10_000..11_000).map(|n| wish(&format!("{n}/tcp"), None, Some((n, n)))).collect();
    let held = reserved(&host, &wishes).unwrap();
    assert_eq!(held.published.len(), 2000);
    host.publish(&mut server, &held.published).unwrap();
    assert_eq!(crate::host::ask(ip("127.0.0.1"), 10_500), Ok("172.30.0.1".into()));
    host.give_back(&server);
    drop(held);
    let table = crate::host::tool("nft list ruleset");
    assert!(!table.contains("172.30.0.2"), "{table}");
}

#[test]
fn a_flow_of_datagrams_goes_where_the_port_leads_now() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let udp = [port("0.0.0.0", 5353, "53/udp")];
    let server = |name: &'static str| {
        let container = host.container(&[&network]);
        let socket = crate::host::inside(&container.namespace, || UdpSocket::bind("0.0.0.0:53").unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((_, from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(name.as_bytes(), from);
            }
        });
        container
    };
    let (mut one, mut other) = (server("one"), server("other"));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    let ask = || {
        client.send_to(b"?", "127.0.0.1:5353").unwrap();
        let mut buffer = [0; 100];
        let length = client.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    host.publish(&mut one, &udp).unwrap();
    assert_eq!(ask().as_deref(), Some("one"));
    host.give_back(&one);
    host.publish(&mut other, &udp).unwrap();
    assert_eq!(ask().as_deref(), Some("other"));
}

#[test]
fn what_a_dead_container_left_in_the_table_makes_way_and_a_new_holder_keeps_it() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let (mut dead, mut next) = (host.container(&[&network]), host.container(&[&network]));
    next.serve(80);
    let ports = [port("0.0.0.0", 8080, "80/tcp"), port("0.0.0.0", 8081, "80/tcp")];
    host.publish(&mut dead, &ports).unwrap();
    host.publish(&mut next, &ports[..1]).unwrap();
    assert_eq!(crate::host::ask(ip("127.0.0.1"), 8080), Ok("172.30.0.1".into()));
    host.give_back(&dead);
    assert_eq!(crate::host::ask(ip("127.0.0.1"), 8080), Ok("172.30.0.1".into()));
    assert!(!crate::host::tool("nft list ruleset").contains("8081"));
}
