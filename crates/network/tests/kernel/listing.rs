//! The table as nft(8) reads it.

use expect_test::expect_file;
use spec::network::Egress;

use crate::host::{Host, attachment, port, tool};

#[test]
fn the_rules_are_these() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16", "fd00:30::/64"]);
    let mut container = host.bare();
    container.egress = Some(Egress { subnets: vec!["10.0.0.0/8".parse().unwrap()], names: Vec::new() });
    host.connect(&mut container, &network, &attachment(&network)).unwrap();
    let ports = [port("0.0.0.0", 8080, "80/tcp"), port("127.0.0.1", 5353, "53/udp"), port("::", 8080, "80/tcp")];
    host.publish(&mut container, &ports).unwrap();
    let name = tool("nft list tables inet").trim().rsplit(' ').next().unwrap().to_owned();
    let peer = container.endpoints[0].peer.clone().unwrap();
    let listed = tool("nft list ruleset").replace(&name, "kist").replace(&peer, "veth0000000");
    expect_file!["ruleset.nft"].assert_eq(&listed);
}
