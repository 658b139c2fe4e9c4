//! `"firewall": "respect-input"`.

use std::io::ErrorKind;

use network::rules::{self, Firewall};

use crate::host::{Host, ask, ask_udp, inside, ip, port, tool};

#[test]
fn published_ports_are_open_to_whom_the_hosts_input_is() {
    let host = Host::new();
    let outside = host.outside();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    host.restore_with(Firewall::RespectInput, &[]);
    let (mut server, neighbour) = (host.container(&[&network]), host.container(&[&network]));
    server.serve(80);
    server.serve_udp(53);
    for number in [8080, 8081] {
        host.publish(&mut server, &[port("0.0.0.0", number, "80/tcp"), port("::", number, "80/tcp")]).unwrap();
    }
    host.publish(&mut server, &[port("192.0.2.1", 5353, "53/udp"), port("127.0.0.1", 8090, "80/tcp")]).unwrap();
    tool("nft add table inet fw");
    tool("nft add chain inet fw input { type filter hook input priority 0 ; policy drop ; }");
    for rule in [
        "iifname lo accept",
        "ct state established accept",
        "meta l4proto { icmp, icmpv6 } accept",
        "tcp dport 8081 accept",
        "udp dport 5353 accept",
    ] {
        tool(&format!("nft add rule inet fw input {rule}"));
    }
    assert!(rules::are_whole(&host.home).unwrap());
    let check = |what: &str| {
        let host_ip = ip("192.0.2.1");
        assert_eq!(inside(&outside, || ask(host_ip, 8080)), Err(ErrorKind::TimedOut), "{what}");
        assert_eq!(inside(&outside, || ask(ip("2001:db8::1"), 8080)), Err(ErrorKind::TimedOut), "{what}");
        assert_eq!(inside(&outside, || ask(host_ip, 8081)), Ok("192.0.2.9".into()), "{what}");
        assert_eq!(inside(&outside, || ask(ip("2001:db8::1"), 8081)), Ok("2001:db8::9".into()), "{what}");
        assert_eq!(inside(&outside, || ask_udp("192.0.2.1", 5353)), Ok("192.0.2.9".into()), "{what}");
        assert_eq!(ask(ip("127.0.0.1"), 8080), Ok("172.30.0.1".into()), "{what}");
        assert_eq!(inside(&neighbour.namespace, || ask(host_ip, 8080)), Ok("172.30.0.1".into()), "{what}");
    };
    check("published");
    let tables = tool("nft list tables ip6");
    tool(&format!("nft delete {}", tables.trim()));
    assert!(!rules::are_whole(&host.home).unwrap());
    host.restore_with(Firewall::RespectInput, &[&server]);
    check("restored");
    host.restore(&[&server]);
    assert_eq!(inside(&outside, || ask(ip("192.0.2.1"), 8080)), Ok("192.0.2.9".into()), "open again");
    assert!(!tool("nft list tables").contains("heed"));
    assert!(!tool("ip link").contains("ko-"));
    host.give_back(&server);
}
