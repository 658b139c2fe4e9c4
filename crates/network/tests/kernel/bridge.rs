//! Bridges, and ports published from them.

use std::io::ErrorKind;

use network::{NetworkError, rules};

use crate::host::{Host, ask, ask_udp, inside, ip, port, tool};

#[test]
fn containers_of_a_network_reach_each_other_and_the_host() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let (one, other) = (host.container(&[&network]), host.container(&[&network]));
    assert_eq!((one.address(), other.address()), (ip("172.30.0.2"), ip("172.30.0.3")));
    assert_eq!((one.address6(), other.address6()), (ip("fd00:30::2"), ip("fd00:30::3")));
    other.serve(80);
    assert_eq!(inside(&one.namespace, || ask(other.address(), 80)), Ok("172.30.0.2".into()));
    assert_eq!(inside(&one.namespace, || ask(other.address6(), 80)), Ok("fd00:30::2".into()));
    assert_eq!(ask(other.address(), 80), Ok("172.30.0.1".into()));
    assert_eq!(ask(other.address6(), 80), Ok("fd00:30::1".into()));
}

#[test]
fn a_published_port_is_reached_from_everywhere_and_the_container_sees_the_client() {
    let host = Host::new();
    let outside = host.outside();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let second = host.created("br-b", &["172.31.0.0/16"]);
    let mut server = host.container(&[&network]);
    let (neighbour, stranger) = (host.container(&[&network]), host.container(&[&second]));
    server.serve(80);
    server.serve_udp(53);
    let ports = [
        port("0.0.0.0", 8080, "80/tcp"),
        port("::", 8080, "80/tcp"),
        port("0.0.0.0", 5353, "53/udp"),
        port("127.0.0.1", 8090, "80/tcp"),
    ];
    host.publish(&mut server, &ports).unwrap();
    let host_ip = ip("192.0.2.1");
    assert_eq!(inside(&outside, || ask(host_ip, 8080)), Ok("192.0.2.9".into()));
    assert_eq!(inside(&outside, || ask(ip("2001:db8::1"), 8080)), Ok("2001:db8::9".into()));
    assert_eq!(inside(&outside, || ask_udp("192.0.2.1", 5353)), Ok("192.0.2.9".into()));
    assert_eq!(ask(host_ip, 8080), Ok("192.0.2.1".into()));
    assert_eq!(ask(ip("127.0.0.1"), 8080), Ok("172.30.0.1".into()));
    assert_eq!(ask(ip("127.0.0.1"), 8090), Ok("172.30.0.1".into()));
    assert_eq!(ask_udp("127.0.0.1", 5353), Ok("172.30.0.1".into()));
    assert_eq!(inside(&neighbour.namespace, || ask(host_ip, 8080)), Ok("172.30.0.1".into()));
    assert_eq!(inside(&server.namespace, || ask(host_ip, 8080)), Ok("172.30.0.1".into()), "itself");
    assert_eq!(inside(&stranger.namespace, || ask(host_ip, 8080)), Ok("172.31.0.2".into()));
    assert_eq!(inside(&outside, || ask(host_ip, 8090)), Err(ErrorKind::ConnectionRefused), "published on loopback");
    host.give_back(&server);
    assert_eq!(ask(ip("127.0.0.1"), 8080), Err(ErrorKind::ConnectionRefused));
}

#[test]
fn nobody_gets_in_but_by_published_ports_and_all_get_out() {
    let host = Host::new();
    let outside = host.outside();
    let (network, second) = (host.created("br-a", &["172.30.0.0/16"]), host.created("br-b", &["172.31.0.0/16"]));
    let mut inner = host.network("br-c", &["172.29.0.0/16"]);
    inner.internal = true;
    network::record::create(&host.home, &inner).unwrap();
    let (server, stranger) = (host.container(&[&network]), host.container(&[&second]));
    let (locked, fellow) = (host.container(&[&inner]), host.container(&[&inner]));
    server.serve(80);
    locked.serve(80);
    assert_eq!(inside(&outside, || ask(server.address(), 80)), Err(ErrorKind::TimedOut));
    assert_eq!(inside(&stranger.namespace, || ask(server.address(), 80)), Err(ErrorKind::TimedOut));
    assert_eq!(inside(&fellow.namespace, || ask(locked.address(), 80)), Ok("172.29.0.3".into()));
    assert_eq!(ask(locked.address(), 80), Ok("172.29.0.1".into()));
    let listener = inside(&outside, || std::net::TcpListener::bind("0.0.0.0:99").unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            let _ = std::io::Write::write_all(&mut stream, from.ip().to_string().as_bytes());
        }
    });
    assert_eq!(inside(&server.namespace, || ask(ip("192.0.2.9"), 99)), Ok("192.0.2.1".into()), "masqueraded");
    assert_eq!(inside(&fellow.namespace, || ask(ip("192.0.2.9"), 99)), Err(ErrorKind::NetworkUnreachable));
}

#[test]
fn flushed_rules_are_noticed_and_come_back_with_everything() {
    let host = Host::new();
    assert!(rules::are_whole(&host.home).unwrap(), "nobody needs rules yet");
    let network = host.created("br-a", &["172.30.0.0/16"]);
    assert!(!rules::are_whole(&host.home).unwrap(), "somebody will");
    let mut server = host.container(&[&network]);
    server.serve(80);
    host.publish(&mut server, &[port("0.0.0.0", 8080, "80/tcp")]).unwrap();
    assert!(rules::are_whole(&host.home).unwrap());
    let table = tool("nft list tables").split(' ').next_back().unwrap().trim().to_owned();
    for damage in [
        "nft flush ruleset".to_owned(),
        format!("nft flush table inet {table}"),
        format!("nft flush chain inet {table} forward"),
        format!("nft flush map inet {table} any4"),
    ] {
        tool(&damage);
        assert!(!rules::are_whole(&host.home).unwrap(), "{damage}");
        host.restore(&[&server]);
        assert!(rules::are_whole(&host.home).unwrap(), "{damage}");
        assert_eq!(ask(ip("127.0.0.1"), 8080), Ok("172.30.0.1".into()), "{damage}");
    }
    tool("nft flush ruleset");
    let published = host.publish(&mut server, &[port("0.0.0.0", 8081, "80/tcp")]);
    assert!(matches!(published, Err(NetworkError::TableGone)));
    host.give_back(&server);
}

#[test]
fn a_port_is_reached_at_the_ipv6_loopback_unless_bridges_are_filtered() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let mut server = host.container(&[&network]);
    server.serve(80);
    host.publish(&mut server, &[port("::", 8080, "80/tcp")]).unwrap();
    for (filtered, said) in [("1", Err(ErrorKind::ConnectionRefused)), ("0", Ok("fd00:30::1".to_owned()))] {
        let switches = ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"];
        for switch in switches {
            if std::fs::write(format!("/proc/sys/net/bridge/{switch}"), filtered).is_err() && filtered == "1" {
                testkit::skip!("no bridge-nf");
            }
        }
        host.restore(&[&server]);
        assert_eq!(ask(ip("::1"), 8080), said, "bridge-nf {filtered}");
    }
    assert_eq!(inside(&server.namespace, || ask(ip("fd00:30::1"), 8080)), Ok("fd00:30::1".into()), "itself");
}
