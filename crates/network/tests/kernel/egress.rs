//! Policies: whom containers may speak to.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, TcpListener};
use std::os::fd::OwnedFd;

use network::rules;
use spec::network::Egress;

use crate::host::{Container, Host, ask, attachment, inside, ip, port};

fn serve(namespace: &OwnedFd, port: u16) {
    let listener = inside(namespace, || TcpListener::bind(("::", port)).unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            let _ = write!(stream, "{}", from.ip().to_canonical());
        }
    });
}

fn policed(host: &Host, networks: &[&spec::network::Network], subnets: &[&str]) -> Container {
    let mut container = host.bare();
    let subnets = subnets.iter().map(|subnet| subnet.parse().unwrap()).collect();
    container.egress = Some(Egress { subnets, names: Vec::new() });
    for network in networks {
        host.connect(&mut container, network, &attachment(network)).unwrap();
    }
    container
}

fn from(container: &Container, to: &str, port: u16) -> Result<String, ErrorKind> {
    inside(&container.namespace, || ask(ip(to), port))
}

#[test]
fn a_policed_container_reaches_its_networks_and_what_it_may_and_nothing_else() {
    let host = Host::new();
    let outside = host.outside();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    serve(&outside, 99);
    let neighbour = host.container(&[&network]);
    neighbour.serve(80);
    let container = policed(&host, &[&network], &["198.51.100.0/24", "198.51.100.128/25"]);
    let refused = Err(ErrorKind::ConnectionRefused);
    assert_eq!(from(&container, "192.0.2.9", 99), refused);
    assert_eq!(from(&container, "2001:db8::9", 99), refused);
    assert_eq!(from(&container, "172.30.0.1", 99), refused, "the host");
    assert_eq!(from(&container, "172.30.0.2", 80), Ok("172.30.0.3".into()), "a neighbour");
    assert_eq!(from(&container, "fd00:30::2", 80), Ok("fd00:30::3".into()), "a neighbour");
    assert_eq!(from(&neighbour, "192.0.2.9", 99), Ok("192.0.2.1".into()), "who has no policy");
    let learnt: [IpAddr; 2] = [ip("192.0.2.9"), ip("2001:db8::9")];
    rules::allow(&host.home, &container.endpoints, &learnt).unwrap();
    rules::allow(&host.home, &container.endpoints, &learnt).unwrap();
    assert_eq!(from(&container, "192.0.2.9", 99), Ok("192.0.2.1".into()));
    assert_eq!(from(&container, "2001:db8::9", 99), Ok("2001:db8::1".into()));
    assert_eq!(from(&container, "192.0.2.10", 99), refused);
    let mut refusals = rules::refusals(&host.home).unwrap();
    refusals.sort_by_key(|refusal| (refusal.to, refusal.port));
    let told: Vec<_> = refusals.iter().map(|r| (r.from, r.to, r.protocol, r.port)).collect();
    let (four, six) = (container.address(), container.address6());
    let tried = ["172.30.0.1", "192.0.2.9", "192.0.2.10"].map(|to| (four, ip(to), 6, 99));
    assert_eq!(told, [tried[0], tried[1], tried[2], (six, ip("2001:db8::9"), 6, 99)]);
    assert!(refusals.iter().all(|r| r.packets >= 1 && r.bytes >= 40 && r.ago.as_secs() < 60), "{refusals:?}");
}

#[test]
fn an_allowed_subnet_is_reached_where_a_network_with_a_policy_allows_it_too() {
    let host = Host::new();
    let outside = host.outside();
    let (mut closed, mut open) = (host.network("br-a", &["172.30.0.0/16"]), host.network("br-b", &["172.31.0.0/16"]));
    closed.egress = Some(Egress::default());
    open.egress = Some(Egress { subnets: vec!["192.0.0.0/16".parse().unwrap()], names: Vec::new() });
    for network in [&closed, &open] {
        network::record::create(&host.home, network).unwrap();
    }
    serve(&outside, 99);
    let refused = Err(ErrorKind::ConnectionRefused);
    assert_eq!(from(&host.container(&[&closed]), "192.0.2.9", 99), refused);
    assert_eq!(from(&policed(&host, &[&closed], &["192.0.2.0/24"]), "192.0.2.9", 99), refused);
    assert_eq!(from(&policed(&host, &[&open], &["192.0.2.0/24"]), "192.0.2.9", 99), Ok("192.0.2.1".into()));
    assert_eq!(from(&policed(&host, &[&open], &["198.51.100.0/24"]), "192.0.2.9", 99), refused);
}

#[test]
fn a_policed_container_serves_and_its_policy_goes_with_it() {
    let host = Host::new();
    let outside = host.outside();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    serve(&outside, 99);
    let mut container = policed(&host, &[&network], &[]);
    container.serve(80);
    host.publish(&mut container, &[port("0.0.0.0", 8080, "80/tcp")]).unwrap();
    assert_eq!(inside(&outside, || ask(ip("192.0.2.1"), 8080)), Ok("192.0.2.9".into()));
    host.restore(&[&container]);
    assert_eq!(from(&container, "192.0.2.9", 99), Err(ErrorKind::ConnectionRefused), "after a restore");
    let address = container.address();
    host.give_back(&container);
    let next = host.container(&[&network]);
    assert_eq!(next.address(), address);
    assert_eq!(from(&next, "192.0.2.9", 99), Ok("192.0.2.1".into()));
}

#[test]
fn a_policed_container_cannot_speak_as_another() {
    let host = Host::new();
    let outside = host.outside();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    serve(&outside, 99);
    let neighbour = host.container(&[&network]);
    let container = policed(&host, &[&network], &[]);
    inside(&container.namespace, || {
        crate::host::tool("ip addr add 172.30.0.77/16 dev eth0");
        crate::host::tool("ip route replace default via 172.30.0.1 src 172.30.0.77");
    });
    assert!(from(&container, "192.0.2.9", 99).is_err(), "with another address");
    inside(&container.namespace, || {
        crate::host::tool("ip link set eth0 down");
        crate::host::tool("ip link set eth0 address 02:42:ac:1e:00:4d");
        crate::host::tool("ip link set eth0 up");
        crate::host::tool("ip route replace default via 172.30.0.1 src 172.30.0.77");
    });
    assert!(from(&container, "192.0.2.9", 99).is_err(), "with another hardware address");
    assert_eq!(from(&neighbour, "192.0.2.9", 99), Ok("192.0.2.1".into()));
    let text = crate::host::tool("nft list ruleset");
    assert!(text.contains("table netdev"));
    host.give_back(&container);
    let text = crate::host::tool("nft list ruleset");
    assert!(!text.contains(container.endpoints[0].peer.as_deref().unwrap()), "{text}");
}
