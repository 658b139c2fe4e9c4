//! What a bridge's options change.

use std::io::ErrorKind;
use std::os::fd::AsFd;

use network::endpoint::{self, Routes};
use network::record;
use spec::network::{Bridge, Driver, GatewayMode, Network};

use crate::host::{Host, ask, attachment, inside, ip, port, tool};

fn bridge(host: &Host, device: &str, subnets: &[&str], change: impl FnOnce(&mut Bridge)) -> Network {
    let mut network = host.network(device, subnets);
    if let Driver::Bridge(bridge) = &mut network.driver {
        change(bridge);
    }
    record::create(&host.home, &network).unwrap();
    network
}

#[test]
fn without_icc_containers_reach_each_other_by_published_ports_alone() {
    for filtered in ["1", "0"] {
        without_icc(filtered);
    }
}

/// Whether or not bridges show their packets to the packet filter.
fn without_icc(filtered: &str) {
    let host = Host::new();
    for switch in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        let _ = std::fs::write(format!("/proc/sys/net/bridge/{switch}"), filtered);
    }
    let network = bridge(&host, "br-a", &["172.30.0.0/16", "fd00:30::/64"], |bridge| bridge.icc = false);
    let mut server = host.container(&[&network]);
    let other = host.container(&[&network]);
    server.serve(80);
    host.publish(&mut server, &[port("0.0.0.0", 8080, "80/tcp")]).unwrap();
    // Nobody answers who is asked for the hardware address.
    let unreachable = |to| inside(&other.namespace, || ask(to, 80)).unwrap_err();
    assert!([ErrorKind::TimedOut, ErrorKind::HostUnreachable].contains(&unreachable(server.address())));
    assert!([ErrorKind::TimedOut, ErrorKind::HostUnreachable].contains(&unreachable(server.address6())));
    // By way of the host neither, though it knows both.
    inside(&other.namespace, || tool("ip route add 172.30.0.2/32 via 172.30.0.1"));
    assert_eq!(unreachable(server.address()), ErrorKind::TimedOut);
    inside(&other.namespace, || tool("ip route del 172.30.0.2/32"));
    assert_eq!(inside(&other.namespace, || ask(ip("172.30.0.1"), 8080)), Ok("172.30.0.1".into()));
    assert_eq!(ask(server.address(), 80), Ok("172.30.0.1".into()));
}

#[test]
fn an_unprotected_network_is_reached_by_its_addresses() {
    let host = Host::new();
    let outside = host.outside();
    let network = bridge(&host, "br-a", &["172.30.0.0/16", "fd00:30::/64"], |bridge| {
        bridge.gateway_mode = [GatewayMode::NatUnprotected, GatewayMode::Nat];
    });
    let server = host.container(&[&network]);
    server.serve(80);
    assert_eq!(inside(&outside, || ask(server.address(), 80)), Ok("192.0.2.9".into()));
    assert_eq!(inside(&outside, || ask(server.address6(), 80)), Err(ErrorKind::TimedOut));
}

#[test]
fn a_routed_network_is_reached_at_published_ports_of_its_own_addresses() {
    let host = Host::new();
    let outside = host.outside();
    let network = bridge(&host, "br-a", &["172.30.0.0/16", "fd00:30::/64"], |bridge| {
        bridge.gateway_mode = [GatewayMode::Nat, GatewayMode::Routed];
    });
    let mut server = host.container(&[&network]);
    server.serve(80);
    server.serve(81);
    let address = server.address6();
    host.publish(&mut server, &[port("0.0.0.0", 8080, "80/tcp"), port("::", 8080, "80/tcp")]).unwrap();
    assert_eq!(inside(&outside, || ask(address, 80)), Ok("2001:db8::9".into()));
    assert_eq!(inside(&outside, || ask(address, 81)), Err(ErrorKind::TimedOut));
    assert_eq!(inside(&outside, || ask(ip("2001:db8::1"), 8080)), Err(ErrorKind::ConnectionRefused));
    assert_eq!(inside(&outside, || ask(ip("192.0.2.1"), 8080)), Ok("192.0.2.9".into()));
    inside(&outside, || tool(&format!("/bin/busybox ping -6 -c 1 -W 2 {address}")));
    host.give_back(&server);
    assert_eq!(inside(&outside, || ask(address, 80)), Err(ErrorKind::TimedOut));
}

#[test]
fn an_isolated_network_has_no_host() {
    let host = Host::new();
    let mut network = host.network("br-a", &["172.30.0.0/16"]);
    network.internal = true;
    if let Driver::Bridge(bridge) = &mut network.driver {
        bridge.gateway_mode = [GatewayMode::Isolated; 2];
    }
    record::create(&host.home, &network).unwrap();
    let (one, other) = (host.container(&[&network]), host.container(&[&network]));
    other.serve(80);
    assert_eq!(inside(&one.namespace, || ask(other.address(), 80)), Ok("172.30.0.2".into()));
    assert!(!tool("ip addr show br-a").contains("inet "));
}

#[test]
fn a_network_of_ipv6_alone_works() {
    let host = Host::new();
    let outside = host.outside();
    let network = host.created("br-a", &["fd00:30::/64"]);
    let mut server = host.container(&[&network]);
    server.serve(80);
    host.publish(&mut server, &[port("::", 8080, "80/tcp")]).unwrap();
    assert_eq!(inside(&outside, || ask(ip("2001:db8::1"), 8080)), Ok("2001:db8::9".into()));
    assert_eq!(server.endpoints[0].mac.to_string(), "02:42:00:00:00:02");
}

#[test]
fn default_routes_follow_when_networks_come_and_go() {
    let host = Host::new();
    let (a, b) = (host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]), host.created("br-b", &["172.31.0.0/16"]));
    let container = host.container(&[&a, &b]);
    let routes = || inside(&container.namespace, || tool("ip route show default") + &tool("ip -6 route show default"));
    assert!(routes().contains("default via 172.30.0.1 dev eth0"));
    let [first, second] = [&container.endpoints[0], &container.endpoints[1]];
    let with = |default| Routes { default };
    let namespace = container.namespace.as_fd();
    endpoint::reroute(&[(first, with([false, true])), (second, with([true, false]))], namespace).unwrap();
    let told = routes();
    assert!(told.contains("default via 172.31.0.1 dev eth1") && told.contains("via fd00:30::1 dev eth0"), "{told}");
    assert_eq!(told.matches("default").count(), 2);
    endpoint::unplug(first, namespace).unwrap();
    endpoint::reroute(&[(second, with([false, false]))], namespace).unwrap();
    assert_eq!(routes(), "");
    assert!(!inside(&container.namespace, || tool("ip link")).contains("eth0"));
    endpoint::unplug(first, namespace).unwrap();
    let mut asked = attachment(&a);
    asked.mac = Some("02:11:22:33:44:55".parse().unwrap());
    let mut container = container;
    container.endpoints.remove(0);
    container.endpoints[0].interface = "eth0".into();
    host.connect(&mut container, &a, &asked).unwrap_err();
}

#[test]
fn a_bridge_that_was_there_is_used_and_stays() {
    let host = Host::new();
    tool("ip link add theirs type bridge");
    let network = host.created("theirs", &["172.30.0.0/16"]);
    let (one, other) = (host.container(&[&network]), host.container(&[&network]));
    other.serve(80);
    assert_eq!(inside(&one.namespace, || ask(other.address(), 80)), Ok("172.30.0.2".into()));
    assert_eq!(ask(other.address(), 80), Ok("172.30.0.1".into()));
    host.give_back(&one);
    host.give_back(&other);
    record::remove(&host.home, &network).unwrap();
    assert!(tool("ip link").contains("theirs"));
}
